"""Smoothing with known uncertainties."""

from __future__ import annotations

import numpy as np

from vitra_policy.transforms import matrix_from_rotvec, rotation_angle
from vitra_training.labeling.world.smooth import smooth_path, smooth_rotations, smooth_rows
from vitra_training.labeling.world.stage import runs


def reach(frames: int) -> np.ndarray:
    s = np.linspace(0, 1, frames)[:, None]
    return (s**3 * (10 - 15 * s + 6 * s * s)) * np.array([[0.3, -0.1, 0.2]])


def test_noise_along_the_line_of_sight_is_removed_without_losing_the_way() -> None:
    rng = np.random.default_rng(0)
    true = reach(60)
    noise = rng.normal(0, 1, (60, 3)) * [0.002, 0.002, 0.03]
    information = np.tile(np.diag([1 / 0.002**2, 1 / 0.002**2, 1 / 0.03**2]), (60, 1, 1))
    path, sigma = smooth_path(true + noise, information, 1 / 30)
    error = path - true
    assert np.sqrt((error[:, 2] ** 2).mean()) < 0.5 * 0.03
    assert np.sqrt((error[:, :2] ** 2).mean()) < 0.003
    assert (sigma < 0.03).all()


def test_a_frame_without_weight_is_bridged_and_an_outlier_is_ignored() -> None:
    true = reach(60)
    wrong = true.copy()
    wrong[20:26] = 9.0
    wrong[40] += [0.2, 0, 0]
    information = np.tile(np.eye(3) / 0.004**2, (60, 1, 1))
    information[20:26] = 0.0
    path, sigma = smooth_path(wrong, information, 1 / 30)
    assert np.abs(path - true).max() < 0.015
    assert sigma[22] > 1.2 * sigma[10]


def test_weights_of_one_frame_scale_with_its_confidence() -> None:
    true = np.zeros((31, 3))
    pulled = true.copy()
    pulled[15] = [0.05, 0, 0]
    strong = np.tile(np.eye(3) / 0.01**2, (31, 1, 1))
    weak = strong.copy()
    weak[15] *= 0.01
    assert smooth_path(pulled, weak, 1 / 30)[0][15, 0] < 0.1 * smooth_path(pulled, strong, 1 / 30)[0][15, 0]


def test_a_path_of_two_frames_stays_as_it_is() -> None:
    points = np.array([[0.0, 0, 0], [1, 2, 3]])
    path, sigma = smooth_path(points, np.tile(np.eye(3) * 100, (2, 1, 1)), 1 / 30)
    np.testing.assert_array_equal(path, points)
    np.testing.assert_allclose(sigma, 0.1, rtol=1e-3)


def test_rotations_are_averaged_by_their_confidence() -> None:
    rng = np.random.default_rng(1)
    angle = np.linspace(0, 1.0, 50)
    true = matrix_from_rotvec(angle[:, None] * [[0, 0, 1.0]])
    noisy = matrix_from_rotvec(rng.normal(0, 0.15, (50, 3))) @ true
    noisy[30] = matrix_from_rotvec(np.array([3.0, 0, 0])) @ noisy[30]
    weight = np.ones(50)
    weight[30] = 1e-3
    smooth = smooth_rotations(noisy, weight, 2.5)
    before = rotation_angle(np.swapaxes(noisy, 1, 2) @ true).mean()
    after = rotation_angle(np.swapaxes(smooth, 1, 2) @ true)
    assert after.mean() < 0.6 * before
    assert after[30] < 0.3
    np.testing.assert_allclose(np.swapaxes(smooth, 1, 2) @ smooth, np.tile(np.eye(3), (50, 1, 1)), atol=1e-9)


def test_rows_without_any_weight_keep_their_values() -> None:
    values = np.arange(12.0).reshape(6, 2)
    np.testing.assert_array_equal(smooth_rows(values, np.zeros(6), 1.0), values)


def test_runs_are_stretches_of_true() -> None:
    mask = np.array([1, 1, 0, 1, 0, 0, 1, 1, 1], dtype=bool)
    assert runs(mask) == [(0, 2), (3, 4), (6, 9)]
    assert runs(mask, 2) == [(0, 2), (6, 9)]
    assert runs(np.zeros(4, dtype=bool)) == []
