"""The calibration as a tree of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitra_description import names
from vitra_description.calibration import Calibration, Pose
from vitra_policy.action_space import SIDES
from vitra_policy.transforms import make_pose

_OPTICAL_FROM_BODY = make_pose(np.zeros(3), np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]))
"""A body frame (x ahead, y left, z up) in the optical frame (x right, y down, z ahead) at the same point."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One edge of the tree; `parent_from_child` has shape (4, 4), metres."""

    parent: str
    child: str
    parent_from_child: Pose


def calibration_frames(calibration: Calibration) -> tuple[Frame, ...]:
    """Every fixed transform that the calibration states; the same tree as the robot's URDF."""
    frames = [
        Frame(names.BASE_FRAME, names.CAMERA_FRAME, calibration.base_from_head_camera),
        Frame(names.CAMERA_FRAME, names.CAMERA_LINK_FRAME, _OPTICAL_FROM_BODY),
    ]
    for side in SIDES:
        extrinsics = calibration.side(side)
        frames += [
            Frame(names.BASE_FRAME, names.arm_base(side), extrinsics.base_from_arm_base),
            Frame(names.ee(side), names.hand_base(side), extrinsics.ee_from_hand_base),
            Frame(names.hand_base(side), names.hand_mount(side), extrinsics.hand_base_from_hand_mount),
        ]
    return tuple(frames)
