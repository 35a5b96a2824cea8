"""Whether the camera moves, and its path from tracked points of the background."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.video import Image
from vitra_training.labeling.camera.epipolar import fundamental
from vitra_training.labeling.camera.flow import followed

Array = NDArray[np.float64]

_WIDTH_PX = 640
_FEATURES = 400
_NEW_BELOW = 250
_WINDOW_PX, _TOLERANCE_PX = 15, 1.0
"""Wide patches blend what is near with what is behind it, which makes focal lengths long; narrow ones are lost."""
_MASK_MARGIN = 0.35
_STILL_SHARE = 0.0012
"""Of the image's width: background that moves less over `_STILL_S` is still (compression noise: below 0.0004)."""


@dataclass(frozen=True, slots=True)
class PointTracks:
    """Points of the background followed through a clip."""

    frames: NDArray[np.int32]
    """(N,) frame of each observation."""
    points: NDArray[np.int32]
    """(N,) number of its point."""
    pixels: NDArray[np.float32]
    """(N, 2) where it was seen."""
    flow_px: Array
    """(T,) median motion of the background since the last frame; NaN where nothing could be followed."""
    drift_share: float
    """Largest lasting displacement of the background within a second, in image widths."""

    @property
    def moving(self) -> bool:
        """Whether the camera moves."""
        return self.drift_share > _STILL_SHARE


class CameraKind(StrEnum):
    """How a camera behaves in a clip."""

    STATIC = "static"
    MOVING = "moving"


class BackgroundTracker:
    """Follows corners by pyramidal Lucas-Kanade, checked forwards and backwards; hands are left out.

    Args:
        fps: frames per second.
    """

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._grey: NDArray[np.uint8] | None = None
        self._corners = np.zeros((0, 2), dtype=np.float32)
        self._ids = np.zeros(0, dtype=np.int32)
        self._next = 0
        self._born: dict[int, tuple[int, Array]] = {}
        self._seen: list[tuple[int, NDArray[np.int32], NDArray[np.float32]]] = []
        self._flow: list[float] = []
        self._drift: list[float] = []
        self._window: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []

    def add(self, image: Image | None, hands_px: list[Array]) -> None:
        """The next frame.

        Args:
            image: RGB, or None where there is none.
            hands_px: landmarks (21, 2) of hands in it.
        """
        frame = len(self._flow)
        if image is None:
            self._grey, self._window = None, []
            self._flow.append(np.nan)
            return
        scale = image.shape[1] / _WIDTH_PX
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if scale > 1:
            grey = cv2.resize(grey, (_WIDTH_PX, round(image.shape[0] / scale)), interpolation=cv2.INTER_AREA)
        else:
            scale = 1.0
        small = np.asarray(grey, dtype=np.uint8)
        self._flow.append(self._follow(small) * scale)
        mask = _mask(small, [hand / scale for hand in hands_px])
        inside = self._corners.round().astype(int)
        height, width = small.shape
        if len(inside):
            ok = np.asarray(((inside >= 0) & (inside < [width, height])).all(axis=1))
            ok[ok] = mask[inside[ok, 1], inside[ok, 0]] > 0
            self._corners, self._ids = self._corners[ok], self._ids[ok]
        if len(self._corners) < _NEW_BELOW:
            self._refill(small, mask)
        self._grey = small
        self._seen.append((frame, self._ids.copy(), self._corners * scale))
        self._note_drift(width)

    def tracks(self, least_length: int = 3) -> PointTracks:
        """Everything followed so far; points seen in fewer frames are left out."""
        frames = np.concatenate([np.full(len(ids), f, np.int32) for f, ids, _ in self._seen] or [np.zeros(0, np.int32)])
        ids = np.concatenate([ids for _, ids, _ in self._seen] or [np.zeros(0, np.int32)])
        pixels = np.concatenate([px for _, _, px in self._seen] or [np.zeros((0, 2), np.float32)])
        count = np.bincount(ids, minlength=self._next)
        keep = count[ids] >= least_length
        drift = float(np.percentile(self._drift, 90)) if self._drift else 0.0
        return PointTracks(frames[keep], ids[keep], pixels[keep], np.array(self._flow), drift)

    def _follow(self, grey: NDArray[np.uint8]) -> float:
        if self._grey is None or len(self._corners) == 0:
            self._corners, self._ids = self._corners[:0], self._ids[:0]
            return float("nan")
        start = self._corners.reshape(-1, 1, 2)
        end, good = followed(self._grey, grey, start, _WINDOW_PX, _TOLERANCE_PX)
        if good.sum() >= 12:  # what moves by itself does not fit the motion of the rest
            found = fundamental(start[good, 0], end[good, 0], 0.99, 200)
            if found is not None and found[1].sum() >= 0.3 * good.sum():
                good[np.flatnonzero(good)[~found[1]]] = False
        moved = np.linalg.norm((end - start)[good, 0], axis=1)
        self._corners, self._ids = end[good, 0], self._ids[good]
        return float(np.median(moved)) if len(moved) else float("nan")

    def _refill(self, grey: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        free = mask.copy()
        for x, y in self._corners.round().astype(int):
            cv2.circle(free, (int(x), int(y)), 8, 0, -1)
        wanted = _FEATURES - len(self._corners)
        fresh = cv2.goodFeaturesToTrack(grey, wanted, 0.01, 8, mask=free)
        if fresh is None:
            return
        fresh = fresh.reshape(-1, 2).astype(np.float32)
        self._corners = np.concatenate([self._corners, fresh])
        self._ids = np.concatenate([self._ids, self._next + np.arange(len(fresh), dtype=np.int32)])
        self._next += len(fresh)

    def _note_drift(self, width: int) -> None:
        """Displacement over a second: jitter of single frames cancels, motion adds up."""
        self._window.append((self._ids.copy(), self._corners.copy()))
        if len(self._window) > max(round(self._fps), 2):
            self._window.pop(0)
        ids, corners = self._window[0]
        both, old, new = np.intersect1d(ids, self._ids, assume_unique=True, return_indices=True)
        if len(self._window) >= 3 and len(both) >= 10:
            moved = np.linalg.norm(self._corners[new] - corners[old], axis=1)
            self._drift.append(float(np.median(moved)) / width)


def _mask(grey: NDArray[np.uint8], hands: list[Array]) -> NDArray[np.uint8]:
    """255 where the background may be: neither a hand nor the arm that it hangs on."""
    mask = np.full(grey.shape, 255, dtype=np.uint8)
    for points in hands:
        size = float(max(np.ptp(points, axis=0)))
        hull = cv2.convexHull(points.astype(np.float32)).round().astype(np.int32)
        thick = max(round(2 * _MASK_MARGIN * size), 1)
        cv2.fillConvexPoly(mask, hull, 0)
        cv2.polylines(mask, [hull], True, 0, thick)
        along = points[0] - points[9]
        elbow = points[0] + along / max(float(np.linalg.norm(along)), 1.0) * 3 * size
        ends = [tuple(int(v) for v in end.round()) for end in (points[0], elbow)]
        cv2.line(mask, ends[0], ends[1], 0, max(round(0.8 * size), 1))
    return mask
