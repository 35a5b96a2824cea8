"""Wrist poses as the head camera would see them, from arm joints and the calibration."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from vitra_description.calibration import Calibration, Pose
from vitra_description.kinematics import ArmModel
from vitra_description.names import ArmVariant


class ObservedWrist:
    """`camera_from_hand_mount` of the given sides; use one per thread.

    Args:
        calibration: Where arms, hands and camera are.
        sides: The sides the robot has.
        variant: Arm variant, `6f` or `b`.
    """

    def __init__(self, calibration: Calibration, sides: Iterable[str], variant: str = ArmVariant.RM75_6F) -> None:
        self._camera_from_base = {side: calibration.head_camera_from_arm_base(side) for side in sides}
        self._arms = {side: ArmModel(variant, calibration.side(side)) for side in self._camera_from_base}

    def __call__(self, side: str, q_rad: ArrayLike) -> Pose:
        """Pose of the MANO wrist in the optical frame, shape (4, 4), for arm joints (7,)."""
        return np.asarray(self._camera_from_base[side] @ self._arms[side].wrist_pose(q_rad))
