"""The size of a reconstruction in metres, from hands of known size before points of the background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LEAST_FRAMES = 8
_POINTS = 12
LEAST_SIGMA = 0.2
"""Hands differ in size, and the points beside a hand lie behind it: with true hands the depth is 15 to 20 % off."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Metres per unit of a reconstruction."""

    metres: float
    sigma_share: float
    """Standard deviation as a share of it."""
    source: str


def scale_from_hands(
    wrist_m: list[tuple[int, Array]], camera_from_world: Array, points: Array, intrinsics: Array, hand_px: float
) -> Scale:
    """Compare depths of hands with those of the points around them.

    A hand that works touches things: the nearest points beside it in the picture are about as far away as it is.

    Args:
        wrist_m: frame and palm centre (3,) in the camera, metres, of trusted sightings.
        camera_from_world: (T, 4, 4) of the reconstruction.
        points: (P, 3) of the reconstruction.
        intrinsics: (3, 3).
        hand_px: typical extent of a hand in the picture.
    """
    ratios = []
    f, c = intrinsics[[0, 1], [0, 1]], intrinsics[:2, 2]
    for frame, palm in wrist_m:
        pose = camera_from_world[frame]
        seen = points @ pose[:3, :3].T + pose[:3, 3]
        seen = seen[seen[:, 2] > 1e-6]
        pixels = seen[:, :2] / seen[:, 2:] * f + c
        away = np.linalg.norm(pixels - (palm[:2] / palm[2] * f + c), axis=1)
        near = np.argsort(away)[:_POINTS]
        near = near[away[near] < 1.5 * hand_px]
        if len(near) >= 4:
            # Of the points around, the nearer ones: the rest belongs to what is far behind the hand.
            ratios.append(palm[2] / float(np.percentile(seen[near, 2], 30)))
    if len(ratios) < _LEAST_FRAMES:
        return Scale(1.0, float("inf"), "none")
    middle = float(np.median(ratios))
    spread = float(1.4826 * np.median(np.abs(np.array(ratios) - middle)) / middle)
    return Scale(middle, float(np.hypot(LEAST_SIGMA, 0.5 * spread)), "hand size")
