"""Limits of the robot that this stack was made for: RM75 arms with XHand1 hands.

They belong to the descriptions of arm and hand (`vitra_description.arms`, `vitra_description.hands`), which every part
takes them from that may meet another robot; here they have short names.
"""

from __future__ import annotations

from vitra_description.arms.rm75 import ARM_MARGIN_RAD as ARM_MARGIN_RAD
from vitra_description.arms.rm75 import ARM_MAX_ACCELERATION_RAD_S2 as ARM_MAX_ACCELERATION_RAD_S2
from vitra_description.arms.rm75 import ARM_MAX_VELOCITY_RAD_S as ARM_MAX_VELOCITY_RAD_S
from vitra_description.arms.rm75 import ARM_TELEOP_VELOCITY_RAD_S as ARM_TELEOP_VELOCITY_RAD_S
from vitra_description.arms.rm75 import RM75_6F
from vitra_description.hands.xhand1 import XHAND1
from vitra_description.joint_limits import JointLimits as JointLimits
from vitra_description.joint_limits import LimitsError as LimitsError

ARM_VENDOR_LIMITS = RM75_6F.vendor_limits
"""The tighter of URDF and SDK positions, datasheet speeds, controller acceleration."""
ARM_LIMITS = RM75_6F.limits
"""What commands to an arm must stay within: 3 deg margin, 90 deg/s, 10 rad/s^2."""
ARM_TELEOP_LIMITS = RM75_6F.planning_limits
"""As `ARM_LIMITS` at 45 deg/s: what the executor plans with, for policies and teleoperation alike."""
ARM_MAX_STEP_RAD = RM75_6F.max_step_rad
"""Largest change between two arm commands, whatever the time between."""

HAND_VENDOR_LIMITS = XHAND1.vendor_limits
HAND_LIMITS = XHAND1.limits
HAND_MAX_STEP_RAD = XHAND1.max_step_rad
