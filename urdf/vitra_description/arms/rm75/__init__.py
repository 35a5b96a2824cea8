"""Realman RM75: seven joints, 7.8 kg; variants differ in the distance from wrist to flange."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitra_description.arm_description import ArmDescription
from vitra_description.joint_limits import JointLimits
from vitra_description.names import ARM_DOF, ArmVariant

ARM_MARGIN_RAD = float(np.deg2rad(3.0))
"""Distance that commands keep from the vendor's position limits."""
ARM_MAX_ACCELERATION_RAD_S2 = 10.0
"""Below the controller's 600 deg/s^2 (10.47 rad/s^2); stops 0.8 rad/s in 80 ms."""
ARM_TELEOP_VELOCITY_RAD_S = float(np.deg2rad(45.0))
ARM_MAX_VELOCITY_RAD_S = float(np.deg2rad(90.0))

_FOLDER = Path(__file__).resolve().parent
_POSITION_DEG = np.array([178.0, 130.0, 178.0, 135.0, 178.0, 128.0, 360.0])
_URDF_RAD = np.array([3.106, 2.2689, 3.106, 2.356, 3.106, 2.234, 6.28])
_VELOCITY_DEG_S = np.array([180.0, 180.0, 225.0, 225.0, 225.0, 225.0, 225.0])

_VENDOR_LIMITS = JointLimits.build(
    -np.minimum(_URDF_RAD, np.deg2rad(_POSITION_DEG)),
    np.minimum(_URDF_RAD, np.deg2rad(_POSITION_DEG)),
    np.deg2rad(_VELOCITY_DEG_S),
    np.full(ARM_DOF, np.deg2rad(600.0)),
)
"""The tighter of URDF and SDK positions, datasheet speeds, controller acceleration."""


def _rm75(variant: ArmVariant) -> ArmDescription:
    return ArmDescription(
        name=variant.value,
        xacro=_FOLDER / "arm.xacro",
        urdf=_FOLDER / f"{variant.value}.urdf",
        vendor_limits=_VENDOR_LIMITS,
        limits=JointLimits.build(
            _VENDOR_LIMITS.lower_rad + ARM_MARGIN_RAD,
            _VENDOR_LIMITS.upper_rad - ARM_MARGIN_RAD,
            ARM_MAX_VELOCITY_RAD_S,
            ARM_MAX_ACCELERATION_RAD_S2,
        ),
        planning_velocity_rad_s=ARM_TELEOP_VELOCITY_RAD_S,
        max_step_rad=float(np.deg2rad(2.0)),  # the vendor's own limit is 10 deg
        # Above the table edge: elbow out and low, palm down, at least 30 deg from any limit.
        home_right_rad=np.deg2rad([68.0, 83.0, -39.0, 98.0, 92.0, -81.0, -149.0]),
        mirror=np.array([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]),
    )


RM75_6F = _rm75(ArmVariant.RM75_6F)
"""With the force sensor."""
RM75_B = _rm75(ArmVariant.RM75_B)
"""Without."""
