"""Where the skeleton's key points are for given finger angles, and how they move with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS_DIM
from vitra_policy.hand.skeleton import PARENTS, HandSkeleton
from vitra_training.labeling.hands.parameters import FREE_DIMS

Array = NDArray[np.float64]

_SOURCES = (0, 13, 14, 15, 20, 1, 2, 3, 16, 4, 5, 6, 17, 10, 11, 12, 19, 7, 8, 9, 18)
"""Of each key point: the joint, or from 16 on the finger tip, that it is."""


def keypoints_and_jacobian(skeleton: HandSkeleton, angles: Array) -> tuple[Array, Array]:
    """Key points of right hands in the wrist frame and their derivatives by the free finger angles.

    Args:
        skeleton: bone lengths.
        angles: (T, n) free angles, in the order of `FREE_DIMS`.

    Returns:
        (T, 21, 3) metres and (T, 21, 3, n).
    """
    full = full_angles(angles)
    frames = len(full)
    local, axes = _euler_with_axes(full.reshape(frames, 15, 3))
    turned: list[Array] = [np.broadcast_to(np.eye(3), (frames, 3, 3))]
    joints: list[Array] = [np.zeros((frames, 3))]
    for joint in range(1, 16):
        parent = PARENTS[joint]
        joints.append(joints[parent] + turned[parent] @ (skeleton.joints_m[joint] - skeleton.joints_m[parent]))
        turned.append(turned[parent] @ local[:, joint - 1])
    tips = [
        joints[3 * f + 3] + turned[3 * f + 3] @ (skeleton.tips_m[f] - skeleton.joints_m[3 * f + 3]) for f in range(5)
    ]
    ordered = np.stack([*joints, *tips], axis=1)[:, _SOURCES]
    J = np.zeros((frames, 21, 3, len(FREE_DIMS)))
    for column, dim in enumerate(FREE_DIMS):
        joint = dim // 3 + 1
        axis = np.einsum("tij,tj->ti", turned[PARENTS[joint]], axes[:, joint - 1, :, dim % 3])
        below = _below(joint)
        J[:, below, :, column] = np.swapaxes(np.cross(axis[:, None], ordered[:, below] - joints[joint][:, None]), 0, 1)
    return ordered, J


def _euler_with_axes(euler: Array) -> tuple[Array, Array]:
    """Rotations (..., 3, 3) of Euler angles xyz (..., 3), and as columns (..., 3, 3) the axes the angles turn about."""
    c, s = np.cos(euler), np.sin(euler)
    one, zero = np.ones_like(c[..., 0]), np.zeros_like(c[..., 0])

    def matrix(rows: list[list[Array]]) -> Array:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    X = matrix([[one, zero, zero], [zero, c[..., 0], -s[..., 0]], [zero, s[..., 0], c[..., 0]]])
    Y = matrix([[c[..., 1], zero, s[..., 1]], [zero, one, zero], [-s[..., 1], zero, c[..., 1]]])
    Z = matrix([[c[..., 2], -s[..., 2], zero], [s[..., 2], c[..., 2], zero], [zero, zero, one]])
    axes = np.stack([(Z @ Y)[..., :, 0], Z[..., :, 1], np.broadcast_to([0, 0, 1.0], (*c.shape[:-1], 3))], axis=-1)
    return Z @ Y @ X, axes


def _below(joint: int) -> list[int]:
    """Key points that a joint moves: those further out on its finger."""
    finger, place = (joint - 1) // 3, (joint - 1) % 3
    first = (5, 9, 17, 13, 1)[finger]
    return list(range(first + place + 1, first + 4))


def full_angles(angles: Array) -> Array:
    """All 45 finger angles (..., 45) of the free ones.

    Args:
        angles: (..., n) in the order of `FREE_DIMS`.
    """
    full = np.zeros((*angles.shape[:-1], FINGERS_DIM))
    full[..., FREE_DIMS] = angles
    return full
