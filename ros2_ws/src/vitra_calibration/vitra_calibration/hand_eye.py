"""Closed solutions of the hand-eye problem, one function per method; all take and give the same.

The camera stands still and sees a board on the moving hand. With B_i = arm_base_from_ee and C_i = camera_from_board at
pose i, the unknown X = arm_base_from_camera satisfies A X = X D for every pair of poses, A = B_j B_i^-1 and
D = C_j C_i^-1. OpenCV 5 has no hand-eye solvers any more; these follow the papers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vitra_policy.transforms import invert_pose, make_pose

Array = NDArray[np.float64]
Solver = Callable[[Sequence[Array], Sequence[Array]], Array]

_LEAST_ANGLE_RAD = 0.1
_MOST_PAIRS = 400


def park_martin(B: Sequence[Array], C: Sequence[Array]) -> Array:
    """Rotation from the logarithms of the motions in closed form (Park and Martin 1994, eq. 17), then translation."""
    motions = _motions(B, C)
    M = sum(np.outer(_log(D), _log(A)) for A, D in motions)
    values, vectors = np.linalg.eigh(np.asarray(M).T @ np.asarray(M))
    R = vectors @ np.diag(1.0 / np.sqrt(np.maximum(values, 1e-18))) @ vectors.T @ np.asarray(M).T
    return _with_translation(_nearest_rotation(R), motions)


def tsai_lenz(B: Sequence[Array], C: Sequence[Array]) -> Array:
    """Modified Rodrigues vectors and a linear system (Tsai and Lenz 1989, eq. 12 to 15)."""
    motions = _motions(B, C)
    rows, values = [], []
    for A, D in motions:
        a, d = _rodrigues(A), _rodrigues(D)
        rows.append(_skew(a + d))
        values.append(d - a)
    half = np.linalg.lstsq(np.concatenate(rows), np.concatenate(values), rcond=None)[0]
    P = 2.0 * half / np.sqrt(1.0 + half @ half)
    R = (1 - P @ P / 2) * np.eye(3) + 0.5 * (np.outer(P, P) + np.sqrt(max(4 - float(P @ P), 0.0)) * _skew(P))
    return _with_translation(_nearest_rotation(R), motions)


def dual_quaternions(B: Sequence[Array], C: Sequence[Array]) -> Array:
    """Rotation and translation together from the screws of the motions (Daniilidis 1999, section 4)."""
    T = []
    for A, D in _motions(B, C):
        (a, a_dual), (d, d_dual) = _dual_quaternion(A), _dual_quaternion(D)
        top = np.c_[(a - d)[:3], _skew((a + d)[:3]), np.zeros((3, 4))]
        low = np.c_[(a_dual - d_dual)[:3], _skew((a_dual + d_dual)[:3]), (a - d)[:3], _skew((a + d)[:3])]
        T += [top, low]
    V = np.linalg.svd(np.concatenate(T))[2][-2:]
    u1, v1, u2, v2 = V[0, :4], V[0, 4:], V[1, :4], V[1, 4:]
    # q = s1 V1 + s2 V2 with |real| = 1 and real . dual = 0: a quadratic in the ratio s1 / s2.
    ratios = np.roots([u1 @ v1, u1 @ v2 + u2 @ v1, u2 @ v2]).real if abs(u1 @ v1) > 1e-12 else np.zeros(1)
    norms = [s * s * (u1 @ u1) + 2 * s * (u1 @ u2) + u2 @ u2 for s in ratios]
    s = ratios[int(np.argmax(norms))]
    scale = 1.0 / np.sqrt(max(norms))
    real, dual = scale * (s * u1 + u2), scale * (s * v1 + v2)
    # Quaternions here are (w, x, y, z); translation = 2 dual * conjugate(real).
    R = Rotation.from_quat(np.r_[real[1:], real[0]]).as_matrix()
    translation = 2 * (real[0] * dual[1:] - dual[0] * real[1:] + np.cross(real[1:], dual[1:]))
    return np.asarray(make_pose(translation, R))


def shah(B: Sequence[Array], C: Sequence[Array]) -> Array:
    """Camera and board mounting together by Kronecker products, from the poses themselves (Shah 2013, section 4)."""
    K = np.zeros((9, 9))
    for b, c in zip(B, C, strict=True):
        K += np.kron(b[:3, :3], c[:3, :3])
    left, _, right = np.linalg.svd(K)
    n = len(B)
    # B Y = X C: R_B^T R_X R_C = R_Y for every pose.
    X = _nearest_rotation(_signed(left[:, 0].reshape(3, 3)))
    Y = _nearest_rotation(_signed(right[0].reshape(3, 3)))
    del Y
    rows, values = np.zeros((3 * n, 6)), np.zeros(3 * n)
    for i, (b, c) in enumerate(zip(B, C, strict=True)):
        rows[3 * i : 3 * i + 3] = np.c_[np.eye(3), -b[:3, :3]]
        values[3 * i : 3 * i + 3] = b[:3, 3] - X @ c[:3, 3]
    translation = np.linalg.lstsq(rows, values, rcond=None)[0][:3]
    return np.asarray(make_pose(translation, X))


SOLVERS: dict[str, Solver] = {
    "Park-Martin": park_martin,
    "Tsai-Lenz": tsai_lenz,
    "dual quaternions": dual_quaternions,
    "Shah": shah,
}


def board_mounting(X: Array, B: Sequence[Array], C: Sequence[Array]) -> Array:
    """ee_from_board that fits best to a camera pose: mean over the poses.

    Args:
        X: Camera pose (4, 4) in the arm's base.
        B: Flange poses in the arm's base, (4, 4) each.
        C: Board poses in the camera, (4, 4) each.
    """
    poses = [np.asarray(invert_pose(b) @ X @ c) for b, c in zip(B, C, strict=True)]
    R = Rotation.from_matrix([pose[:3, :3] for pose in poses]).mean().as_matrix()
    return np.asarray(make_pose(np.median([pose[:3, 3] for pose in poses], axis=0), R))


def _motions(B: Sequence[Array], C: Sequence[Array]) -> list[tuple[Array, Array]]:
    """Pairs of motions that turn enough, spread over all pairs of poses."""
    pairs = list(combinations(range(len(B)), 2))
    turning = []
    for i, j in pairs[:: max(1, len(pairs) // _MOST_PAIRS)]:
        A, D = np.asarray(B[j] @ invert_pose(B[i])), np.asarray(C[j] @ invert_pose(C[i]))
        if _LEAST_ANGLE_RAD < np.linalg.norm(_log(A)) < np.pi - _LEAST_ANGLE_RAD:
            turning.append((A, D))
    return turning


def _with_translation(R: Array, motions: Sequence[tuple[Array, Array]]) -> Array:
    rows = np.concatenate([A[:3, :3] - np.eye(3) for A, _ in motions])
    values = np.concatenate([R @ D[:3, 3] - A[:3, 3] for A, D in motions])
    return np.asarray(make_pose(np.linalg.lstsq(rows, values, rcond=None)[0], R))


def _log(pose: Array) -> Array:
    return np.asarray(Rotation.from_matrix(pose[:3, :3]).as_rotvec())


def _rodrigues(pose: Array) -> Array:
    vector = _log(pose)
    angle = float(np.linalg.norm(vector))
    return np.asarray(2 * np.sin(angle / 2) * vector / max(angle, 1e-12))


def _dual_quaternion(pose: Array) -> tuple[Array, Array]:
    """(x, y, z, w) of the rotation with w >= 0, and its dual part."""
    q = Rotation.from_matrix(pose[:3, :3]).as_quat()
    q = q if q[3] >= 0 else -q
    t, v, w = pose[:3, 3], q[:3], q[3]
    return q, 0.5 * np.r_[w * t + np.cross(t, v), -t @ v]


def _skew(v: Array) -> Array:
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])


def _nearest_rotation(M: Array) -> Array:
    U, _, V = np.linalg.svd(M)
    return np.asarray(U @ np.diag([1.0, 1.0, np.linalg.det(U @ V)]) @ V)


def _signed(M: Array) -> Array:
    """Scaled to a rotation's determinant."""
    determinant = np.linalg.det(M)
    return np.asarray(np.sign(determinant) * M / max(abs(determinant), 1e-18) ** (1 / 3))
