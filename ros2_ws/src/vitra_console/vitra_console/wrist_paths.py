"""The predicted wrist paths of both hands, in pixels of the head camera."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import HAND, SIDES, TRANSLATION

Image = NDArray[np.uint8]
COLOURS = {"left": (255, 140, 0), "right": (0, 200, 255)}
"""RGB of each hand, in every image of the stack."""
FRESH_S = 1.0
"""A chunk whose observation is older than this says nothing about an image."""
_NEAREST_M = 0.05


def wrist_positions(chunk: Any) -> dict[str, NDArray[np.float64]]:
    """Predicted wrist positions per valid hand, (steps + 1, 3) metres in the camera frame; the first one is observed.

    Args:
        chunk: a HandActionChunk message, or what has its fields.
    """
    actions = np.asarray(chunk.actions, dtype=np.float64).reshape(-1, 102)
    observed = np.asarray(chunk.observed, dtype=np.float64)
    paths = {}
    for side in SIDES:
        if getattr(chunk, f"{side}_valid"):
            start = observed[HAND[side]][TRANSLATION]
            paths[str(side)] = np.vstack([start, start + np.cumsum(actions[:, HAND[side]][:, TRANSLATION], axis=0)])
    return paths


def wrist_paths_px(chunk: Any, intrinsics: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Predicted wrist path per valid hand, (points, 2) pixels; points behind the camera are left out.

    Args:
        chunk: a HandActionChunk message, or what has its fields.
        intrinsics: camera matrix, shape (3, 3).
    """
    paths = {}
    for side, points in wrist_positions(chunk).items():
        ahead = points[points[:, 2] > _NEAREST_M]
        paths[side] = (ahead @ intrinsics.T)[:, :2] / ahead[:, 2:]
    return paths


def draw_paths(image: Image, paths: dict[str, NDArray[np.float64]]) -> None:
    """Draw wrist paths into the image, fading from the present to the future."""
    width_px = max(2, round(image.shape[1] / 240))
    for side, path in paths.items():
        points = np.round(path * 8).astype(np.int32)
        for i, (a, b) in enumerate(zip(points, points[1:], strict=False)):
            fade = 1.0 - 0.6 * i / max(len(points), 1)
            colour = tuple(int(c * fade) for c in COLOURS[side])
            cv2.line(image, a.tolist(), b.tolist(), colour, width_px, cv2.LINE_AA, shift=3)
        if len(points):
            cv2.circle(image, points[-1].tolist(), 2 * width_px * 8, COLOURS[side], -1, cv2.LINE_AA, shift=3)
