"""A stop: all joints to rest together, on their path, within their limits."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_description.limits import JointLimits
from vitra_safety.stop_profile import StopProfile

LIMITS = JointLimits.build([-1.0, -1.0], [1.0, 1.0], [2.0, 2.0], [8.0, 4.0])


def test_the_slowest_joint_sets_the_time_and_velocity_fades_evenly() -> None:
    profile = StopProfile([0.0, 0.0], [0.4, -0.8], LIMITS)
    assert profile.duration_s == pytest.approx(0.2)  # 0.8 rad/s at 4 rad/s^2
    for elapsed_s, left in ((-1.0, 1.0), (0.0, 1.0), (0.05, 0.75), (0.1, 0.5), (0.2, 0.0), (5.0, 0.0)):
        np.testing.assert_allclose(profile.velocity_rad_s(elapsed_s), np.array([0.4, -0.8]) * left, atol=1e-12)


def test_it_travels_half_of_what_its_speed_would_have_given() -> None:
    profile = StopProfile([0.1, 0.2], [0.4, -0.8], LIMITS)
    for elapsed_s, travelled_s in ((-1.0, 0.0), (0.0, 0.0), (0.1, 0.075), (0.2, 0.1), (9.0, 0.1)):
        expected = np.array([0.1, 0.2]) + np.array([0.4, -0.8]) * travelled_s
        np.testing.assert_allclose(profile.position_rad(elapsed_s), expected, atol=1e-12)


def test_it_is_done_at_its_end_and_not_before() -> None:
    profile = StopProfile([0.0, 0.0], [0.8, 0.0], LIMITS)
    assert not profile.done(0.0999)
    assert profile.done(profile.duration_s)


def test_speed_beyond_the_limit_is_cut_on_both_sides() -> None:
    profile = StopProfile([0.0, 0.0], [9.0, -9.0], LIMITS)
    np.testing.assert_allclose(profile.velocity_rad_s(0.0), [2.0, -2.0])


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_joint_near_its_limit_is_held_there_and_one_beyond_it_goes_no_further(sign: float) -> None:
    profile = StopProfile([0.99 * sign, 0.0], [2.0 * sign, 0.0], LIMITS)
    assert profile.position_rad(1.0)[0] == pytest.approx(sign)
    beyond = StopProfile([1.2 * sign, 0.0], [2.0 * sign, 0.0], LIMITS)
    assert beyond.position_rad(1.0)[0] == pytest.approx(1.2 * sign)
    back = StopProfile([1.2 * sign, 0.0], [-0.8 * sign, 0.0], LIMITS)
    assert back.position_rad(1.0)[0] == pytest.approx(1.16 * sign)
