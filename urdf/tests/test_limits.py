"""Limits: the stack's are inside the vendor's, and contradictions are refused."""

import numpy as np
import pytest

from vitra_description.limits import (
    ARM_LIMITS,
    ARM_MAX_ACCELERATION_RAD_S2,
    ARM_TELEOP_LIMITS,
    ARM_VENDOR_LIMITS,
    HAND_LIMITS,
    HAND_VENDOR_LIMITS,
    JointLimits,
    LimitsError,
)
from vitra_description.postures import home, open_hand


@pytest.mark.parametrize(
    ("ours", "vendor"),
    [(ARM_LIMITS, ARM_VENDOR_LIMITS), (ARM_TELEOP_LIMITS, ARM_LIMITS), (HAND_LIMITS, HAND_VENDOR_LIMITS)],
)
def test_our_limits_are_inside_the_vendors(ours: JointLimits, vendor: JointLimits) -> None:
    assert np.all(ours.lower_rad >= vendor.lower_rad)
    assert np.all(ours.upper_rad <= vendor.upper_rad)
    assert np.all(ours.velocity_rad_s <= vendor.velocity_rad_s)
    assert np.all(ours.acceleration_rad_s2 <= vendor.acceleration_rad_s2)


def test_the_arm_keeps_three_degrees_and_stops_within_a_tenth_of_a_second() -> None:
    np.testing.assert_allclose(np.rad2deg(ARM_LIMITS.lower_rad - ARM_VENDOR_LIMITS.lower_rad), 3.0)
    assert 0.8 / ARM_MAX_ACCELERATION_RAD_S2 <= 0.1


def test_named_postures_are_within_limits() -> None:
    for side in ("left", "right"):
        assert ARM_LIMITS.with_margin(0.5).contains(home(side))
    assert HAND_LIMITS.contains(open_hand())


@pytest.mark.parametrize(
    ("lower", "upper", "velocity"),
    [([0, 1], [1, 1], 1), ([0, 0], [1, 1], 0), ([0, 0], [1, 1], np.nan), ([0, np.nan], [1, 1], 1)],
)
def test_contradicting_limits_are_refused(lower: list, upper: list, velocity: float) -> None:
    with pytest.raises(LimitsError):
        JointLimits.build(lower, upper, velocity, 1.0)


def test_limits_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        ARM_LIMITS.lower_rad[0] = 0.0
