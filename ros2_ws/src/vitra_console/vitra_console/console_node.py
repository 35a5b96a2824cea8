"""The operator's console: a web page for any graph (loopback, behind a token).

ros2 run vitra_console console --ros-args -p arms:=right
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.action import ActionClient
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vitra_console.operate.camera_view import camera_image
from vitra_console.operate.desk import OperatorDesk, Then
from vitra_console.operate.robot_view import RobotView
from vitra_console.operate.stop_latch import StopLatch
from vitra_console.operator_beat import OperatorBeat
from vitra_console.web.access import default_token
from vitra_console.web.presence import Presence
from vitra_console.web.server import ConsoleError, ConsoleServer, JpegImage
from vitra_msgs.action import RunPolicy
from vitra_msgs.msg import DriverState, EpisodeState, ExecutorState, HandActionChunk, Heartbeat, SafetyState, SimState
from vitra_msgs.srv import Rearm, SetInstruction, SimReset
from vitra_policy.action_space import sides_of
from vitra_runtime import qos
from vitra_runtime.node import StackNode, run
from vitra_runtime.operating_services import OPERATING_SERVICES
from vitra_runtime.parameters import param
from vitra_runtime.polling import PolledTopic, PolledTopics

TOKEN_VARIABLE = "VITRA_CONSOLE_TOKEN"
_FIRST_PORT = 8700
_LOOK_PERIOD_S = 0.1
_ANSWER_S = 10.0
_SPEED_PERIOD_S = 2.0


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of `console`; its token is VITRA_CONSOLE_TOKEN of the environment, or a new one at each start."""

    arms: str = param("right", "Which arms are driven", choices=("right", "left", "both"))
    host: str = param("127.0.0.1", "Address to listen on; 0.0.0.0 lets phones in, only on a network you trust")
    port: int = param(0, "Port; 0: 8700 + ROS domain, or a free one where that is taken", bounds=(0, 65535))

    @property
    def sides(self) -> tuple[str, ...]:
        """The arms that are driven."""
        return tuple(map(str, sides_of(self.arms)))


class ConsoleNode(StackNode[Parameters]):
    """Wiring of the console; what is shown and what orders mean is in `vitra_console.operate`."""

    def __init__(self) -> None:
        super().__init__("console", Parameters)
        sides = self.params.sides
        self._view = RobotView(sides)
        self._latch = StopLatch(self._send_stop, time.monotonic)
        self._presence = Presence()
        self._server: ConsoleServer | None = None
        self._operator_beat: OperatorBeat | None = None
        self._polled: PolledTopics | None = None
        self._topics: list[tuple[PolledTopic, Callable[[Any], None]]] = []
        self._images: PolledTopic | None = None
        self._image: JpegImage | None = None
        self._waiting: dict[Any, tuple[float, Callable[[str], None]]] = {}
        # Paired long before the first press of a button: the answer to a client that has only just come may be lost.
        self._rpc: dict[str, Any] = {n: self.create_client(kind, n) for n, kind in OPERATING_SERVICES.items()}
        self._speed_client = self.create_client(GetParameters, "executor/get_parameters")
        self._speed_asked_s = 0.0
        self._run_policy = ActionClient(self, RunPolicy, "policy/run_policy")
        self._desk = OperatorDesk(self, self._view, self._latch, self._tasks(sides))
        self.create_subscription(SafetyState, "safety_state", partial(self._view.hear, "safety"), qos.LATCHED)
        self.create_subscription(String, "instruction", partial(self._view.hear, "instruction"), qos.LATCHED)
        self.create_subscription(EpisodeState, "episode_state", partial(self._view.hear, "episode"), qos.LATCHED)
        self.create_timer(_LOOK_PERIOD_S, self._look)

    def setup(self) -> None:
        """Subscribe and serve."""
        polled = self._polled = PolledTopics(self, "topics")

        def listen(message_type: Any, topic: str, hear: Callable[[Any], None], profile: Any = qos.SETPOINT) -> None:
            self._topics.append((polled.subscribe(message_type, topic, profile), hear))

        hear = self._view.hear
        listen(ExecutorState, "executor_state", partial(hear, "executor"))
        listen(HandActionChunk, "hand_action_chunk", partial(hear, "chunk"), qos.RECORD)
        listen(SimState, "sim/state", partial(hear, "sim"))
        listen(Heartbeat, "heartbeat", self._view.hear_beat, qos.HEARTBEAT)
        listen(DiagnosticArray, "/diagnostics", self._view.hear_diagnostics, qos.RECORD)
        listen(CameraInfo, "head_camera/color/camera_info", self._on_camera, qos.SENSOR)
        for side in self.params.sides:
            listen(JointState, f"{side}_arm/joint_states", partial(hear, f"{side}_arm/joints"))
            for device in (f"{side}_arm", f"{side}_hand"):
                listen(DriverState, f"{device}/driver_state", partial(hear, device))
        self._images = polled.subscribe(Image, "head_camera/color/image_raw", qos.SETPOINT)
        self._operator_beat = OperatorBeat(self, self._presence, lambda: self._latch.is_wanted)
        self._server = self._serve()
        # A token that somebody gave us is theirs to keep; logs are read by others.
        given = TOKEN_VARIABLE in os.environ
        link = f"{self._server.url.partition('#')[0]} (token of {TOKEN_VARIABLE})" if given else self._server.url
        self.get_logger().info(f"console: {link}")

    def teardown(self) -> None:
        """Close the page, fall silent, drop the subscriptions."""
        if self._server is not None:
            self._server.__exit__(None, None, None)
            self._server = None
        if self._operator_beat is not None:
            self._operator_beat.close()
            self._operator_beat = None
        self._topics.clear()
        self._images = None
        if self._polled is not None:
            self._polled.close()
            self._polled = None

    def _serve(self) -> ConsoleServer:
        token = os.environ.get(TOKEN_VARIABLE) or default_token()
        wanted = self.params.port or _FIRST_PORT + int(os.environ.get("ROS_DOMAIN_ID") or 0)
        for port in dict.fromkeys((wanted, wanted if self.params.port else 0)):
            server = ConsoleServer(self._desk, self._presence, token, self.params.host, port)
            try:
                return server.__enter__()
            except ConsoleError as error:
                refusal = error
        raise refusal

    def _tasks(self, sides: tuple[str, ...]) -> list[str]:
        try:
            from vitra_sim.tasks.tasks import TASKS
        except ImportError:  # a robot PC without the simulator
            return []
        return [name for name, task in TASKS.items() if str(task.side) in sides]

    # The desk's robot; `in_turn` and `image` are called from other threads ----------------------------------------

    def in_turn(self, call: Callable[[], None]) -> None:
        """Make a call in the spinning thread; rclpy's action client loses answers that come while it still sends."""
        if self.executor is not None:
            self.executor.create_task(call)

    def trigger(self, service: str, then: Then) -> None:
        """Call a Trigger service."""
        self._call(Trigger, service, Trigger.Request(), lambda a: then(bool(a.success), str(a.message)), then)

    def rearm(self, epoch: int, stops: int, then: Then) -> None:
        """Re-arm from a state that was seen.

        Args:
            epoch: Of the safety state that was seen.
            stops: Number of stops in it; a later one refuses the re-arm.
            then: Hears success and message.
        """
        request = Rearm.Request(epoch=epoch, stops=stops)
        answer = lambda a: then(bool(a.success), str(a.message))  # noqa: E731
        self._call(Rearm, "safety_supervisor/rearm_from", request, answer, then)

    def set_instruction(self, text: str, then: Then) -> None:
        """Set what the policy is to do."""
        request = SetInstruction.Request(instruction=text)
        answer = lambda a: then(bool(a.success), str(a.message))  # noqa: E731
        self._call(SetInstruction, "policy/set_instruction", request, answer, then)

    def reset_sim(self, task: str, seed: int, then: Callable[[bool, str, str], None]) -> None:
        """New start state of the simulated world.

        Args:
            task: Name of the task.
            seed: Of the start state.
            then: Hears success, message and the task's instruction.
        """
        self._call(
            SimReset, "sim/reset", SimReset.Request(task=task, seed=seed),
            lambda a: then(bool(a.success), str(a.message), str(a.instruction)),
            lambda ok, why: then(ok, why, ""),
        )  # fmt: skip

    def set_speed(self, share: float, then: Then) -> None:
        """Use this part of the executor's speed limit."""
        value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=share)
        request = SetParameters.Request(parameters=[Parameter(name="speed_share", value=value)])

        def answer(a: Any) -> None:
            then(bool(a.results[0].successful), str(a.results[0].reason))

        self._call(SetParameters, "executor/set_parameters", request, answer, then)

    def start_run(self, text: str, time_limit_s: float, then: Then, ended: Then) -> None:
        """Send the RunPolicy goal.

        Args:
            text: Instruction.
            time_limit_s: The run ends after it; 0: never.
            then: Hears whether it was taken.
            ended: Hears why it ended.
        """
        if not self._run_policy.server_is_ready():
            then(False, "No policy node answers. Is it running?")
            return
        goal = RunPolicy.Goal(instruction=text, time_limit_s=time_limit_s)

        def answered(handle: Any) -> None:
            if not handle.accepted:
                then(False, "The policy node rejected the goal.")
                return
            result = handle.get_result_async()
            result.add_done_callback(lambda done: over(done.result()))
            then(True, "")

        def over(answer: Any) -> None:
            result = answer.result
            words = f"{result.termination_reason}: {result.detail}".rstrip(": ").replace("_", " ")
            ended(answer.status in (GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED), words)

        self._await(self._run_policy.send_goal_async(goal), "policy/run_policy", answered, then)

    def image(self) -> JpegImage | None:
        """The newest camera image; called in the server's worker thread."""
        images = self._images
        for frame, _ in images.take() if images is not None else ():
            self._image = camera_image(frame, self._view.newest("camera_info"), self._view.newest("chunk"))
        return self._image

    # Spinning thread ------------------------------------------------------------------------------------------------

    def _call(self, kind: Any, service: str, request: Any, answered: Callable[[Any], None], failed: Then) -> None:
        client = self._rpc.get(service)
        if client is None:
            client = self._rpc[service] = self.create_client(kind, service)
        self._await_service(client, service, time.monotonic() + 2.0, request, answered, failed)

    def _await_service(
        self, client: Any, service: str, until_s: float, request: Any, answered: Callable[[Any], None], failed: Then
    ) -> None:
        """Discovery of a service takes a moment the first time; looks again without blocking."""
        if client.service_is_ready():
            self._await(client.call_async(request), service, answered, failed)
        elif time.monotonic() > until_s:
            failed(False, f"Nobody offers '{service}'. Is its node running?")
        else:
            pressed, stops = self._latch.pressed, self._view.stops

            def again() -> None:
                timer.cancel()
                self.destroy_timer(timer)
                if (pressed, stops) != (self._latch.pressed, self._view.stops):
                    failed(False, "A STOP came first.")
                else:
                    self._await_service(client, service, until_s, request, answered, failed)

            timer = self.create_timer(0.05, again)

    def _await(self, future: Any, what: str, answered: Callable[[Any], None], failed: Then) -> None:
        self._waiting[future] = (time.monotonic() + _ANSWER_S, lambda why: failed(False, why))

        def done(finished: Any) -> None:
            if self._waiting.pop(finished, None) is None:
                return
            try:
                answer = finished.result()
            except Exception as error:  # rclpy raises whatever the middleware did
                failed(False, f"'{what}' failed: {error}")
                return
            answered(answer)

        future.add_done_callback(done)

    def _send_stop(self, latched: Callable[[], None]) -> None:
        sent = self._rpc["safety_supervisor/stop"].call_async(Trigger.Request())
        sent.add_done_callback(lambda done: latched() if done.exception() is None and done.result().success else None)

    def _on_camera(self, message: CameraInfo) -> None:
        self._view.hear("camera_info", message)
        self._view.hear_frame(time.monotonic())

    def _look(self) -> None:
        for topic, hear in self._topics:
            for message, _ in topic.take():
                hear(message)
        self._latch.tick(self._view.safety_state)
        self._desk.watch()
        now_s = time.monotonic()
        for future, (until_s, failed) in list(self._waiting.items()):
            if now_s > until_s:
                del self._waiting[future]
                failed(f"No answer within {_ANSWER_S:g} s.")
        if now_s - self._speed_asked_s > _SPEED_PERIOD_S:
            self._speed_asked_s = now_s
            if self._speed_client.service_is_ready():
                asked = self._speed_client.call_async(GetParameters.Request(names=["speed", "speed_share"]))
                asked.add_done_callback(self._on_speed)

    def _on_speed(self, future: Any) -> None:
        values = future.result().values if future.result() is not None else []
        if len(values) == 2:
            self._view.speed_percent = round(100 * values[0].double_value)
            self._view.speed_share = values[1].double_value


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(ConsoleNode, args, own_loop=False)


if __name__ == "__main__":
    sys.exit(main())
