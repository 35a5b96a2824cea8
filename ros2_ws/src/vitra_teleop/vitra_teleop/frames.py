"""Axes of the trackers that people use, in the robot's words."""

from __future__ import annotations

import numpy as np

from vitra_description.calibration import Calibration
from vitra_policy.errors import UnknownNameError
from vitra_teleop.hands import Array

_BASE_FROM: dict[str, Array] = {
    "base": np.eye(3),
    "openxr": np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    "z_up": np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "webcam": np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
}
AXES = ("head_camera", *_BASE_FROM)
"""head_camera: the robot's own; base: x ahead, y left, z up; openxr: x right, y up, z back; z_up: x right, y ahead,
z up; webcam: optical axes of a camera that looks at the operator. The operator faces as the robot does."""


def camera_from_tracker(axes: str, calibration: Calibration) -> Array:
    """Rotation (3, 3) of a tracker's axes into the head camera's optical frame.

    Raises:
        UnknownNameError: no such axes.
    """
    if axes == "head_camera":
        return np.eye(3)
    if axes not in _BASE_FROM:
        raise UnknownNameError("tracker axes", axes, AXES)
    return np.asarray(calibration.base_from_head_camera[:3, :3].T @ _BASE_FROM[axes])
