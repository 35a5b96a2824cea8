"""The simulated operator: sees the simulated world, moves a human-like hand, and sends it as any tracker would.

ros2 run vitra_teleop operator_double --ros-args -p arms:=right -p port:=8765     then call ~/begin
"""

from __future__ import annotations

import socket
import sys
import threading
from dataclasses import dataclass

import numpy as np
from std_srvs.srv import Trigger

from vitra_description.calibration import calibration_path, load_calibration
from vitra_msgs.msg import HandActionChunk, SimState
from vitra_policy.action_space import SIDES, Side
from vitra_policy.errors import VitraError
from vitra_policy.policies import policy as boundary
from vitra_policy.policies.policy import Observation, Policy
from vitra_policy.policies.registry import create_policy
from vitra_runtime import qos
from vitra_runtime.node import StackNode, run
from vitra_runtime.parameters import param
from vitra_runtime.polling import PolledTopics
from vitra_runtime.sim_state import extras_of
from vitra_runtime.threads import WatchedThread
from vitra_runtime.timing import Ticker
from vitra_teleop.human_like import HumanLikeHands
from vitra_teleop.joint_topics import JointTopics
from vitra_teleop.robot_state import RobotState
from vitra_teleop.wire import DEFAULT_PORT, encode

_LOOK_PERIOD_S = 1 / 15
_PATIENCE_S, _LET_GO_S = 0.7, 0.3
"""A robot that does not follow for so long has lost the hand; a person then lets go for so long and engages again."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of the simulated operator."""

    policy: str = param("expert", "Who knows how to do the task; may read the simulator's truth")
    arms: str = param("right", "Arms the robot has", choices=("left", "right", "both"))
    calibration: str = param("sim", "Calibration of the robot")
    host: str = param("127.0.0.1", "Where the teleop node listens")
    port: int = param(DEFAULT_PORT, "Its UDP port", bounds=(1, 65535))
    rate_hz: float = param(60.0, "Hands per second, as a tracker would send them", unit="Hz", bounds=(5.0, 200.0))
    seed: int = param(0, "Of tremor and of where the operator stands", bounds=(0, 2**31))

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides the robot has."""
        return tuple(side for side in SIDES if self.arms in (side, "both"))


class OperatorDoubleNode(StackNode[Parameters]):
    """Eyes on the world, hands on the wire."""

    def __init__(self) -> None:
        super().__init__("operator_double", Parameters)
        name = self.params.calibration
        self._calibration = load_calibration(calibration_path(name))
        self._robot = RobotState(self.params.sides, self._calibration)
        self._hands, self._sim = HumanLikeHands(self.params.seed), None
        self._policy: Policy | None = None
        self._demonstrating = self._hidden = False
        self._sequence = 0
        self._followed_s = self._let_go_until_s = 0.0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.create_subscription(SimState, "sim/state", self._on_sim, qos.SENSOR)
        self.create_subscription(HandActionChunk, "hand_action_chunk", self._on_chunk, qos.CHUNK)
        self._polled = PolledTopics(self, "robot")
        self._joints = JointTopics(self._polled, self.params.sides)
        for name, callback in {"begin": self._on_begin, "end": self._on_end, "hide": self._on_hide}.items():
            self.create_service(Trigger, f"~/{name}", callback)
        self.create_timer(_LOOK_PERIOD_S, self._look)
        self._sending = threading.Event()
        self._thread: WatchedThread | None = None

    def setup(self) -> None:
        """Learn the task, and begin to show hands; thinking must not make them stutter."""
        policy = create_policy(self.params.policy)
        policy.warm_up()
        self._policy = policy
        self._sending.set()
        self._thread = WatchedThread(self._send_all, name="hands", should_run=self._sending.is_set)
        self._thread.start()

    def teardown(self) -> None:
        """Show hands no more."""
        self._sending.clear()
        if self._thread is not None:
            self._thread.join(timeout=1.0)
            self._thread = None

    def _send_all(self) -> None:
        ticker = Ticker(1.0 / self.params.rate_hz)
        while self._sending.is_set():
            self._send()
            ticker.wait()

    def _on_sim(self, message: SimState) -> None:
        self._sim = message

    def _on_chunk(self, _: HandActionChunk) -> None:
        self._followed_s = self._now_s()

    def _now_s(self) -> float:
        return float(self.get_clock().now().nanoseconds * 1e-9)

    def _on_begin(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._policy is not None:
            self._policy.reset()
        self._hands.stay()
        self._demonstrating, self._hidden = True, False
        response.success, response.message = True, "demonstrating"
        return response

    def _on_end(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._demonstrating = False
        response.success, response.message = True, "hands off"
        return response

    def _on_hide(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Hide the hands from the tracker, or show them again."""
        self._hidden = not self._hidden
        response.success, response.message = True, "hidden" if self._hidden else "visible"
        return response

    def _look(self) -> None:
        self._joints.fetch(self._robot)
        stamp_s = self._robot.newest_common_s
        if self._policy is None or self._sim is None or stamp_s is None or not self._demonstrating:
            return
        hands = self._robot.at(stamp_s)
        if not hands.valid.any():
            return
        observation = Observation(
            stamp_s, self._sim.task, None, np.eye(3), np.ones(2), hands.state, hands.valid, hands.valid,
            extras=extras_of(self._sim) | {boundary.BASE_FROM_CAMERA: self._calibration.base_from_head_camera},
        )  # fmt: skip
        try:
            self._hands.follow(stamp_s, hands.state, self._policy.infer(observation))
        except VitraError as error:
            self.get_logger().error(str(error), throttle_duration_sec=2.0)

    def _send(self) -> None:
        now_s = self._now_s()
        if self._demonstrating and now_s - max(self._followed_s, self._let_go_until_s) > _PATIENCE_S:
            self._let_go_until_s = now_s + _LET_GO_S
        engage = self._demonstrating and now_s >= self._let_go_until_s
        hands = self._hands.at(now_s, engage)
        if self._hidden:
            hands = {side: {"valid": False} for side in hands}
        self._sequence += 1
        self._socket.sendto(encode(self._sequence, now_s, hands), (self.params.host, self.params.port))


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(OperatorDoubleNode, args)


if __name__ == "__main__":
    sys.exit(main())
