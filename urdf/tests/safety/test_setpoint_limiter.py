"""The limiter before the wire: what is within reach passes, all else is caught up with inside the limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_description.limits import ARM_LIMITS
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
