"""The `teleop` node: tracked hands in, `hand_action_chunk` out, on the same way to the robot as a policy's.

ros2 run vitra_teleop teleop --ros-args -p input:=udp -p tracker_axes:=openxr -p arms:=right
"""

from __future__ import annotations

import sys
from typing import Any

from std_msgs.msg import String
from std_srvs.srv import Trigger

from vitra_description.calibration import calibration_path, load_calibration
from vitra_msgs.msg import HandActionChunk, SafetyState
from vitra_msgs.srv import SetInstruction
from vitra_policy.policies.registry import parse_options
from vitra_runtime import qos
from vitra_runtime.diagnostics import OK, WARN, DiagnosticsPublisher
from vitra_runtime.identity import new_identity
from vitra_runtime.node import StackNode, run
from vitra_runtime.polling import PolledTopics
from vitra_teleop.chunk_message import ChunkLabel, fill_chunk
from vitra_teleop.clutch import ClutchState
from vitra_teleop.frames import camera_from_tracker
from vitra_teleop.hands import Action, TeleopInput
from vitra_teleop.inputs import create_input
from vitra_teleop.joint_topics import JointTopics
from vitra_teleop.retargeting import create_retargeter
from vitra_teleop.robot_state import RobotState
from vitra_teleop.session import TeleopSession
from vitra_teleop.settings import Parameters

_SERVICES = {
    Action.START: "recorder/start",
    Action.SAVE: "recorder/save",
    Action.DISCARD: "recorder/discard",
    Action.RERECORD: "recorder/rerecord",
    Action.STOP: "safety_supervisor/stop",
}


class TeleopNode(StackNode[Parameters]):
    """Wiring; what hands mean is in `session`."""

    def __init__(self) -> None:
        super().__init__("teleop", Parameters)
        self._input: TeleopInput | None = None
        self._robot: RobotState | None = None
        self._session: TeleopSession | None = None
        self._polled: PolledTopics | None = None
        self._joints: JointTopics | None = None
        self._safety: SafetyState | None = None
        self._instruction, self._sequence, self._frames = self.params.instruction, 0, 0
        self._announced: dict[str, ClutchState] = {}
        self._identity = new_identity()
        self._chunks = self.stream_publisher(HandActionChunk, "hand_action_chunk", qos.CHUNK)
        self._instructions = self.stream_publisher(String, "instruction", qos.LATCHED)
        self._diagnostics = DiagnosticsPublisher(self)
        self.create_subscription(SafetyState, "safety_state", self._on_safety, qos.LATCHED)
        self.create_service(SetInstruction, "~/set_instruction", self._on_set_instruction)
        self._asked = {action: self.create_client(Trigger, name) for action, name in _SERVICES.items()}
        self.create_timer(1.0 / self.params.rate_hz, self._tick)
        self.create_timer(1.0, self._report)

    def setup(self) -> None:
        """Load calibration and retargeting, open the input."""
        name = self.params.calibration
        calibration = load_calibration(calibration_path(name))
        self._robot = RobotState(self.params.sides, calibration)
        self._session = TeleopSession(
            self.params.sides,
            camera_from_tracker(self.params.tracker_axes, calibration),
            create_retargeter(self.params.retargeting, calibration),
            self.params.session,
        )
        source = create_input(self.params.input, parse_options(self.params.input_options), self._now_s)
        source.open()
        self._polled = PolledTopics(self, "robot")
        self._joints = JointTopics(self._polled, self.params.sides)
        self._input = source
        self._instructions.publish(String(data=self._instruction))

    def teardown(self) -> None:
        """Close the input, hear nothing more."""
        source, self._input, self._session = self._input, None, None
        if source is not None:
            source.close()
        polled, self._polled, self._joints = self._polled, None, None
        if polled is not None:
            polled.close()

    def _now_s(self) -> float:
        return float(self.get_clock().now().nanoseconds * 1e-9)

    def _on_safety(self, message: SafetyState) -> None:
        self._safety = message

    def _refused(self) -> str:
        if not self.params.require_armed or (self._safety and self._safety.state == SafetyState.ARMED):
            return ""
        return "the robot is not armed"

    def _tick(self) -> None:
        if self._input is not None:  # also while the node reports a fault: STOP above all
            for action in self._input.poll_actions():
                self._ask(action)
        if self._session is None or self._input is None or self._robot is None or not self.is_active:
            return
        assert self._joints is not None
        self._joints.fetch(self._robot)
        frame = self._input.poll()
        if frame is not None:
            self._frames += 1
        stamp_s = self._robot.newest_common_s
        if stamp_s is None:
            return
        stale = self._now_s() - stamp_s > self.params.stale_s
        refused = self._refused() or ("the robot's joints are not heard" if stale else "")
        chunk = self._session.tick(self._now_s(), frame, self._robot.at(stamp_s), refused)
        self._announce()
        if chunk is None:
            return
        self._sequence += 1
        self._chunks.publish(
            fill_chunk(
                HandActionChunk(publisher=self._identity),
                chunk,
                label=ChunkLabel(
                    stamp_s=stamp_s,
                    sequence=self._sequence,
                    step_s=self.params.session.step_s,
                    source_id=f"teleop:{self.params.input}",
                    instruction=self._instruction,
                ),
            )  # fmt: skip
        )

    def _ask(self, action: Action) -> None:
        client = self._asked[action]
        if not client.service_is_ready():
            self.get_logger().error(f"'{action}' was asked for, but {_SERVICES[action]} is not there: nothing happened")
            return
        answer = client.call_async(Trigger.Request())
        answer.add_done_callback(lambda done: self.get_logger().info(f"{action}: {done.result().message}"))

    def _announce(self) -> None:
        """Say every change of a clutch, once."""
        assert self._session is not None
        for side, clutch in self._session.clutches.items():
            if self._announced.get(side) is clutch.state:
                continue
            self._announced[side] = clutch.state
            if clutch.state is ClutchState.LOST:
                self.get_logger().warning(f"{side}: holding, {clutch.reason}; let go and engage again")
            else:
                self.get_logger().info(f"{side}: {clutch.state}")

    def _on_set_instruction(
        self, request: SetInstruction.Request, response: SetInstruction.Response
    ) -> SetInstruction.Response:
        self._instruction = request.instruction
        self._instructions.publish(String(data=self._instruction))
        response.success, response.message = True, self._instruction
        return response

    def _report(self) -> None:
        values: dict[str, Any] = {"frames": self._frames, "chunks": self._sequence}
        lost = ""
        for side, clutch in self._session.clutches.items() if self._session else ():
            values[side] = f"{clutch.state} {clutch.reason}".strip()
            lost = lost or (f"{side}: {clutch.reason}" if clutch.state is ClutchState.LOST else "")
        mailbox = getattr(self._input, "mailbox", None)
        if mailbox is not None:
            values |= {"messages": mailbox.received, "refused": mailbox.refused, "refusal": mailbox.last_refusal}
        self._diagnostics.publish("hands", lost or "ok", values, level=WARN if lost else OK)


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(TeleopNode, args)


if __name__ == "__main__":
    sys.exit(main())
