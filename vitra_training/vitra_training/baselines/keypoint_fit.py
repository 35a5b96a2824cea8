"""Finger rotations from key points alone: the palm gives the wrist, each bone's direction its joint's rotation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import Side
from vitra_policy.hand.skeleton import PARENTS, HandSkeleton
from vitra_policy.transforms import make_pose

Array = NDArray[np.float64]

_MIRROR = np.diag([-1.0, 1.0, 1.0])
_PALM = (0, 5, 9, 13, 17)
"""Wrist and the four knuckles, which move little against each other."""
_KEYPOINT_OF_JOINT = (0, 5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3)
_TIP_OF_FINGER = (8, 12, 20, 16, 4)


def fit_hand(keypoints_m: Array, side: Side, skeleton: HandSkeleton) -> tuple[Array, Array]:
    """Wrist poses and finger rotations that point the skeleton's bones along the observed ones.

    Bone lengths do not matter. A twist about a bone leaves no trace in key points; it is taken as zero.

    Args:
        keypoints_m: (T, 21, 3) in the order of `vitra_policy.hand.skeleton.KEYPOINTS`.
        side: which hand.
        skeleton: rest pose that defines zero.

    Returns:
        (T, 4, 4) wrist poses in the frame of the key points, and (T, 15, 3, 3) local joint rotations in right-hand
        convention.
    """
    mirror = _MIRROR if side == "left" else np.eye(3)
    rest = skeleton.keypoints(np.zeros(45))
    origin = keypoints_m[:, :1]
    rotation = _align(rest[list(_PALM)] @ mirror, keypoints_m[:, list(_PALM)] - origin)
    seen = (keypoints_m - origin) @ rotation @ mirror  # in the right-hand wrist frame
    turned: list[Array] = [np.broadcast_to(np.eye(3), (len(seen), 3, 3))]
    local: list[Array] = []
    for joint in range(1, 16):
        finger, last = divmod(joint - 1, 3)
        child = _TIP_OF_FINGER[finger] if last == 2 else _KEYPOINT_OF_JOINT[joint + 1]
        at = _KEYPOINT_OF_JOINT[joint]
        parent = turned[PARENTS[joint]]
        direction = np.einsum("tji,tj->ti", parent, seen[:, child] - seen[:, at])
        local.append(_shortest_arc(rest[child] - rest[at], direction))
        turned.append(parent @ local[-1])
    return make_pose(origin[:, 0], rotation), np.stack(local, axis=1)


def _align(rest: Array, seen: Array) -> Array:
    """Rotations (T, 3, 3) that turn rest points (N, 3) onto seen ones (T, N, 3) best (Kabsch, 1976)."""
    scale = np.linalg.norm(rest, axis=-1).sum() / np.maximum(np.linalg.norm(seen, axis=-1).sum(axis=1), 1e-9)
    u, _, vt = np.linalg.svd(np.einsum("tni,nj->tij", seen * scale[:, None, None], rest))
    proper = np.ones((len(seen), 3))
    proper[:, 2] = np.sign(np.linalg.det(u @ vt))
    return (u * proper[:, None]) @ vt


def _shortest_arc(start: Array, end: Array) -> Array:
    """Rotations (T, 3, 3) of direction (3,) to directions (T, 3) without twist."""
    a = start / np.linalg.norm(start)
    b = end / np.maximum(np.linalg.norm(end, axis=-1, keepdims=True), 1e-9)
    v, cosine = np.cross(a, b), b @ a
    x, y, z = v.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    factor = 1 / np.maximum(1 + cosine, 1e-6)
    return np.eye(3) + cross + factor[:, None, None] * (cross @ cross)
