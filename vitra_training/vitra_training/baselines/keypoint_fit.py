"""Finger rotations from key points alone: the palm gives the wrist, each bone's direction its joint's rotation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import Side
from vitra_policy.hand.skeleton import PARENTS, HandSkeleton
from vitra_policy.transforms import make_pose, matrix_from_euler_xyz

Array = NDArray[np.float64]

_MIRROR = np.diag([-1.0, 1.0, 1.0])
_PALM = (0, 5, 9, 13, 17)
"""Wrist and the four knuckles, which move little against each other."""
_KEYPOINT_OF_JOINT = (0, 5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3)
_TIP_OF_FINGER = (8, 12, 20, 16, 4)


def fit_hand(keypoints_m: Array, side: Side, skeleton: HandSkeleton) -> tuple[Array, Array]:
    """Wrist poses and finger rotations that point the skeleton's bones along the observed ones.

    Bone lengths do not matter. A twist about a bone leaves no trace in key points; joints are taken to bend (about z)
    and spread (about y) only, as fingers do.

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
        local.append(_bend_and_spread(rest[child] - rest[at], direction))
        turned.append(parent @ local[-1])
    return make_pose(origin[:, 0], rotation), np.stack(local, axis=1)


def _align(rest: Array, seen: Array) -> Array:
    """Rotations (T, 3, 3) that turn rest points (N, 3) onto seen ones (T, N, 3) best (Kabsch, 1976)."""
    scale = np.linalg.norm(rest, axis=-1).sum() / np.maximum(np.linalg.norm(seen, axis=-1).sum(axis=1), 1e-9)
    u, _, vt = np.linalg.svd(np.einsum("tni,nj->tij", seen * scale[:, None, None], rest))
    proper = np.ones((len(seen), 3))
    proper[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation: Array = (u * proper[:, None]) @ vt
    return rotation


def _bend_and_spread(start: Array, end: Array) -> Array:
    """Rotations (T, 3, 3) `Rz(bend) Ry(spread)` of direction (3,) to directions (T, 3), as finger joints turn.

    Where a bone cannot reach a direction so, it comes as near as it can.
    """
    x, y, z = start / np.linalg.norm(start)
    goal = end / np.maximum(np.linalg.norm(end, axis=-1, keepdims=True), 1e-9)
    radius, middle = np.hypot(x, z), np.arctan2(-x, z)
    opening = np.arccos(np.clip(goal[:, 2] / radius, -1, 1))
    candidates = np.stack([middle + opening, middle - opening])
    candidates = (candidates + np.pi) % (2 * np.pi) - np.pi
    spread = np.take_along_axis(candidates, np.abs(candidates).argmin(axis=0)[None], axis=0)[0]
    bend = np.arctan2(goal[:, 1], goal[:, 0]) - np.arctan2(y, x * np.cos(spread) + z * np.sin(spread))
    return matrix_from_euler_xyz(np.stack([np.zeros_like(bend), spread, bend], axis=-1))
