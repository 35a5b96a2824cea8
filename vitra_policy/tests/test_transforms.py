"""Rotations and poses against scipy and against their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from vitra_policy import transforms as tf

RANDOM = Rotation.random(500, random_state=0)
SPECIAL = Rotation.from_rotvec(
    [[0, 0, 0], [np.pi, 0, 0], [0, np.pi, 0], [0, 0, np.pi], [np.pi - 1e-9, 0, 0], [1e-12, 0, 0], [2, 2, 0.1]]
)


@pytest.mark.parametrize("rotations", [RANDOM, SPECIAL], ids=["random", "special"])
def test_conversions_agree_with_scipy(rotations: Rotation) -> None:
    R = rotations.as_matrix()
    np.testing.assert_allclose(tf.matrix_from_euler_xyz(rotations.as_euler("xyz")), R, atol=1e-12)
    np.testing.assert_allclose(tf.matrix_from_rotvec(rotations.as_rotvec()), R, atol=1e-12)
    np.testing.assert_allclose(tf.matrix_from_quaternion(rotations.as_quat()), R, atol=1e-12)
    np.testing.assert_allclose(tf.matrix_from_euler_xyz(tf.euler_xyz_from_matrix(R)), R, atol=1e-7)
    np.testing.assert_allclose(tf.matrix_from_rotvec(tf.rotvec_from_matrix(R)), R, atol=1e-12)
    np.testing.assert_allclose(tf.matrix_from_quaternion(tf.quaternion_from_matrix(R)), R, atol=1e-12)
    np.testing.assert_allclose(tf.rotation_angle(R), rotations.magnitude(), atol=1e-7)


def test_values_agree_with_scipy_where_they_are_unique() -> None:
    R = RANDOM.as_matrix()
    np.testing.assert_allclose(tf.euler_xyz_from_matrix(R), RANDOM.as_euler("xyz"), atol=1e-12)
    np.testing.assert_allclose(tf.rotvec_from_matrix(R), RANDOM.as_rotvec(), atol=1e-12)
    np.testing.assert_allclose(tf.quaternion_from_matrix(R), RANDOM.as_quat(canonical=True), atol=1e-12)


@pytest.mark.parametrize("y", [np.pi / 2, -np.pi / 2])
def test_gimbal_lock_puts_the_whole_turn_on_x(y: float) -> None:
    R = tf.matrix_from_euler_xyz([0.3, y, 0.2])
    euler = tf.euler_xyz_from_matrix(R)
    assert euler[2] == 0
    np.testing.assert_allclose(tf.matrix_from_euler_xyz(euler), R, atol=1e-9)


def test_batch_dimensions_are_kept() -> None:
    euler = np.random.default_rng(1).normal(size=(2, 3, 4, 3))
    assert tf.matrix_from_euler_xyz(euler).shape == (2, 3, 4, 3, 3)
    assert tf.rotvec_from_matrix(tf.matrix_from_euler_xyz(euler)).shape == euler.shape


def test_slerp_agrees_with_scipy_and_takes_the_short_way() -> None:
    start, end = RANDOM[0], RANDOM[1]
    fractions = np.linspace(0, 1, 7)
    want = Slerp([0, 1], Rotation.concatenate([start, end]))(fractions).as_matrix()
    np.testing.assert_allclose(tf.slerp_rotation(start.as_matrix(), end.as_matrix(), fractions), want, atol=1e-12)


def test_a_pose_times_its_inverse_is_the_identity() -> None:
    poses = tf.make_pose(np.random.default_rng(2).normal(size=(5, 3)), RANDOM[:5].as_matrix())
    np.testing.assert_allclose(
        tf.compose_poses(poses, tf.invert_pose(poses)), np.tile(np.eye(4), (5, 1, 1)), atol=1e-12
    )


def test_points_are_mapped_like_homogeneous_vectors() -> None:
    pose = tf.make_pose([1, 2, 3], RANDOM[3].as_matrix())
    points = np.random.default_rng(3).normal(size=(6, 3))
    want = (pose @ np.c_[points, np.ones(6)].T).T[:, :3]
    np.testing.assert_allclose(tf.transform_points(pose, points), want, atol=1e-12)


def test_pose_interpolation_meets_both_ends() -> None:
    start, end = (tf.make_pose(np.full(3, k), RANDOM[k].as_matrix()) for k in (0, 1))
    path = tf.interpolate_pose(start, end, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(path[[0, 2]], [start, end], atol=1e-12)
    np.testing.assert_allclose(path[1, :3, 3], 0.5)


def random_path(steps: int = 8) -> np.ndarray:
    draw = np.random.default_rng(4)
    return tf.make_pose(draw.normal(size=(steps, 3)), RANDOM[:steps].as_matrix())


def test_integrating_the_deltas_of_a_path_gives_the_path_back() -> None:
    path = random_path()
    np.testing.assert_allclose(tf.integrate_wrist(path[0], tf.delta_wrist(path)), path[1:], atol=1e-9)


def test_delta_rotations_multiply_from_the_left() -> None:
    start = tf.make_pose(np.zeros(3), tf.matrix_from_euler_xyz([0.4, 0.5, 0.6]))
    quarter_about_camera_z = [[0, 0, 0, 0, 0, np.pi / 2]]
    turned = tf.integrate_wrist(start, quarter_about_camera_z)[0]
    np.testing.assert_allclose(turned[:3, :3], tf.matrix_from_euler_xyz([0, 0, np.pi / 2]) @ start[:3, :3], atol=1e-12)


@pytest.mark.parametrize("mirror", [1.0, -1.0], ids=["rotation", "reflection"])
def test_deltas_turn_with_the_camera_frame(mirror: float) -> None:
    """Rotating deltas equals taking deltas of the rotated path; a flip also mirrors the hand (R' R M)."""
    path, R = random_path(), RANDOM[9].as_matrix() @ np.diag([mirror, 1.0, 1.0])
    moved = tf.make_pose(path[:, :3, 3] @ R.T, R @ path[:, :3, :3] @ np.diag([mirror, 1.0, 1.0]))
    np.testing.assert_allclose(tf.rotate_delta_wrist(R, tf.delta_wrist(path)), tf.delta_wrist(moved), atol=1e-9)


def test_two_columns_say_a_rotation_and_are_made_orthonormal() -> None:
    R = RANDOM.as_matrix()
    np.testing.assert_allclose(tf.matrix_from_rot6d(tf.rot6d_from_matrix(R)), R, atol=1e-12)
    np.testing.assert_allclose(tf.matrix_from_rot6d([2.0, 0.0, 0.0, 1.0, 3.0, 0.0]), np.eye(3), atol=1e-12)
