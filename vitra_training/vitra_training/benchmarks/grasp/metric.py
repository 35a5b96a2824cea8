"""The metric: the smallest distance of a predicted hand's finger points to the object, over all steps of the chunk."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from vitra_policy.action_space import Hands, Side
from vitra_policy.hand.skeleton import KEYPOINTS
from vitra_policy.overlay import HandPath, hand_paths

Array = NDArray[np.float64]

FINGER_POINTS = tuple(number for number, name in enumerate(KEYPOINTS) if name != "wrist")
"""Of the 21 key points: the joints and the tip of every finger."""


def path_of(actions: ArrayLike, state: ArrayLike, side: Side) -> HandPath:
    """Where a chunk takes a hand: wrist and key points, the observed ones first.

    Args:
        actions: (T, 102) as a policy says them.
        state: (102,) hands at the observation.
        side: The hand that acts.
    """
    return hand_paths(actions, state, Hands(left=side == "left", right=side == "right"))[0]


def chunk_distance_m(path: HandPath, points_m: Array) -> float:
    """Smallest distance of any finger point to the object (N, 3) after any step; the observed hand does not count.

    d = min over t = 1..T, k in finger points, p in object  of  || x_k(t) - p ||
    """
    return nearest_m(path.keypoints_m[1:], points_m)


def nearest_m(keypoints_m: Array, points_m: Array) -> float:
    """Smallest distance of the finger points of hands (..., 21, 3) to points (N, 3)."""
    distances, _ = cKDTree(points_m).query(keypoints_m[..., FINGER_POINTS, :].reshape(-1, 3))
    return float(np.min(distances))
