"""Limits by construction, whatever is asked; close following of what the limits allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_control.joint_follower import JointFollower, common_share
from vitra_description.limits import JointLimits

PERIOD_S, JERK = 0.005, 400.0
LIMITS = JointLimits.build([-1.0, -1.0], [1.0, 1.0], 0.8, 8.0)


def follower(start: float = 0.0) -> JointFollower:
    made = JointFollower(LIMITS, JERK, PERIOD_S)
    made.reset([start, start])
    return made


def rates(path: np.ndarray) -> tuple[float, float, float]:
    """Largest velocity, acceleration and jerk of setpoints (T, dof)."""
    velocity = np.diff(path, axis=0) / PERIOD_S
    acceleration = np.diff(velocity, axis=0) / PERIOD_S
    jerk = np.diff(acceleration, axis=0) / PERIOD_S
    return tuple(float(np.abs(x).max()) for x in (velocity, acceleration, jerk))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), scale=st.floats(0.1, 30.0), start=st.floats(-1.0, 1.0), hold=st.integers(1, 60))
def test_limits_hold_whatever_is_asked(seed: int, scale: float, start: float, hold: int) -> None:
    rng = np.random.default_rng(seed)
    made, shown = follower(start), [np.full(2, start)] * 3
    for k in range(250):
        if k % hold == 0:
            wanted = rng.normal(0, scale, 2)
        shown.append(made.brake() if k % 97 == 96 else made.move(wanted))
    velocity, acceleration, jerk = rates(np.array(shown))
    assert np.abs(shown).max() <= 1.0 + 1e-9
    assert velocity <= 0.8 + 1e-9
    assert acceleration <= 8.0 * (1 + 1e-6)
    assert jerk <= JERK * (1 + 1e-6)


def test_a_moving_target_is_followed_without_lag_beyond_the_mean() -> None:
    t = np.arange(0, 3, PERIOD_S)
    path = 0.3 * np.sin(2 * np.pi * 0.35 * t) * (1 - np.exp(-2 * t))
    made, shown = follower(), []
    for before, now in zip(path[:-1], path[1:], strict=True):
        gap, rate = before - made.planned_rad, np.full(2, (now - before) / PERIOD_S)
        shown.append(made.follow(gap, rate)[0])
    late = np.interp(t[1:] - made.delay_s, t, path)
    assert np.abs(shown - late)[50:].max() < 2e-4


@pytest.mark.parametrize("goal", [-1.0, 0.37, 1.0])
def test_an_approach_ends_at_its_goal_without_overshoot(goal: float) -> None:
    made = follower()
    shown = np.array([made.approach([goal, goal / 3]) for _ in range(700)])
    np.testing.assert_allclose(shown[-1], [goal, goal / 3], atol=1e-9)
    assert np.abs(shown[:, 0]).max() <= abs(goal) + 1e-9
    assert made.at_rest
    np.testing.assert_allclose(shown[:, 1] * 3, shown[:, 0], atol=1e-9), "a straight line"


def test_it_stops_at_a_position_limit_that_is_run_at() -> None:
    made = follower()
    shown = np.array([made.move(np.array([5.0, -5.0])) for _ in range(600)])
    np.testing.assert_allclose(shown[-1], [1.0, -1.0], atol=1e-4)
    assert np.abs(shown).max() <= 1.0


def test_braking_stops_all_joints_together_and_keeps_their_direction() -> None:
    made = follower()
    for _ in range(40):
        made.move(np.array([0.8, 0.2]))
    moving = made.planned_rad_s.copy()
    while not made.at_rest:
        made.brake()
        left = made.planned_rad_s
        assert left[0] * moving[1] == pytest.approx(left[1] * moving[0], abs=1e-12)


def test_one_share_serves_all_joints_or_none() -> None:
    base, rate = np.zeros(2), np.array([1.0, -2.0])
    assert common_share(base, rate, np.array([-1.0, -1.0]), np.array([1.0, 1.0])) == (-0.5, 0.5)
    least, most = common_share(base, rate, np.array([0.5, -1.0]), np.array([1.0, -0.9]))
    assert (least, most) == (0.5, 0.5)
    least, most = common_share(base, rate, np.array([0.8, -1.0]), np.array([1.0, 1.0]))
    assert least > most
    least, most = common_share(np.array([0.0, 3.0]), np.array([1.0, 0.0]), -np.ones(2), np.ones(2))
    assert least > most, "a joint that stands out of its range is served by no share"
