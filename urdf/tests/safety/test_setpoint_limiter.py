"""The limiter before the wire: what is within reach passes, all else is caught up with inside the limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_description.limits import ARM_LIMITS, JointLimits
from vitra_safety.setpoint_limiter import SetpointLimiter

PERIOD_S = 0.005


def limiter() -> SetpointLimiter:
    made = SetpointLimiter(ARM_LIMITS, PERIOD_S)
    made.rest_at(np.zeros(7))
    return made


def test_a_path_within_limits_passes_unchanged() -> None:
    under_test = limiter()
    before = np.zeros(7)
    for i in range(400):
        target = np.full(7, 0.2 * (1 - np.cos(4 * i * PERIOD_S)))
        assert under_test.follow(target, (target - before) / PERIOD_S) is target
        before = target


@pytest.mark.parametrize("leap_rad", [0.02, -0.3])
def test_a_leap_is_caught_up_with_without_overshooting_much(leap_rad: float) -> None:
    under_test = limiter()
    target = np.full(7, leap_rad)
    path = [under_test.follow(target, np.zeros(7))[0] for _ in range(200)]
    assert path[-1] == pytest.approx(leap_rad, abs=1e-9)
    assert np.abs(path).max() <= abs(leap_rad) * 1.02 + 1e-4


def test_it_never_leaves_the_position_limits_but_comes_back_from_outside() -> None:
    under_test = limiter()
    outside = ARM_LIMITS.upper_rad + 0.05
    under_test.rest_at(outside)
    path = [under_test.follow(ARM_LIMITS.upper_rad - 0.01, np.zeros(7)) for _ in range(200)]
    assert all((q <= outside + 1e-12).all() for q in path)
    np.testing.assert_allclose(path[-1], ARM_LIMITS.upper_rad - 0.01)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(-1.0, 1.0), st.floats(-3.0, 3.0)), min_size=1, max_size=80))
def test_whatever_the_targets_every_setpoint_keeps_velocity_and_acceleration(targets: list) -> None:
    under_test = limiter()
    path = [np.zeros(7), np.zeros(7)]
    for target, velocity in targets:
        path.append(under_test.follow(np.full(7, target), np.full(7, velocity)).copy())
    velocity = np.diff(np.array(path), axis=0) / PERIOD_S
    acceleration = np.diff(velocity, axis=0) / PERIOD_S
    assert (np.abs(velocity) <= ARM_LIMITS.velocity_rad_s * 1.05 + 1e-9).all()
    assert (np.abs(acceleration) <= ARM_LIMITS.acceleration_rad_s2 * 1.1 + 1e-6).all()


def test_what_is_within_five_hundredths_of_the_limits_passes_and_no_more() -> None:
    fastest, hardest = float(ARM_LIMITS.velocity_rad_s[0]), float(ARM_LIMITS.acceleration_rad_s2[0])
    for share, passes in ((1.049, True), (1.051, False)):
        under_test = limiter()
        target = np.full(7, share * hardest * PERIOD_S**2)
        assert (under_test.follow(target, np.zeros(7)) is target) is passes
        under_test.rest_at(np.zeros(7))
        under_test.velocity_rad_s = np.full(7, fastest * share)
        target = np.full(7, fastest * share * PERIOD_S)
        assert (under_test.follow(target, np.full(7, fastest)) is target) is passes


def test_catching_up_uses_all_speed_and_acceleration_and_half_of_it_to_brake() -> None:
    under_test = limiter()
    path = np.array([under_test.follow(np.full(7, 1.0), np.zeros(7)) for _ in range(120)])
    velocity = np.diff(path, axis=0, prepend=np.zeros((1, 7))) / PERIOD_S
    acceleration = np.diff(velocity, axis=0, prepend=np.zeros((1, 7))) / PERIOD_S
    np.testing.assert_allclose(velocity.max(axis=0), ARM_LIMITS.velocity_rad_s)
    np.testing.assert_allclose(acceleration.max(axis=0), ARM_LIMITS.acceleration_rad_s2)
    np.testing.assert_allclose(-acceleration.min(axis=0), 0.5 * ARM_LIMITS.acceleration_rad_s2, rtol=0.02)


def test_a_target_that_moves_is_followed_at_its_own_speed_once_it_is_reached() -> None:
    under_test, speed = limiter(), np.full(7, 0.5)
    for i in range(200):
        target = 0.1 + speed * i * PERIOD_S
        sent = under_test.follow(target, speed)
    np.testing.assert_allclose(sent, target)
    np.testing.assert_allclose(under_test.velocity_rad_s, speed)


def test_a_setpoint_of_the_callers_own_counts_as_sent() -> None:
    under_test = limiter()
    under_test.sent(np.full(7, 0.001))
    np.testing.assert_allclose(under_test.velocity_rad_s, 0.2)
    np.testing.assert_allclose(under_test.position_rad, 0.001)


@pytest.mark.parametrize(("velocity_rad_s", "passes"), [(1.0, True), (1.0 + 2.0**-40, False), (-1.0, True)])
def test_exactly_the_fastest_and_the_hardest_still_pass(velocity_rad_s: float, passes: bool) -> None:
    """One period of 2^-7 s at 128 rad/s^2 gives exactly 1 rad/s."""
    limits = JointLimits.build([-3.0], [3.0], [1.0], [128.0])
    under_test = SetpointLimiter(limits, 2.0**-7, tolerance=0.0)
    under_test.rest_at(np.zeros(1))
    target = np.array([velocity_rad_s * 2.0**-7])
    assert (under_test.follow(target, np.zeros(1)) is target) is passes
