"""The robot's joint states, read in batches by whoever needs the measured hands."""

from __future__ import annotations

from collections.abc import Iterable

from sensor_msgs.msg import JointState

from vitra_policy.action_space import Side
from vitra_runtime import qos
from vitra_runtime.polling import PolledTopics
from vitra_runtime.timing import stamp_to_s
from vitra_teleop.robot_state import RobotState


class JointTopics:
    """`{side}_arm/joint_states` and `{side}_hand/joint_states`, waiting in the middleware.

    Args:
        polled: what they are subscribed with.
        sides: sides the robot has.
    """

    def __init__(self, polled: PolledTopics, sides: Iterable[Side]) -> None:
        streams = [f"{side}_{part}" for side in sides for part in ("arm", "hand")]
        self._topics = {s: polled.subscribe(JointState, f"{s}/joint_states", qos.RECORD) for s in streams}

    def fetch(self, robot: RobotState) -> None:
        """Give a robot what has come since the last time."""
        for stream, topic in self._topics.items():
            for message, _ in topic.take():
                robot.add(stream, stamp_to_s(message.header.stamp), message.name, message.position)
