"""The executor node: `robot_chunk` in, joint setpoints out at 200 Hz from a plain thread, while the permit lasts.

ros2 run vitra_control executor --ros-args -p arms:=both
ros2 service call /executor/home std_srvs/srv/Trigger     # slowly to the ready posture, when armed
"""

from __future__ import annotations

import math
import sys
import threading
import time
import traceback
from collections import Counter, deque
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from vitra_control.clock import ClockBridge
from vitra_control.driver_watch import DriverWatch
from vitra_control.executor_messages import CommandPublishers, state_message, timed_steps
from vitra_control.executor_parameters import Parameters
from vitra_control.feedback import JointFeedback
from vitra_control.generator import SetpointGenerator
from vitra_control.path_meter import PathMeter
from vitra_control.setpoints import HomeResult, Mode, PermitSample
from vitra_control.settings import ARM_PERIOD_S
from vitra_msgs.msg import DriverState, ExecutorState, Permit, RobotChunk
from vitra_policy.action_space import Side
from vitra_policy.chunks.curve import StepsError, TimedSteps
from vitra_policy.chunks.timeline import Verdict
from vitra_runtime import qos
from vitra_runtime.diagnostics import OK, WARN, DiagnosticsPublisher
from vitra_runtime.discovery_check import DeafError
from vitra_runtime.node import StackNode, run
from vitra_runtime.threads import WatchedThread
from vitra_runtime.timing import Cadence, Ticker, stamp_to_s

_STATE_PERIOD_S = 1 / 30
_DIAGNOSTICS_PERIOD_S = 1.0
_WARN_PERIOD_S = 1.0
_DEAF_AFTER_S = 3.0
_TO_PREPARE_S = 0.001
"""Time that taking a chunk in may take: with less before the next tick it waits until after that."""
_DROPPED = (Verdict.OUT_OF_ORDER, Verdict.DUPLICATE, Verdict.STALE, Verdict.FUTURE)


class ExecutorNode(StackNode[Parameters]):
    """Owns topics, the setpoint thread and the boxes between it and the ROS thread; the rest is in `generator`."""

    def __init__(self) -> None:
        super().__init__("executor", Parameters)
        self._generator: SetpointGenerator | None = None
        self._feedback: JointFeedback | None = None
        self._thread: WatchedThread | None = None
        self._running = threading.Event()
        self._permit: PermitSample | None = None
        self._chunks: deque[dict[Side, TimedSteps]] = deque(maxlen=4)
        self._chunk_came = threading.Event()
        self._speed_share = self.params.speed_share
        self._policy_runs = False
        self._home_asked = threading.Event()
        self._homes, self._home_result = 0, ""
        self._time_bridge = ClockBridge()
        self._cadence = Cadence(ARM_PERIOD_S)
        self._refused: Counter[str] = Counter()
        self._meters: list[PathMeter] = []
        sides = self.params.sides
        self._commands = CommandPublishers(self, sides)
        self._state_publisher = self.stream_publisher(ExecutorState, "executor_state", qos.SETPOINT)
        self._diagnostics = DiagnosticsPublisher(self)
        self.create_subscription(Permit, "permit", self._on_permit, qos.SETPOINT)
        self.create_subscription(RobotChunk, "robot_chunk", self._on_chunk, qos.CHUNK)
        self.create_subscription(Bool, "policy/running", self._on_policy_running, qos.LATCHED)
        self._interruptions = DriverWatch()
        for device in [f"{side}_{part}" for side in sides for part in ("arm", "hand")]:
            topic = f"{device}/driver_state"
            self.create_subscription(DriverState, topic, self._on_driver_state, qos.SETPOINT)
        self.create_service(Trigger, "~/home", self._on_home)
        self._trajectories = self._trajectory_actions() if self.params.joint_trajectories else None
        self.add_on_set_parameters_callback(self._on_parameters)
        self.create_timer(_STATE_PERIOD_S, self._on_state_timer)
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_diagnostics)

    def setup(self) -> None:  # noqa: D102
        sides = self.params.build_sides()
        hand = next(iter(sides.values())).calibration.hand
        self._feedback = JointFeedback(self, self.params.sides, hand=hand)
        self._generator = SetpointGenerator(sides, self.params.settings, self._feedback)
        self._generator.set_speed_share(self._speed_share)
        self._generator.policy_runs = self._policy_runs
        self._meters = [PathMeter(side) for side in self.params.sides] if self.params.measure_path else []

    def start(self) -> None:  # noqa: D102
        assert self._generator is not None
        self._chunks.clear()
        self._running.set()
        self._thread = WatchedThread(
            self._run, name="setpoints", should_run=self._running.is_set, args=(self._generator,)
        )
        self._thread.start()

    def halt(self) -> None:  # noqa: D102
        self._running.clear()
        if self._thread is not None:
            self._thread.join(timeout=1.0)
            self._thread = None

    def teardown(self) -> None:  # noqa: D102
        if self._feedback is not None:
            self._feedback.close()
        self._feedback = self._generator = None

    def _trajectory_actions(self) -> Any:
        try:
            from vitra_control.trajectory_node import TrajectoryActions
        except ImportError as error:
            self.get_logger().warning(
                f"no FollowJointTrajectory actions: {error}. Install ros-jazzy-control-msgs, or run `make build`."
            )
            return None
        limits = self.params.settings.arm_limits
        return TrajectoryActions(
            self, self.params.sides, lambda: self._generator if self.is_active else None, limits
        )  # fmt: skip

    # ROS thread -----------------------------------------------------------------------------------------------------

    def _on_permit(self, message: Permit) -> None:
        self._permit = PermitSample(message.epoch, message.motion_allowed, time.monotonic())

    def _on_driver_state(self, message: DriverState) -> None:
        if self._feedback is not None:
            self._feedback.holds(message.device, message.held_rad)
        self._interruptions.see(
            message.device, message.state, message.stop_cause, message.refused, message.last_refusal
        )

    def _on_policy_running(self, message: Bool) -> None:
        self._policy_runs = message.data
        if self._generator is not None:
            self._generator.policy_runs = message.data

    def _on_chunk(self, message: RobotChunk) -> None:
        try:
            chunk = timed_steps(message, self._time_bridge.monotonic_s(stamp_to_s(message.header.stamp)))
        except StepsError as error:
            self._refuse_chunk("malformed", str(error))
            return
        self._chunks.append(chunk)
        self._chunk_came.set()

    def _on_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        for parameter in changed:
            if parameter.name == "speed_share":
                self._speed_share = float(parameter.value)
                if self._generator is not None:
                    self._generator.set_speed_share(self._speed_share)
        return SetParametersResult(successful=True)

    def _on_home(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        generator = self._generator
        refusal = "the executor is not active" if generator is None or not self.is_active else generator.home_refusal()
        if refusal:
            response.success, response.message = False, refusal
            return response
        self._home_asked.set()
        response.success = True
        response.message = "on the way; executor_state counts `homes` up at the end and says how it went"
        return response

    def _on_state_timer(self) -> None:
        if self._generator is not None and self.is_active:
            message = state_message(self._generator, self._cadence.rate_hz, self._time_bridge)
            message.homes, message.home_result = self._homes, self._home_result
            self._state_publisher.publish(message)
            must_hear(self._generator.unheard_s(time.monotonic()), self._generator.waiting_for)

    def _publish_diagnostics(self) -> None:
        generator = self._generator
        if generator is None:
            return
        values = {
            "mode": generator.mode.value,
            "setpoint rate [Hz]": f"{self._cadence.rate_hz:.1f}",
            "setpoint period error p99 [ms]": f"{self._cadence.period_error_s() * 1e3:.2f}",
            "started again": generator.reseeds,
            "failed computations": generator.failures,
            "last failed computation": generator.last_failure or "none",
            "held before a collision": generator.holds,
            "late by [s]": f"{generator.lag_s:.2f}",
            "ran out of steps": generator.starved,
            "late chunks": generator.count([Verdict.LATE]),
            "dropped chunks": generator.count(_DROPPED),
        } | {f"refused chunks: {why}": count for why, count in self._refused.items()}
        if self._meters:
            values["distance from the path [mm]"] = f"{max(m.distance_m for m in self._meters) * 1e3:.3f}"
            values["rotation from the path [deg]"] = f"{math.degrees(max(m.rotation_rad for m in self._meters)):.3f}"
        limit = generator.limits()
        self._diagnostics.publish("setpoints", limit or generator.mode.value, values, level=WARN if limit else OK)

    # Setpoint thread ------------------------------------------------------------------------------------------------

    def _run(self, generator: SetpointGenerator) -> None:
        ticker = Ticker(ARM_PERIOD_S)
        try:
            while self._running.is_set():
                now_s = ticker.wait()
                self._take_orders(generator)
                if self._trajectories is not None:
                    self._trajectories.serve(generator, now_s)
                setpoints = generator.tick(now_s, self._permit)
                if setpoints is None:
                    self._cadence.clear()
                else:
                    self._commands.send(setpoints)
                    self._cadence.tick(time.monotonic())
                for meter in self._meters:
                    meter.look(generator)
                self._finish_home(generator)
                self._work_ahead(generator, ticker)
        except Exception as error:  # the thread must not die in silence
            self.get_logger().fatal(traceback.format_exc())
            self.set_fault(f"the setpoint thread ended: {type(error).__name__}: {error}")
        if self._home_asked.is_set() or generator.mode is Mode.HOMING:
            self._end_home(HomeResult(False, "the executor stopped"))
        if self._trajectories is not None:
            self._trajectories.abandon("the executor stopped")

    def _work_ahead(self, generator: SetpointGenerator, ticker: Ticker) -> None:
        """Take chunks in as they come and solve for the path ahead, so that a tick has little to do before it sends."""
        while True:
            self._chunk_came.clear()
            self._take_chunks(generator, ticker.next_s)
            generator.prepare()
            if not ticker.wait_for(self._chunk_came, _TO_PREPARE_S):
                return

    def _take_chunks(self, generator: SetpointGenerator, now_s: float) -> None:
        while self._chunks:
            try:
                verdicts = generator.offer(self._chunks.popleft(), now_s)
            except StepsError as error:
                self._refuse_chunk("malformed", str(error))
                continue
            for side, verdict in verdicts.items():
                if verdict is not Verdict.ACCEPTED:
                    self._warn(f"chunk for the {side} arm dropped: {verdict}")

    def _take_orders(self, generator: SetpointGenerator) -> None:
        interruption = self._interruptions.take()
        if interruption is not None:
            self._warn(interruption.why)
            generator.interrupted(interruption)
        if self._home_asked.is_set():
            self._home_asked.clear()
            refusal = generator.go_home()
            if refusal:
                self._end_home(HomeResult(False, refusal))

    def _finish_home(self, generator: SetpointGenerator) -> None:
        result = generator.take_home_result()
        if result is not None:
            self._end_home(result)

    def _end_home(self, result: HomeResult) -> None:
        self._home_result = "" if result.success else result.message
        self._homes += 1

    def _refuse_chunk(self, why: str, message: str) -> None:
        self._refused[why] += 1
        self._warn(f"chunk refused: {message}")

    def _warn(self, text: str) -> None:
        self.get_logger().warning(text, throttle_duration_sec=_WARN_PERIOD_S)


def must_hear(unheard_s: float, waiting_for: str) -> None:
    """A permit needs drivers that are well: who has it and hears no joints for long has been lost by the middleware.

    Raises:
        DeafError: it will not hear them before it is started again.
    """
    if unheard_s > _DEAF_AFTER_S:
        raise DeafError(
            f"Permitted to move, but {waiting_for} for {unheard_s:.0f} s: the middleware lost it to a driver. "
            "It starts again; then re-arm."
        )


def main(args: list[str] | None = None) -> None:
    """Entry point."""
    sys.exit(run(ExecutorNode, args))


if __name__ == "__main__":
    main()
