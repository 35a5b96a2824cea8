"""Rotations and rigid poses as vectorised numpy functions, in the conventions the policy speaks.

Every function works on leading batch dimensions, computes in float64 and needs numpy only. Angles are radians.
"Euler xyz" is extrinsic (scipy's lower-case ``"xyz"``): ``R = Rz(z) @ Ry(y) @ Rx(x)``. Quaternions are ``x y z w``.
A pose is a homogeneous (4, 4) matrix; ``a_from_b`` maps coordinates of frame b to frame a.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_GIMBAL_COSINE = 1e-7
_SMALL_ANGLE_RAD = 1e-8


def _matrix(rows: Sequence[Sequence[Array]]) -> Array:
    """Matrices (..., n, m) of their entries (...); several times faster than stacking for small batches."""
    matrix = np.empty((*np.shape(rows[0][0]), len(rows), len(rows[0])))
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            matrix[..., i, j] = entry
    return matrix


def matrix_from_euler_xyz(euler_rad: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) of extrinsic xyz Euler angles (..., 3)."""
    angles = np.asarray(euler_rad, dtype=np.float64)
    (cx, cy, cz), (sx, sy, sz) = np.moveaxis(np.cos(angles), -1, 0), np.moveaxis(np.sin(angles), -1, 0)
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return _matrix(rows)


def euler_xyz_from_matrix(rotation: ArrayLike) -> Array:
    """Extrinsic xyz Euler angles (..., 3) of rotation matrices (..., 3, 3); y lies in [-pi/2, pi/2].

    In gimbal lock (y = +-pi/2) z is set to 0, as scipy does.
    """
    R = np.asarray(rotation, dtype=np.float64)
    cos_y = np.hypot(R[..., 0, 0], R[..., 1, 0])
    locked = cos_y < _GIMBAL_COSINE
    x = np.where(locked, np.arctan2(-R[..., 1, 2], R[..., 1, 1]), np.arctan2(R[..., 2, 1], R[..., 2, 2]))
    z = np.where(locked, 0.0, np.arctan2(R[..., 1, 0], R[..., 0, 0]))
    return np.stack([x, np.arctan2(-R[..., 2, 0], cos_y), z], axis=-1)


def matrix_from_quaternion(quaternion_xyzw: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) of quaternions x y z w (..., 4) of any non-zero length."""
    q = np.asarray(quaternion_xyzw, dtype=np.float64)
    x, y, z, w = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return _matrix(rows)


def quaternion_from_matrix(rotation: ArrayLike) -> Array:
    """Unit quaternions x y z w (..., 4) with w >= 0 of rotation matrices (..., 3, 3).

    Shepperd's method: of the four equivalent formulas the best conditioned one is taken per rotation.
    """
    R = np.asarray(rotation, dtype=np.float64)
    xx, yy, zz = R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]
    a, b, c = R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]
    d, e, f = R[..., 1, 0] + R[..., 0, 1], R[..., 0, 2] + R[..., 2, 0], R[..., 2, 1] + R[..., 1, 2]
    candidates = _matrix(
        [
            [1 + xx - yy - zz, d, e, a],
            [d, 1 - xx + yy - zz, f, b],
            [e, f, 1 - xx - yy + zz, c],
            [a, b, c, 1 + xx + yy + zz],
        ]
    )
    best = np.argmax(np.stack([xx, yy, zz, xx + yy + zz], axis=-1), axis=-1)
    q: Array = np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., 3:] < 0, -q, q)


def matrix_from_rotvec(rotvec_rad: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3): unit axis times angle."""
    return matrix_from_quaternion(quaternion_from_rotvec(rotvec_rad))


def rotvec_from_matrix(rotation: ArrayLike) -> Array:
    """Rotation vectors (..., 3) of rotation matrices (..., 3, 3); angles lie in [0, pi]."""
    return rotvec_from_quaternion(quaternion_from_matrix(rotation))


def quaternion_from_rotvec(rotvec_rad: ArrayLike) -> Array:
    """Unit quaternions x y z w (..., 4) of rotation vectors (..., 3)."""
    rotvec = np.asarray(rotvec_rad, dtype=np.float64)
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    return np.concatenate([rotvec * (0.5 * np.sinc(angle / (2 * np.pi))), np.cos(angle / 2)], axis=-1)


def rotvec_from_quaternion(quaternion_xyzw: ArrayLike) -> Array:
    """Rotation vectors (..., 3) of quaternions x y z w (..., 4); angles lie in [0, pi]."""
    q = np.asarray(quaternion_xyzw, dtype=np.float64)
    q = np.where(q[..., 3:] < 0, -q, q) / np.linalg.norm(q, axis=-1, keepdims=True)
    sine = np.linalg.norm(q[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., 3:])
    scale = np.where(sine < _SMALL_ANGLE_RAD, 2.0, angle / np.maximum(sine, _SMALL_ANGLE_RAD))
    rotvec: Array = q[..., :3] * scale
    return rotvec


def matrix_from_rot6d(columns: ArrayLike) -> Array:
    """Rotations (..., 3, 3) of their first two columns one after the other (..., 6), made orthonormal.

    Zhou et al. 2019, "On the Continuity of Rotation Representations in Neural Networks".
    """
    values = np.asarray(columns, dtype=np.float64)
    first, second = values[..., :3], values[..., 3:]
    x = first / np.maximum(np.linalg.norm(first, axis=-1, keepdims=True), 1e-9)
    y = second - (x * second).sum(axis=-1, keepdims=True) * x
    y = y / np.maximum(np.linalg.norm(y, axis=-1, keepdims=True), 1e-9)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def rot6d_from_matrix(rotation: ArrayLike) -> Array:
    """First two columns (..., 6) of rotations (..., 3, 3)."""
    R = np.asarray(rotation, dtype=np.float64)
    return np.concatenate([R[..., :, 0], R[..., :, 1]], axis=-1)


def rotation_angle(rotation: ArrayLike) -> Array:
    """Angle in [0, pi] (...) of rotation matrices (..., 3, 3)."""
    angle: Array = np.linalg.norm(rotvec_from_matrix(rotation), axis=-1)
    return angle


def slerp_rotation(start: ArrayLike, end: ArrayLike, fraction: ArrayLike) -> Array:
    """Rotations (..., 3, 3) on the shortest arc from ``start`` (fraction 0) to ``end`` (fraction 1).

    ``fraction`` (...) broadcasts against the batch dimensions of the rotations.

    Args:
        start: Rotations.
        end: Rotations.
        fraction: Of the way, 0..1.
    """
    R0, R1 = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    step = rotvec_from_matrix(R1 @ np.swapaxes(R0, -1, -2))
    between: Array = matrix_from_rotvec(step * np.asarray(fraction, dtype=np.float64)[..., None]) @ R0
    return between


def make_pose(translation_m: ArrayLike, rotation: ArrayLike) -> Array:
    """Poses (..., 4, 4) of translations (..., 3) and rotation matrices (..., 3, 3)."""
    t, R = np.asarray(translation_m, dtype=np.float64), np.asarray(rotation, dtype=np.float64)
    pose = np.zeros((*np.broadcast_shapes(t.shape[:-1], R.shape[:-2]), 4, 4))
    pose[..., :3, :3], pose[..., :3, 3], pose[..., 3, 3] = R, t, 1.0
    return pose


def invert_pose(pose: ArrayLike) -> Array:
    """Inverse (..., 4, 4) of rigid poses (..., 4, 4): ``b_from_a`` of ``a_from_b``."""
    T = np.asarray(pose, dtype=np.float64)
    R = np.swapaxes(T[..., :3, :3], -1, -2)
    return make_pose(-(R @ T[..., :3, 3:])[..., 0], R)


def compose_poses(*poses: ArrayLike) -> Array:
    """Product (..., 4, 4) of poses from left to right: ``compose(a_from_b, b_from_c)`` is ``a_from_c``."""
    product = np.eye(4)
    for pose in poses:
        product = product @ np.asarray(pose, dtype=np.float64)
    return product


def transform_points(pose: ArrayLike, points: ArrayLike) -> Array:
    """Points (..., N, 3) of frame b in frame a, given ``a_from_b`` (..., 4, 4)."""
    T, p = np.asarray(pose, dtype=np.float64), np.asarray(points, dtype=np.float64)
    return p @ np.swapaxes(T[..., :3, :3], -1, -2) + T[..., None, :3, 3]


def interpolate_pose(start: ArrayLike, end: ArrayLike, fraction: ArrayLike) -> Array:
    """Poses (..., 4, 4) between two poses: straight line in position, shortest arc in rotation.

    Args:
        start: Poses.
        end: Poses.
        fraction: Of the way (...), 0..1.
    """
    T0, T1 = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    s = np.asarray(fraction, dtype=np.float64)
    t = T0[..., :3, 3] + (T1[..., :3, 3] - T0[..., :3, 3]) * s[..., None]
    return make_pose(t, slerp_rotation(T0[..., :3, :3], T1[..., :3, :3], s))


def integrate_wrist(observed: ArrayLike, deltas: ArrayLike) -> Array:
    """Absolute wrist poses (T, 4, 4) that follow the observed one.

    The policy's deltas are expressed in the camera frame of the observation: ``t <- t + dt`` and ``R <- dR @ R``
    (left-multiplied), docs/model.md: State.

    Args:
        observed: camera_from_wrist (4, 4) measured at observation time, metres.
        deltas: (T, 6) per step dt in metres and dR as Euler xyz in radians.

    Returns:
        camera_from_wrist after each step, step 1 first; the observed pose itself is not included.
    """
    T0, steps = np.asarray(observed, dtype=np.float64), np.asarray(deltas, dtype=np.float64)
    positions = T0[:3, 3] + np.cumsum(steps[:, :3], axis=0)
    rotations = np.empty((len(steps), 3, 3))
    R = T0[:3, :3]
    for k, dR in enumerate(matrix_from_euler_xyz(steps[:, 3:6])):
        R = dR @ R
        rotations[k] = R
    return make_pose(positions, rotations)


def delta_wrist(poses: ArrayLike) -> Array:
    """Inverse of :func:`integrate_wrist`: deltas (T, 6) between T + 1 consecutive wrist poses (T + 1, 4, 4)."""
    T = np.asarray(poses, dtype=np.float64)
    R = T[:, :3, :3]
    dR = R[1:] @ np.swapaxes(R[:-1], -1, -2)
    return np.concatenate([np.diff(T[:, :3, 3], axis=0), euler_xyz_from_matrix(dR)], axis=-1)


def rotate_delta_wrist(new_from_old: ArrayLike, deltas: ArrayLike) -> Array:
    """Deltas (..., 6) of one camera frame expressed in another: ``dt -> R dt`` and ``dR -> R dR R^T``.

    ``new_from_old`` (3, 3) may be a rotation (the camera turned) or a reflection (the image was flipped).
    """
    R, steps = np.asarray(new_from_old, dtype=np.float64), np.asarray(deltas, dtype=np.float64)
    dR = R @ matrix_from_euler_xyz(steps[..., 3:6]) @ R.T
    return np.concatenate([steps[..., :3] @ R.T, euler_xyz_from_matrix(dR)], axis=-1)
