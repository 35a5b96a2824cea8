"""Projection of paths and hands into the image."""

from __future__ import annotations

import numpy as np

from vitra_policy.action_space import Hands, join_hands
from vitra_policy.overlay import draw_overlay, hand_paths, intrinsics_from_fov, project

STATE = join_hands(np.r_[-0.1, 0.0, 0.5, np.zeros(48)], np.r_[0.1, 0.0, 0.5, np.zeros(48)])


def test_the_edge_of_the_field_of_view_is_the_edge_of_the_image() -> None:
    fov = np.array([1.2, 0.9])
    K = intrinsics_from_fov(fov, 640, 480)
    corner = [np.tan(0.6), np.tan(0.45), 1.0]
    np.testing.assert_allclose(project([corner, [0, 0, 2.0]], K), [[640, 480], [320, 240]])


def test_points_behind_the_camera_are_nowhere() -> None:
    assert np.isnan(project([[0.1, 0.1, -1.0], [0.0, 0.0, 0.0]], np.eye(3))).all()


def test_a_path_starts_at_the_observed_hand_and_adds_up_the_deltas() -> None:
    actions = np.zeros((16, 102))
    actions[:, 51] = 0.01
    (path,) = hand_paths(actions, STATE, Hands(right=True))
    assert path.side == "right"
    np.testing.assert_allclose(path.camera_from_wrist[[0, -1], 0, 3], [0.1, 0.26])
    np.testing.assert_allclose(path.keypoints_m[:, 0], path.camera_from_wrist[:, :3, 3])


def test_the_overlay_changes_the_image_only_near_the_hands() -> None:
    image = np.full((240, 320, 3), 100, np.uint8)
    K = intrinsics_from_fov([1.0, 0.8], 320, 240)
    paths = hand_paths(np.zeros((16, 102)), STATE, Hands(left=True, right=True))
    drawn = draw_overlay(image, K, paths)
    assert drawn.shape == image.shape
    changed = np.argwhere((drawn != image).any(axis=2))
    wrist = project(paths[0].camera_from_wrist[0, :3, 3], K)
    assert (drawn[round(wrist[1]), round(wrist[0])] != 100).any()
    assert 0 < len(changed) < 0.2 * image[..., 0].size
    assert (image == 100).all()


def test_a_wild_path_is_drawn_without_complaint() -> None:
    actions = np.zeros((16, 102))
    actions[:, 53] = -0.1
    paths = hand_paths(actions, STATE, Hands(right=True))
    draw_overlay(np.zeros((60, 80, 3), np.uint8), intrinsics_from_fov([1.0, 0.8], 80, 60), paths)
