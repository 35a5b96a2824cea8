"""Setpoints within limits, whatever the target does; close tracking where the target is within limits itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_control.smoothing import JointSmoother
from vitra_description.limits import JointLimits

PERIOD_S = 0.005
LIMITS = JointLimits.build([-1.0, -1.0], [1.0, 1.0], 0.8, 8.0)


def smoother(start: float = 0.0) -> JointSmoother:
    made = JointSmoother(LIMITS, 400.0, PERIOD_S)
    made.reset([start, start])
    return made


def follow(made: JointSmoother, path: np.ndarray) -> np.ndarray:
    """Setpoints (T, 2) for a target path (T,), with the path's own velocity."""
    rate = np.gradient(path, PERIOD_S)
    return np.array([made.track([p, p], [v, v]) for p, v in zip(path, rate, strict=True)])


def test_a_feasible_path_is_followed_closely_and_calmly() -> None:
    t = np.arange(0, 3, PERIOD_S)
    path = 0.3 * np.sin(2 * np.pi * 0.35 * t) * (1 - np.exp(-2 * t))
    shown = follow(smoother(), path)
    assert np.abs(shown[:, 0] - path)[50:].max() < np.deg2rad(0.15)
    asked, did = (np.abs(np.diff(x, 2)).max() / PERIOD_S**2 for x in (path, shown[:, 0]))
    assert did < 1.2 * asked, "no shaking around the path"


def test_it_does_not_back_off_to_gain_speed_for_a_target_that_runs_away() -> None:
    t = np.arange(0, 1, PERIOD_S)
    shown = follow(smoother(0.9), 0.9 - 1.5 * t)
    assert shown.max() <= 0.9 + 1e-6


def test_a_step_is_approached_without_overshoot() -> None:
    shown = follow(smoother(), np.concatenate([[0.0], np.full(400, 0.5)]))
    assert shown.max() <= 0.5 + 1e-3
    assert shown[-1, 0] == pytest.approx(0.5, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    scale=st.floats(0.1, 3.0),
    rate=st.floats(0.0, 3.0),
    start=st.floats(-1.0, 1.0),
    hold=st.integers(1, 40),
)
def test_limits_hold_whatever_the_target_does(seed: int, scale: float, rate: float, start: float, hold: int) -> None:
    rng = np.random.default_rng(seed)
    made = smoother(start)
    shown = [made.position_rad.copy()]
    for k in range(200):
        if k % hold == 0:
            goal, speed = rng.normal(0, scale, 2), rng.normal(0, rate, 2)
        shown.append(made.track(goal, speed) if k % 97 else made.brake())
    path = np.array(shown)
    velocity = np.diff(path, axis=0) / PERIOD_S
    acceleration = np.diff(velocity, axis=0) / PERIOD_S
    assert np.abs(path).max() <= 1.0 + 1e-6
    assert np.abs(velocity).max() <= 0.8 * 1.05
    assert np.abs(acceleration).max() <= 8.0 * 1.01


def test_braking_comes_to_rest() -> None:
    made = smoother()
    follow(made, np.linspace(0, 0.3, 100))
    assert not made.at_rest
    for _ in range(60):
        made.brake()
    assert made.at_rest


def test_an_approach_ends_at_its_goal_with_all_joints_arriving_together() -> None:
    made = smoother()
    made.set_speed(0.5)
    path = np.array([made.approach([0.8, 0.1]) for _ in range(600)])
    np.testing.assert_allclose(path[-1], [0.8, 0.1], atol=1e-6)
    assert np.abs(np.diff(path, axis=0)).max() / PERIOD_S <= 0.4 + 1e-6
    arrival = [int(np.argmax(np.abs(path[:, i] - path[-1, i]) < 1e-4)) for i in range(2)]
    assert abs(arrival[0] - arrival[1]) < 12


@pytest.mark.parametrize("goal", [-1.0, 1.0])
def test_a_goal_at_the_limit_is_reached(goal: float) -> None:
    made = smoother()
    for _ in range(800):
        made.approach([goal, goal])
    np.testing.assert_allclose(made.position_rad, [goal, goal], atol=1e-4)
