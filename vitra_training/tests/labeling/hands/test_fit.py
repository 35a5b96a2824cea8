"""The skeleton fitted to landmarks of known hands."""

from __future__ import annotations

import time

import numpy as np
import pytest

from vitra_policy.action_space import FINGERS_DIM
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import make_pose, matrix_from_rotvec, rotation_angle
from vitra_training.labeling.hands.fit import fit_hand
from vitra_training.labeling.hands.parameters import FREE_DIMS, PRIOR_RAD, SIGMA_RAD
from vitra_training.synthetic.hands import wrist_rotation

K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])


def hands(count: int, side: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Poses of the wearer's hands before the camera, finger angles, key points."""
    fingers = np.zeros((count, FINGERS_DIM))
    fingers[:, FREE_DIMS] = PRIOR_RAD + rng.normal(0, 0.6, (count, len(FREE_DIMS))) * SIGMA_RAD
    base = wrist_rotation(side, np.array([0.1, -0.5, 0.8]), np.array([0.0, -0.8, -0.6]))  # type: ignore[arg-type]
    turn = matrix_from_rotvec(rng.normal(0, 0.35, (count, 3))) @ base
    place = np.array([0.0, 0.05, 0.45]) + rng.normal(0, 0.05, (count, 3))
    pose = make_pose(place, turn)
    points = default_skeleton().posed_keypoints(pose, fingers, side)  # type: ignore[arg-type]
    return pose, fingers, points


def project(points: np.ndarray) -> np.ndarray:
    return points[..., :2] / points[..., 2:] * K[[0, 1], [0, 1]] + K[:2, 2]


@pytest.mark.parametrize("side", ["left", "right"])
def test_exact_landmarks_give_the_hand_back(side: str) -> None:
    rng = np.random.default_rng(1)
    pose, fingers, points = hands(30, side, rng)
    fit = fit_hand(project(points), points - points[:, :1], np.full(30, 0.5), K, side)  # type: ignore[arg-type]
    assert np.median(fit.rms_px) < 0.5
    assert np.median(np.linalg.norm(fit.camera_from_wrist[:, :3, 3] - pose[:, :3, 3], axis=1)) < 0.006
    turn = rotation_angle(np.swapaxes(fit.camera_from_wrist[:, :3, :3], 1, 2) @ pose[:, :3, :3])
    assert np.degrees(np.median(turn)) < 4
    assert np.linalg.norm(fit.keypoints_m - points, axis=-1).mean() < 0.008
    rebuilt = default_skeleton().posed_keypoints(fit.camera_from_wrist, fit.fingers_rad, side)  # type: ignore[arg-type]
    np.testing.assert_allclose(rebuilt, fit.keypoints_m, atol=1e-9)


def test_a_shape_turned_inside_out_is_corrected_by_the_wearers_view() -> None:
    """MediaPipe often bends the wearer's fingers towards the camera: depth with the wrong sign."""
    rng = np.random.default_rng(2)
    pose, _, points = hands(40, "right", rng)
    wrong = (points - points[:, :1]) * [1, 1, -1] + rng.normal(0, 0.003, points.shape)
    noisy = project(points) + rng.normal(0, 2.0, (40, 21, 2))
    fit = fit_hand(noisy, wrong, np.full(40, 2.0), K, "right")
    turn = np.degrees(rotation_angle(np.swapaxes(fit.camera_from_wrist[:, :3, :3], 1, 2) @ pose[:, :3, :3]))
    assert np.median(turn) < 20
    away = fit.keypoints_m[:, 9, 2] > fit.keypoints_m[:, 0, 2]
    assert away.mean() > 0.9


def test_distance_follows_the_size_of_the_hand() -> None:
    rng = np.random.default_rng(3)
    _, _, points = hands(20, "left", rng)
    from vitra_training.labeling.hands.fit import FitConfig

    small = fit_hand(project(points), points - points[:, :1], np.full(20, 1.0), K, "left", FitConfig(hand_scale=0.8))
    ratio = small.camera_from_wrist[:, 2, 3] / points[:, 0, 2]
    assert np.median(ratio) == pytest.approx(0.8, abs=0.03)


def test_no_frames_give_no_hand() -> None:
    fit = fit_hand(np.zeros((0, 21, 2)), np.zeros((0, 21, 3)), np.zeros(0), K, "right")
    assert fit.camera_from_wrist.shape == (0, 4, 4)


if __name__ == "__main__":
    _, _, many = hands(600, "right", np.random.default_rng(4))
    start = time.process_time()
    fit_hand(project(many), many - many[:, :1], np.full(600, 2.0), K, "right")
    print(600 / (time.process_time() - start), "frames/s")
