"""The size of a reconstruction in metres, from hands of known size or metric depth before points of the background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_training.labeling.adapters.moge import MetricDepth

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

    A hand that works touches things: the nearest points beside it in the image are about as far away as it is.

    Args:
        wrist_m: frame and palm centre (3,) in the camera, metres, of trusted sightings.
        camera_from_world: (T, 4, 4) of the reconstruction.
        points: (P, 3) of the reconstruction.
        intrinsics: (3, 3).
        hand_px: typical extent of a hand in the image.
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


def scale_from_depth(
    depth: MetricDepth, camera_from_world: Array, points: Array, intrinsics: Array, width_px: int
) -> Scale:
    """Compare metric depth with that of points of the background.

    Args:
        depth: of some frames, in images of any size.
        camera_from_world: (T, 4, 4) of the reconstruction.
        points: (P, 3) of the reconstruction.
        intrinsics: (3, 3) of the video.
        width_px: of the video.
    """
    ratios = []
    for frame, metres in zip(depth.frames, depth.depth_m, strict=True):
        pose = camera_from_world[frame]
        seen = points @ pose[:3, :3].T + pose[:3, 3]
        seen = seen[seen[:, 2] > 1e-6]
        pixels = (seen @ intrinsics.T)[:, :2] / seen[:, 2:] * (metres.shape[1] / width_px)
        column, row = np.floor(pixels).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < metres.shape[1]) & (row < metres.shape[0])
        found = metres[row[inside], column[inside]].astype(np.float64)
        usable = np.isfinite(found) & (found > 0)
        if usable.sum() >= 8:
            ratios.append(float(np.median(found[usable] / seen[inside, 2][usable])))
    if not ratios:
        return Scale(1.0, float("inf"), "none")
    middle = float(np.median(ratios))
    spread = float(1.4826 * np.median(np.abs(np.array(ratios) - middle)) / middle)
    return Scale(middle, max(spread, 0.05), "MoGe-2")
