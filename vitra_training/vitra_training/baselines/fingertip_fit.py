"""Finger rotations from fingertips alone: each finger spreads and bends at its knuckle and curls behind it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS_DIM, Side
from vitra_policy.hand.skeleton import HandSkeleton
from vitra_policy.transforms import matrix_from_euler_xyz

Array = NDArray[np.float64]

_TIPS = (8, 12, 20, 16, 4)
"""Key point of the tip of each finger, in MANO's order."""
_WANTED = (1, 2, 4, 3, 0)
"""Place of each of these in thumb-to-little-finger order."""
_ROUNDS, _PROBE, _DAMPING, _LONGEST_RAD = 25, 1e-4, 1e-6, 0.4
_LOWER, _UPPER = np.array([-0.6, -0.6, -0.2]), np.array([0.6, 1.7, 1.9])


def fit_fingertips(fingertips_m: Array, side: Side, skeleton: HandSkeleton) -> Array:
    """Local joint rotations (T, 15, 3, 3), right-hand convention, whose fingertips come nearest to the given ones.

    Three numbers per finger (spread about y, bend about z, curl of both outer joints about z) for three coordinates: a
    fingertip says no more of a finger.

    Args:
        fingertips_m: (T, 5, 3) in the wrist frame, thumb to little finger.
        side: Which hand.
        skeleton: Whose bones they are.
    """
    wanted = np.asarray(fingertips_m, dtype=np.float64)[:, _WANTED]
    shape = np.zeros((len(wanted), 5, 3))
    shape[..., 1:] = 0.2

    def tips(at: Array) -> Array:
        return np.asarray(skeleton.keypoints(_angles(at), side)[:, _TIPS])

    for _ in range(_ROUNDS):
        now = tips(shape)
        J = np.empty((*shape.shape[:2], 3, 3))
        for k in range(3):
            moved = shape.copy()
            moved[..., k] += _PROBE
            J[..., k] = (tips(moved) - now) / _PROBE
        H = np.swapaxes(J, -1, -2) @ J + _DAMPING * np.eye(3)
        step = np.linalg.solve(H, np.swapaxes(J, -1, -2) @ (wanted - now)[..., None])[..., 0]
        shape = np.clip(shape + np.clip(step, -_LONGEST_RAD, _LONGEST_RAD), _LOWER, _UPPER)
    return matrix_from_euler_xyz(_angles(shape).reshape(len(wanted), 15, 3))


def _angles(shape: Array) -> Array:
    angles = np.zeros((len(shape), 5, 3, 3))
    angles[:, :, 0, 1], angles[:, :, 0, 2] = shape[..., 0], shape[..., 1]
    angles[:, :, 1, 2] = angles[:, :, 2, 2] = shape[..., 2]
    return angles.reshape(len(shape), FINGERS_DIM)
