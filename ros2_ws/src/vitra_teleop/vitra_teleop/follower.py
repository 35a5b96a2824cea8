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
        self.pose = self._step(self.pose, target, duration_s)

    def ahead(self, target: HandPose, steps: int, step_s: float) -> tuple[Array, Array]:
        """Wrist poses (steps, 4, 4) and joints (steps, 12) of the coming steps, if the target stays."""
        pose, wrists, joints = self.pose, [], []
        for _ in range(steps):
            pose = self._step(pose, target, step_s)
            wrists.append(pose.wrist)
            joints.append(pose.joints_rad)
        return np.stack(wrists), np.stack(joints)

    def _step(self, pose: HandPose, target: HandPose, duration_s: float) -> HandPose:
        distance = float(np.linalg.norm(target.wrist[:3, 3] - pose.wrist[:3, 3]))
        angle = float(rotation_angle(target.wrist[:3, :3] @ pose.wrist[:3, :3].T))
        limits = self._limits
        needed_s = max(distance / limits.wrist_m_s, angle / limits.wrist_rad_s)
        wrist = target.wrist
        if needed_s > duration_s:
            wrist = interpolate_pose(pose.wrist, target.wrist, np.asarray(duration_s / needed_s))
        most = limits.fingers_rad_s * duration_s
        joints = pose.joints_rad + np.clip(target.joints_rad - pose.joints_rad, -most, most)
        return HandPose(wrist, joints)
