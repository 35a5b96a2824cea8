"""The robot's kinematics for policies that speak of joints or fingertips (`vitra_policy.policies.robot`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.calibration import Calibration, calibration_path, load_calibration
from vitra_description.fingertip_ik import FingertipIk
from vitra_description.ik import IkSearch, solve_ik
from vitra_description.kinematics import ArmModel, HandModel
from vitra_policy.action_space import SIDES, Side
from vitra_policy.transforms import invert_pose, transform_points

Array = NDArray[np.float64]


class Robot:
    """Arms, hands and head camera of one calibration; use one per thread.

    Args:
        calibration: Where everything is.
        arm_variant: Arm model.
    """

    def __init__(self, calibration: Calibration, arm_variant: str = "6f") -> None:
        self._calibration = calibration
        self._arms = {side: ArmModel(arm_variant, calibration.side(side)) for side in SIDES}
        self._hands = {side: HandModel(side) for side in SIDES}
        self._tips = {side: FingertipIk(model) for side, model in self._hands.items()}

    def camera_from_arm_base(self, side: Side) -> Array:
        """Where an arm stands, (4, 4)."""
        return self._calibration.head_camera_from_arm_base(side)

    def camera_from_wrist(self, side: Side, arm_rad: ArrayLike) -> Array:
        """Wrist of arm joints (7,), (4, 4)."""
        return np.asarray(self.camera_from_arm_base(side) @ self._arms[side].wrist_pose(arm_rad))

    def arm_for_wrist(self, side: Side, camera_from_wrist: ArrayLike, seed_rad: ArrayLike) -> Array:
        """Arm joints (7,) near the seed that bring the wrist there, or as near as it gets.

        Args:
            side: Which arm.
            camera_from_wrist: Pose (4, 4) in the camera.
            seed_rad: Joints (7,) to begin from.
        """
        target = invert_pose(self.camera_from_arm_base(side)) @ np.asarray(camera_from_wrist)
        return solve_ik(self._arms[side], target, seed_rad, search=IkSearch(restarts=0)).position_rad

    def fingertips(self, side: Side, xhand_rad: ArrayLike) -> Array:
        """Fingertips (5, 3), thumb to little finger, in the wrist frame, of hand joints (12,)."""
        mount_from_hand = invert_pose(self._calibration.side(side).hand_base_from_hand_mount)
        return transform_points(mount_from_hand, self._hands[side].fingertips(xhand_rad))

    def hand_for_fingertips(
        self, side: Side, fingertips_m: ArrayLike, seed_rad: ArrayLike, search: bool = False
    ) -> Array:
        """Hand joints (12,) near the seed whose fingertips come nearest to (5, 3) points in the wrist frame.

        Args:
            side: Which hand.
            fingertips_m: Points (5, 3), thumb to little finger.
            seed_rad: Joints (12,) to begin from.
            search: Whether to look far from the seed too.
        """
        hand_from_mount = self._calibration.side(side).hand_base_from_hand_mount
        return self._tips[side].solve(transform_points(hand_from_mount, fingertips_m), seed_rad, search)


def make_robot(calibration: str = "sim", arm_variant: str = "6f") -> Robot:
    """The robot of a calibration by name or path.

    Raises:
        CalibrationError: the file cannot be used.
    """
    return Robot(load_calibration(calibration_path(calibration)), arm_variant)
