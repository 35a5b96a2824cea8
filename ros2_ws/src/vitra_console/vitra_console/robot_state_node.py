"""Where the robot is, for people's tools (RViz, Foxglove, tf2): /tf, /joint_states, /robot_description.

ros2 run vitra_console robot_state --ros-args -p arms:=right
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from vitra_console.frames.tree import Edge, calibrated_edges, urdf_edges
from vitra_description.arms import ARMS, DEFAULT_ARM
from vitra_description.calibration import calibration_path, load_calibration
from vitra_description.description import robot_description
from vitra_description.names import arm_joints
from vitra_description.postures import home, open_hand
from vitra_policy.action_space import SIDES, Side, sides_of
from vitra_runtime import qos
from vitra_runtime.node import StackNode, run
from vitra_runtime.parameters import param
from vitra_runtime.polling import PolledTopic, PolledTopics


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of `robot_state`."""

    arms: str = param("right", "Which arms are driven", choices=("right", "left", "both"))
    calibration: str = param("sim", "Calibration: a name in config/calibration, or a path ending in .yaml")
    arm_model: str = param(DEFAULT_ARM, "Kind of arms, as in the calibration", choices=tuple(ARMS.names()))
    rate_hz: float = param(20.0, "How often transforms are sent", unit="Hz", bounds=(1.0, 100.0))

    @property
    def sides(self) -> tuple[Side, ...]:
        """The arms that are driven."""
        return sides_of(self.arms)


class RobotStateNode(StackNode[Parameters]):
    """Publishes the URDF and its moving edges as the drivers measured them.

    An arm that is not driven stands at its ready posture among what is fixed, and is not in `joint_states`.
    """

    def __init__(self) -> None:
        super().__init__("robot_state", Parameters)
        self._tf = self.stream_publisher(TFMessage, "/tf", qos.recorded(100, reliable=True, latched=False))
        self._tf_static = self.stream_publisher(TFMessage, "/tf_static", qos.LATCHED)
        self._description = self.stream_publisher(String, "robot_description", qos.LATCHED)
        self._joint_states = self.stream_publisher(JointState, "joint_states", 10)
        self._polled: PolledTopics | None = None
        self._sources: list[PolledTopic] = []
        self._moving: dict[str, tuple[Edge, TransformStamped]] = {}
        self._publish_timer = self.create_timer(1.0 / self.params.rate_hz, self._publish)

    def setup(self) -> None:
        """Read the URDF with the calibration's mounting, latch what is fixed, listen to the drivers."""
        calibration = load_calibration(calibration_path(self.params.calibration))
        urdf = robot_description("both", calibration, self.params.arm_model)
        hand, fixed = calibration.hand, []
        for edge in urdf_edges(urdf):
            if edge.joint:
                self._moving[edge.joint] = (edge, _transform(edge, 0.0))
            elif (edge.parent, edge.child) not in calibrated_edges():
                fixed.append(_transform(edge, 0.0))
        fixed += [
            _turn(*self._moving.pop(name), angle)
            for side in SIDES
            if side not in self.params.sides
            for joints, posture in (
                (arm_joints(side), home(side)),
                (hand.joint_names(side), open_hand(hand)),
            )
            for name, angle in zip(joints, posture, strict=True)
        ]
        now = self.get_clock().now().to_msg()
        for transform in fixed:
            transform.header.stamp = now
        self._tf_static.publish(TFMessage(transforms=fixed))
        self._description.publish(String(data=urdf))
        self._polled = PolledTopics(self, "joints")
        for side in self.params.sides:
            for part in ("arm", "hand"):
                self._sources.append(self._polled.subscribe(JointState, f"{side}_{part}/joint_states", qos.SETPOINT))

    def teardown(self) -> None:
        """Drop the subscriptions."""
        self._sources.clear()
        self._moving.clear()
        if self._polled is not None:
            self._polled.close()
            self._polled = None

    def _publish(self) -> None:
        if self._polled is None:
            return
        whole, transforms = JointState(), []
        for source in self._sources:
            for measured, _ in source.take():
                transforms += self._measured(measured)
                whole.name.extend(measured.name)
                whole.position.extend(measured.position)
                if len(measured.velocity) == len(measured.name):
                    whole.velocity.extend(measured.velocity)
                whole.header.stamp = max(whole.header.stamp, measured.header.stamp, key=_key)
        if transforms:
            self._tf.publish(TFMessage(transforms=transforms))
        if whole.name:
            if len(whole.velocity) != len(whole.name):
                whole.velocity = []
            self._joint_states.publish(whole)

    def _measured(self, message: JointState) -> list[TransformStamped]:
        transforms = []
        for name, angle in zip(message.name, message.position, strict=True):
            transform = _turn(*self._moving[name], angle)
            transform.header.stamp = message.header.stamp
            transforms.append(transform)
        return transforms


def _transform(edge: Edge, angle_rad: float) -> TransformStamped:
    message = TransformStamped(child_frame_id=edge.child)
    message.header.frame_id = edge.parent
    to = message.transform.translation
    to.x, to.y, to.z = map(float, edge.translation_m)
    return _turn(edge, message, angle_rad)


def _turn(edge: Edge, message: TransformStamped, angle_rad: float) -> TransformStamped:
    turn: Any = message.transform.rotation
    turn.x, turn.y, turn.z, turn.w = edge.rotation_at(angle_rad)
    return message


def _key(stamp: Time) -> tuple[int, int]:
    return stamp.sec, stamp.nanosec


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(RobotStateNode, args, own_loop=False)


if __name__ == "__main__":
    sys.exit(main())
