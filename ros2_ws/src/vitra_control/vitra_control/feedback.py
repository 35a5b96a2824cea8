"""Joint feedback that costs nothing until somebody asks for it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import JointState

from vitra_control.setpoints import Feedback
from vitra_description.hand_description import HandDescription
from vitra_description.hands.xhand1 import XHAND1
from vitra_description.names import arm_joints
from vitra_policy.action_space import Side
from vitra_runtime import qos
from vitra_runtime.polling import PolledTopic, PolledTopics
from vitra_runtime.timing import stamp_to_s

_MAX_LEAD_S = 0.002
"""How far ahead of its receipt a measurement may be stamped; farther, the clock was set back since."""


class LatestJoints:
    """The newest JointState of one device: of 300 messages a second and side, 20 are looked at."""

    def __init__(self, topic: PolledTopic, names: Sequence[str]) -> None:
        self._topic, self._names = topic, list(names)
        self._position: NDArray[np.float64] | None = None
        self._stamp_s = 0.0

    def read(self) -> tuple[NDArray[np.float64], float] | None:
        """Joint positions in the order of the names, and their age; None before the first complete message."""
        for message, _ in self._topic.take():
            self._keep(message)
        if self._position is None:
            return None
        age_s = time.time() - self._stamp_s
        return self._position, age_s if age_s >= -_MAX_LEAD_S else float("inf")

    def _keep(self, message: JointState) -> None:
        position = np.asarray(message.position, dtype=np.float64)
        if message.name != self._names:
            index = {name: i for i, name in enumerate(message.name)}
            if not all(name in index for name in self._names):
                return
            position = position[[index[name] for name in self._names]]
        if position.shape == (len(self._names),) and np.isfinite(position).all():
            self._position, self._stamp_s = position, stamp_to_s(message.header.stamp)


class JointFeedback:
    """Feedback of all driven sides.

    Args:
        parent: Node whose names, namespace and remaps are used.
        sides: Driven sides.
        hand: The kind of hands.
    """

    def __init__(
        self,
        parent: Node,
        sides: Sequence[Side],
        context: Context | None = None,
        hand: HandDescription = XHAND1,
    ) -> None:
        self._topics = PolledTopics(parent, "feedback", context)

        def latest(topic: str, names: Sequence[str]) -> LatestJoints:
            return LatestJoints(self._topics.subscribe(JointState, topic, qos.SETPOINT), names)

        self._arms = {side: latest(f"{side}_arm/joint_states", arm_joints(side)) for side in sides}
        self._hands = {side: latest(f"{side}_hand/joint_states", hand.joint_names(side)) for side in sides}
        self._held: dict[str, NDArray[np.float64] | None] = {}

    def holds(self, device: str, held_rad: Sequence[float]) -> None:
        """A driver says what its controller holds; empty: it does not know."""
        self._held[device] = np.array(held_rad, dtype=np.float64) if len(held_rad) else None

    def __call__(self, side: Side) -> Feedback | None:
        """The newest measured joints of a side; None until arm and hand have reported."""
        arm, hand = self._arms[side].read(), self._hands[side].read()
        if arm is None or hand is None:
            return None
        held = self._held.get(f"{side}_arm"), self._held.get(f"{side}_hand")
        return Feedback(arm[0], hand[0], max(arm[1], hand[1]), *held)

    def close(self) -> None:
        """Give the subscriptions back."""
        self._topics.close()
