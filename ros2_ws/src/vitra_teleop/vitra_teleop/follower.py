"""Moves wrist and fingers towards targets no faster than allowed, and looks ahead as a chunk has to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitra_policy.transforms import interpolate_pose, rotation_angle
from vitra_teleop.hands import Array


@dataclass(frozen=True, slots=True)
class SpeedLimits:
    """Of what is asked of the robot; the guard in the drivers has its own."""

    wrist_m_s: float = 0.5
    wrist_rad_s: float = 1.5
    fingers_rad_s: float = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class HandPose:
    """Where a robot hand is, or should be."""

    wrist: Array
    """(4, 4) in the camera frame."""
    joints_rad: Array
    """(12,) XHand joints, vendor order."""


class Follower:
    """State of one commanded hand.

    Args:
        start: where the robot is.
        limits: speeds.
    """

    def __init__(self, start: HandPose, limits: SpeedLimits) -> None:
        self.pose, self._limits = start, limits

    def advance(self, target: HandPose, duration_s: float) -> None:
        """Time has passed, on the way to a target."""
        wrists, joints = self._towards(target, np.array([duration_s]))
        self.pose = HandPose(wrists[0], joints[0])

    def ahead(self, target: HandPose, steps: int, step_s: float) -> tuple[Array, Array]:
        """Wrist poses (steps, 4, 4) and joints (steps, 12) of the coming steps, if the target stays.

        Args:
            target: Where the operator's hand wants the robot's.
            steps: How many.
            step_s: Duration of each.
        """
        return self._towards(target, step_s * np.arange(1, steps + 1, dtype=np.float64))

    def _towards(self, target: HandPose, times_s: Array) -> tuple[Array, Array]:
        """Wrist (n, 4, 4) and joints (n, 12) after each time: straight to the target, at the limits, then at rest."""
        wrist, limits = self.pose.wrist, self._limits
        distance = float(np.linalg.norm(target.wrist[:3, 3] - wrist[:3, 3]))
        angle = float(rotation_angle(target.wrist[:3, :3] @ wrist[:3, :3].T))
        needed_s = max(distance / limits.wrist_m_s, angle / limits.wrist_rad_s, 1e-9)
        wrists = interpolate_pose(wrist, target.wrist, np.minimum(times_s / needed_s, 1.0))
        most = limits.fingers_rad_s * times_s[:, None]
        return wrists, self.pose.joints_rad + np.clip(target.joints_rad - self.pose.joints_rad, -most, most)
