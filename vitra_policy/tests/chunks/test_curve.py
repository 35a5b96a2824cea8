"""The curve through one chunk: through every step, smooth, never beyond neighbours, at rest in the end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_policy.chunks.curve import WRIST_AND_HAND, Curve, Layout, StepsError, TimedSteps
from vitra_policy.transforms import (
    matrix_from_quaternion,
    quaternion_from_matrix,
    quaternion_from_rotvec,
    rotation_angle,
    slerp_rotation,
)

STEP_S, STOP_S = 1 / 30, 0.15
SCALAR = Layout(width=1)


def chunk(values: object, stamp_s: float = 10.0, sequence: int = 1) -> TimedSteps:
    return TimedSteps(sequence, stamp_s, STEP_S, np.asarray(values, dtype=np.float64))


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_the_curve_goes_through_every_step_at_its_time(values: list[float]) -> None:
    curve = Curve(chunk([[v] for v in values]), SCALAR, STOP_S)
    shown = [curve.value(10.0 + (k + 1) * STEP_S)[0] for k in range(len(values))]
    np.testing.assert_allclose(shown, values, atol=1e-6)


@given(st.lists(st.floats(-2, 2), min_size=2, max_size=12))
def test_between_two_steps_the_curve_never_leaves_their_range(values: list[float]) -> None:
    curve = Curve(chunk([[v] for v in values]), SCALAR, STOP_S)
    for k in range(len(values) - 1):
        low, high = sorted(values[k : k + 2])
        times = 10.0 + (k + 1 + np.linspace(0, 1, 9)) * STEP_S
        shown = np.array([curve.value(t)[0] for t in times])
        assert shown.min() >= low - 1e-9
        assert shown.max() <= high + 1e-9


@settings(deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=12))
def test_the_velocity_is_continuous_and_is_the_derivative_of_the_value(values: list[float]) -> None:
    curve = Curve(chunk([[v] for v in values]), SCALAR, STOP_S)
    breaks = [10.0 + (k + 1) * STEP_S for k in range(len(values))] + [curve.rest_s]
    for t in breaks:
        np.testing.assert_allclose(curve.velocity(t - 1e-9), curve.velocity(t + 1e-9), atol=1e-3)
    for t in np.linspace(10.0, curve.rest_s + 0.05, 19):
        slope = (curve.value(t + 1e-6) - curve.value(t - 1e-6)) / 2e-6
        np.testing.assert_allclose(curve.velocity(t), slope, atol=0.05)


def test_after_the_last_step_the_curve_slows_down_and_stays() -> None:
    curve = Curve(chunk([[0.1], [0.2], [0.3]]), SCALAR, STOP_S)
    speed = 0.1 / STEP_S
    end = curve.value(curve.rest_s)[0]
    assert end == pytest.approx(0.3 + speed * STOP_S / 3)
    assert curve.value(curve.rest_s + 5.0)[0] == pytest.approx(end)
    assert curve.velocity(curve.rest_s + 5.0)[0] == 0.0


@settings(deadline=None)
@given(st.lists(st.floats(-0.25, 0.25), min_size=3, max_size=3), st.floats(0, 1))
def test_rotations_follow_slerp(step_rad: list[float], fraction: float) -> None:
    axis_angle = np.array(step_rad)
    quaternions = np.stack([quaternion_from_rotvec(axis_angle * k) * (-1) ** k for k in range(4)])
    curve = Curve(chunk(quaternions), Layout(4, (0,)), STOP_S)
    value = curve.value(10.0 + (2 + fraction) * STEP_S)
    R1, R2 = matrix_from_quaternion(quaternions[1]), matrix_from_quaternion(quaternions[2])
    expected = slerp_rotation(R1, R2, fraction)
    assert rotation_angle(matrix_from_quaternion(value) @ expected.T) < 1.1e-3  # at 0.43 rad a step; grows as its cube


def test_the_sign_of_a_quaternion_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(6, 19))
    flipped = rows.copy()
    flipped[::2, 3:7] *= -1.0
    one, other = Curve(chunk(rows), WRIST_AND_HAND, STOP_S), Curve(chunk(flipped), WRIST_AND_HAND, STOP_S)
    for t in np.linspace(10.0, one.rest_s, 20):
        R = [matrix_from_quaternion(c.value(t)[3:7]) for c in (one, other)]
        np.testing.assert_allclose(R[0], R[1], atol=1e-9)
        np.testing.assert_allclose(quaternion_from_matrix(R[0]), quaternion_from_matrix(R[1]), atol=1e-9)


@pytest.mark.parametrize(
    ("values", "step_s", "stamp_s", "words"),
    [
        (np.zeros((0, 19)), STEP_S, 1.0, "shape"),
        (np.zeros((3, 18)), STEP_S, 1.0, "19"),
        (np.zeros(19), STEP_S, 1.0, "shape"),
        (np.full((3, 19), np.nan), STEP_S, 1.0, "finite"),
        (np.ones((3, 19)), STEP_S, np.inf, "finite"),
        (np.ones((3, 19)), 0.0, 1.0, "positive"),
        (np.ones((3, 19)), np.nan, 1.0, "positive"),
    ],
)
def test_a_chunk_no_curve_fits_is_refused(values: np.ndarray, step_s: float, stamp_s: float, words: str) -> None:
    with pytest.raises(StepsError, match=words):
        Curve(TimedSteps(7, stamp_s, step_s, values), WRIST_AND_HAND, STOP_S)


def test_the_speed_of_a_normalised_quaternion_is_that_of_what_is_shown() -> None:
    layout, rng, step = Layout(width=5, quaternions=(1,)), np.random.default_rng(0), 1e-6
    value, velocity = rng.normal(size=5) + 0.5, rng.normal(size=5)
    shown = [layout.normalise(value + sign * step * velocity) for sign in (-1.0, 1.0)]
    np.testing.assert_allclose(
        layout.normalised_velocity(value, velocity), (shown[1] - shown[0]) / (2 * step), atol=1e-6
    )


def test_a_quaternion_that_is_none_is_refused_whatever_stands_behind_it() -> None:
    layout = Layout(width=9, quaternions=(0,))
    step = np.ones(9)
    step[:4] = 0.0
    with pytest.raises(StepsError):
        Curve(TimedSteps(1, 10.0, STEP_S, np.stack([step, step])), layout, STOP_S)


def test_a_rotation_by_half_a_turn_keeps_the_sign_it_has() -> None:
    layout = Layout(width=4, quaternions=(0,))
    values = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0]])
    curve = Curve(TimedSteps(1, 0.0, 1.0, values), layout, 0.1)
    np.testing.assert_allclose(curve.value(2.0), [0.0, 1.0, 0.0, 0.0])
    np.testing.assert_allclose(curve.value(3.0), [0.0, 1.0, 0.0, 0.0])


@pytest.mark.parametrize(("reference", "sign"), [([0.0, 1.0, 0.0, 0.0], 1.0), ([-0.1, 1.0, 0.0, 0.0], -1.0)])
def test_a_rotation_is_turned_to_the_other_sign_only_where_it_is_farther(reference: list[float], sign: float) -> None:
    values = np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    curve = Curve(TimedSteps(1, 0.0, 1.0, values), Layout(width=4, quaternions=(0,)), 0.1)
    curve.align_to(np.array(reference), 1.0)
    np.testing.assert_allclose(curve.value(1.0), [sign, 0.0, 0.0, 0.0])


def test_a_quaternion_of_just_the_smallest_length_is_a_rotation_and_a_shorter_one_is_none() -> None:
    layout = Layout(width=4, quaternions=(0,))
    at_the_bound = np.array([[0.0, 0.0, 0.0, 1.0], [0.1, 0.0, 0.0, 0.0]])
    Curve(TimedSteps(1, 0.0, 1.0, at_the_bound), layout, 0.1)
    with pytest.raises(StepsError, match=r"quaternion of step 1 has length 0.0999, must be at least 0.1"):
        Curve(TimedSteps(1, 0.0, 1.0, at_the_bound * [[1.0], [0.999]]), layout, 0.1)


def test_before_the_first_step_the_curve_is_a_straight_line_back_to_the_observation() -> None:
    curve = Curve(TimedSteps(1, 10.0, 0.5, np.array([[1.0], [2.0], [2.5], [2.6]])), SCALAR, STOP_S)
    for time_s, value in ((9.5, -1.0), (10.0, 0.0), (10.25, 0.5), (10.5, 1.0)):
        assert curve.value(time_s)[0] == pytest.approx(value)
        assert curve.velocity(time_s)[0] == pytest.approx(2.0)


def test_where_two_slopes_meet_the_speed_is_their_harmonic_mean_and_nothing_where_it_turns() -> None:
    curve = Curve(TimedSteps(1, 0.0, 0.5, np.array([[0.0], [1.0], [4.0], [3.0]])), SCALAR, STOP_S)
    assert curve.velocity(1.0)[0] == pytest.approx(2 * 1.0 * 3.0 / (1.0 + 3.0) / 0.5)
    assert curve.velocity(1.5)[0] == 0.0


def test_from_the_moment_of_rest_on_the_curve_stands_still_exactly() -> None:
    rng = np.random.default_rng(3)
    for stop_s in rng.uniform(0.05, 0.5, 20):
        curve = Curve(chunk(rng.normal(size=(4, 9))), Layout(width=9), stop_s)
        np.testing.assert_array_equal(curve.velocity(curve.rest_s), np.zeros(9))
        assert np.abs(curve.velocity(curve.rest_s - 0.01)).min() > 0.0


def test_a_time_lies_in_the_chunk_between_its_observation_and_its_last_step() -> None:
    curve = Curve(TimedSteps(1, 10.0, 0.5, np.zeros((4, 1))), SCALAR, STOP_S)
    for time_s, steps in ((9.0, 0.0), (10.0, 0.0), (10.25, 0.5), (11.5, 3.0), (12.0, 4.0), (99.0, 4.0)):
        assert curve.position_steps(time_s) == steps
