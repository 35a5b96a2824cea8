"""Wrist and fingers moved by small steps: what keyboard and SpaceMouse have in common."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from vitra_description.postures import open_hand
from vitra_policy.transforms import make_pose, matrix_from_rotvec
from vitra_teleop.hands import Array

_PINCH = np.deg2rad([78.0, 40.0, 6.5, 0.0, 72.4, 10.8, 72.4, 10.8, 66.0, 30.0, 66.0, 30.0])
_FIST = np.deg2rad([60.0, 45.0, 40.0, 0.0, 95.0, 95.0, 95.0, 95.0, 95.0, 95.0, 95.0, 95.0])
_POINT = np.deg2rad([60.0, 45.0, 40.0, 0.0, 0.0, 0.0, 95.0, 95.0, 95.0, 95.0, 95.0, 95.0])


class Preset(StrEnum):
    """Hand postures a key can call."""

    OPEN = "open"
    PINCH = "pinch"
    FIST = "fist"
    POINT = "point"


def preset_joints(preset: Preset) -> Array:
    """XHand joints (12,) rad."""
    return {Preset.OPEN: open_hand(), Preset.PINCH: _PINCH, Preset.FIST: _FIST, Preset.POINT: _POINT}[preset].copy()


class Jog:
    """A pose that is moved in the axes of the robot's base (x ahead, y left, z up); only differences count."""

    def __init__(self) -> None:
        self.pose = np.eye(4)
        self.joints_rad = preset_joints(Preset.OPEN)

    def move(self, translation_m: Array, rotation_rad: Array) -> None:
        """Shift, and turn about the base's axes, by rotation vector.

        Args:
            translation_m: (3,) in the base's axes.
            rotation_rad: Rotation vector (3,).
        """
        turned = matrix_from_rotvec(rotation_rad) @ self.pose[:3, :3]
        self.pose = make_pose(self.pose[:3, 3] + np.asarray(translation_m), turned)

    def take(self, preset: Preset) -> None:
        """Change the hand's posture."""
        self.joints_rad = preset_joints(preset)
