"""Joint limits: what the vendors state, and the safer ones that this stack commands within.

A hand's limits belong to its description (`vitra_description.hands`); those of the default hand have a name here.
"""

from __future__ import annotations

import numpy as np

from vitra_description.hands.xhand1 import XHAND1
from vitra_description.joint_limits import JointLimits as JointLimits
from vitra_description.joint_limits import LimitsError as LimitsError
from vitra_description.names import ARM_DOF

ARM_MARGIN_RAD = float(np.deg2rad(3.0))
"""Distance that commands keep from the vendor's position limits."""
ARM_MAX_ACCELERATION_RAD_S2 = 10.0
"""Below the controller's 600 deg/s^2 (10.47 rad/s^2); stops 0.8 rad/s in 80 ms."""
ARM_TELEOP_VELOCITY_RAD_S = float(np.deg2rad(45.0))
ARM_MAX_VELOCITY_RAD_S = float(np.deg2rad(90.0))

_ARM_POSITION_DEG = np.array([178.0, 130.0, 178.0, 135.0, 178.0, 128.0, 360.0])
_ARM_URDF_RAD = np.array([3.106, 2.2689, 3.106, 2.356, 3.106, 2.234, 6.28])
_ARM_VELOCITY_DEG_S = np.array([180.0, 180.0, 225.0, 225.0, 225.0, 225.0, 225.0])

ARM_VENDOR_LIMITS = JointLimits.build(
    -np.minimum(_ARM_URDF_RAD, np.deg2rad(_ARM_POSITION_DEG)),
    np.minimum(_ARM_URDF_RAD, np.deg2rad(_ARM_POSITION_DEG)),
    np.deg2rad(_ARM_VELOCITY_DEG_S),
    np.full(ARM_DOF, np.deg2rad(600.0)),
)
"""RM75: the tighter of URDF and SDK positions, datasheet speeds, controller acceleration."""

ARM_LIMITS = JointLimits.build(
    ARM_VENDOR_LIMITS.lower_rad + ARM_MARGIN_RAD,
    ARM_VENDOR_LIMITS.upper_rad - ARM_MARGIN_RAD,
    ARM_MAX_VELOCITY_RAD_S,
    ARM_MAX_ACCELERATION_RAD_S2,
)
"""What commands to an arm must stay within: 3 deg margin, 90 deg/s, 10 rad/s^2."""

ARM_TELEOP_LIMITS = ARM_LIMITS.with_velocity(ARM_TELEOP_VELOCITY_RAD_S)
"""As `ARM_LIMITS` at 45 deg/s: what the executor plans with, for policies and teleoperation alike."""

HAND_VENDOR_LIMITS = XHAND1.vendor_limits
HAND_LIMITS = XHAND1.limits
HAND_MAX_STEP_RAD = XHAND1.max_step_rad

ARM_MAX_STEP_RAD = float(np.deg2rad(2.0))
"""Largest change between two arm commands, whatever the time between (the vendor's own limit is 10 deg)."""
