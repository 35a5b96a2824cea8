"""Temporal ensembling: a weighted mean in which rotations are averaged as rotations."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_policy.chunks.curve import WRIST_AND_HAND, Layout, TimedSteps
from vitra_policy.chunks.ensemble import TemporalEnsemble, mean_rotation
from vitra_policy.transforms import matrix_from_quaternion, quaternion_from_rotvec, rotation_angle

STEP_S = 0.1
SCALAR = Layout(width=1)


def flat(stamp_s: float, value: float, steps: int = 4) -> TimedSteps:
    return TimedSteps(1, stamp_s, STEP_S, np.full((steps, 1), value))


def test_a_single_chunk_passes_unchanged() -> None:
    steps = TimedSteps(1, 0.0, STEP_S, np.arange(4.0)[:, None])
    np.testing.assert_allclose(TemporalEnsemble(SCALAR).merge(steps).values, steps.values)


def test_overlapping_steps_are_weighted_by_age_and_the_rest_is_the_new_chunk() -> None:
    ensemble = TemporalEnsemble(SCALAR, decay=0.5)
    ensemble.merge(flat(0.0, 0.0))
    merged = ensemble.merge(flat(0.2, 1.0))
    young = np.exp(-0.5) / (1 + np.exp(-0.5))
    np.testing.assert_allclose(merged.values[:, 0], [young, young, 1.0, 1.0])


def test_an_older_chunk_changes_nothing() -> None:
    ensemble = TemporalEnsemble(SCALAR)
    ensemble.merge(flat(1.0, 0.0))
    old = flat(0.5, 9.0)
    assert ensemble.merge(old) is old
    np.testing.assert_allclose(ensemble.merge(flat(1.05, 0.0)).values, 0.0)


def test_flush_forgets() -> None:
    ensemble = TemporalEnsemble(SCALAR)
    ensemble.merge(flat(0.0, 0.0))
    ensemble.flush()
    np.testing.assert_allclose(ensemble.merge(flat(0.2, 1.0)).values, 1.0)


def test_rotations_are_averaged_as_rotations_whatever_their_sign() -> None:
    a, b = quaternion_from_rotvec([0.0, 0.0, 2.8]), -quaternion_from_rotvec([0.0, 0.0, -2.8])
    mean = mean_rotation(np.stack([a, b]), np.array([0.5, 0.5]))
    half_turn = matrix_from_quaternion(quaternion_from_rotvec([0.0, 0.0, np.pi]))
    assert rotation_angle(matrix_from_quaternion(mean) @ half_turn.T) == pytest.approx(0.0, abs=1e-6)


def test_wrist_quaternions_stay_unit_length() -> None:
    rng = np.random.default_rng(1)
    ensemble = TemporalEnsemble(WRIST_AND_HAND)
    for k in range(4):
        merged = ensemble.merge(TimedSteps(k, 0.1 * k, STEP_S, rng.normal(size=(16, 19))))
    np.testing.assert_allclose(np.linalg.norm(merged.values[:, 3:7], axis=1), 1.0)


def test_the_mean_rotation_is_nearer_to_what_weighs_more() -> None:
    a, b = quaternion_from_rotvec([0.0, 0.0, 0.0]), quaternion_from_rotvec([0.0, 0.0, 0.4])
    mean = mean_rotation(np.stack([a, b]), np.array([0.8, 0.2]))
    turned = float(rotation_angle(matrix_from_quaternion(mean)))
    assert 0.05 < turned < 0.12, "a fifth of the way, about"


def test_a_chunk_of_the_same_time_as_the_last_changes_nothing() -> None:
    ensemble = TemporalEnsemble(SCALAR)
    ensemble.merge(flat(1.0, 0.0))
    again = flat(1.0, 9.0)
    assert ensemble.merge(again) is again


def test_the_last_eight_chunks_count_and_no_more() -> None:
    ensemble = TemporalEnsemble(SCALAR, decay=0.0)
    for number in range(9):
        merged = ensemble.merge(flat(0.001 * number, float(number)))
    np.testing.assert_allclose(merged.values[0, 0], np.mean(range(1, 9)))


def test_without_being_told_chunks_of_an_age_count_a_hundredth_less_than_the_one_before() -> None:
    ensemble = TemporalEnsemble(SCALAR)
    ensemble.merge(flat(0.0, 0.0))
    young = np.exp(-0.01) / (1 + np.exp(-0.01))
    np.testing.assert_allclose(ensemble.merge(flat(0.2, 1.0)).values[:2, 0], young)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_mean_rotation_asks_neither_for_lengths_nor_for_signs_and_has_the_sign_of_the_newest(sign: float) -> None:
    a, b = quaternion_from_rotvec([0.0, 0.0, 0.1]), quaternion_from_rotvec([0.0, 0.0, 0.5])
    mean = mean_rotation(np.stack([-a, 0.3 * sign * b]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(mean, sign * quaternion_from_rotvec([0.0, 0.0, 0.3]), atol=1e-12)
