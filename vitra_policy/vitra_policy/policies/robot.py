"""The robot's kinematics, where a policy needs them; brought by an installed package, so that no policy needs one.

[project.entry-points."vitra_policy.robots"]
vitra = "vitra_description.robot_kinematics:make_robot"
"""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.action_space import Side
from vitra_policy.errors import UnknownNameError, VitraError
from vitra_policy.extension_point import ExtensionPoint

FloatArray = NDArray[np.float64]
ROBOTS = ExtensionPoint("robot", "vitra_policy.robots", help="Run `make setup` again.")


class RobotUnknownError(VitraError):
    """A policy needs kinematics that nobody brings."""


class RobotKinematics(Protocol):
    """Two arms with hands and a head camera; joints in radians, poses (4, 4) in metres. One thread at a time."""

    def camera_from_arm_base(self, side: Side) -> FloatArray:
        """Where an arm stands."""
        ...

    def camera_from_wrist(self, side: Side, arm_rad: ArrayLike) -> FloatArray:
        """Wrist of arm joints (7,)."""
        ...

    def arm_for_wrist(self, side: Side, camera_from_wrist: ArrayLike, seed_rad: ArrayLike) -> FloatArray:
        """Arm joints (7,) near the seed that bring the wrist there, or as near as it gets.

        Args:
            side: Which arm.
            camera_from_wrist: Pose (4, 4) in the camera.
            seed_rad: Joints (7,) to begin from.
        """
        ...

    def fingertips(self, side: Side, xhand_rad: ArrayLike) -> FloatArray:
        """Fingertips (5, 3), thumb to little finger, in the wrist frame, of hand joints (12,)."""
        ...

    def hand_for_fingertips(
        self, side: Side, fingertips_m: ArrayLike, seed_rad: ArrayLike, search: bool = False
    ) -> FloatArray:
        """Hand joints (12,) near the seed whose fingertips come nearest to (5, 3) points in the wrist frame.

        With `search` also far from the seed, where that is better.

        Args:
            side: Which hand.
            fingertips_m: Points (5, 3), thumb to little finger.
            seed_rad: Joints (12,) to begin from.
            search: Whether to look far from the seed too.
        """
        ...


def find_robot(calibration: str = "sim", arm_variant: str = "6f", name: str = "vitra") -> RobotKinematics:
    """The kinematics by name.

    Args:
        calibration: Name or path of the calibration file.
        arm_variant: Arm model.
        name: Entry point.

    Raises:
        RobotUnknownError: no installed package brings it.
        ExtensionError: the package that brings it cannot be imported.
    """
    try:
        make = ROBOTS.load(name)
    except UnknownNameError as error:
        raise RobotUnknownError(
            f"{error} This policy needs the robot's kinematics: run `make setup`, or `pip install ./urdf` beside "
            "vitra-policy."
        ) from error
    return cast("RobotKinematics", make(calibration, arm_variant))
