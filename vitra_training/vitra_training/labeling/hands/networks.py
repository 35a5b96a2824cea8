"""MediaPipe's palm detector and hand landmark network, run by OpenVINO on one thread."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.video import Image
from vitra_training.labeling.errors import MissingModelError
from vitra_training.labeling.hands.sightings import palm_centre

Array = NDArray[np.float64]

MODELS_VARIABLE = "VITRA_HAND_MODELS"
_FILES = {
    "palm_detection_full.tflite": "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    "hand_landmark_full.tflite": "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
}
_DETECTOR_PX = 192
_LANDMARK_PX = 224
_STRIDES = ((8, 2), (16, 6))  # of the detector's output grids, and anchors per cell
_WRIST, _MIDDLE_KNUCKLE = 0, 2  # among the detector's seven points
_BOUNDARY = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)  # landmarks without the bending finger ends


@dataclass(frozen=True, slots=True)
class Region:
    """A turned square of an image that shows one hand upright."""

    centre_px: Array
    """(2,)."""
    size_px: float
    """Length of its side."""
    angle_rad: float
    """How far the hand is turned clockwise from pointing up."""

    @property
    def image_from_crop(self) -> Array:
        """(2, 3) affine map from pixels of a crop of unit size to those of the image."""
        c, s = np.cos(self.angle_rad), np.sin(self.angle_rad)
        M = np.empty((2, 3))
        M[:, :2] = np.array([[c, -s], [s, c]]) * self.size_px
        M[:, 2] = self.centre_px - M[:, :2] @ [0.5, 0.5]
        return M

    def moved(self, shift_px: Array) -> Region:
        """The same square elsewhere.

        Args:
            shift_px: (2,).
        """
        return Region(self.centre_px + shift_px, self.size_px, self.angle_rad)


@dataclass(frozen=True, slots=True)
class Palm:
    """A palm that the detector found."""

    score: float
    centre_px: Array
    size_px: float
    region: Region
    """Where its hand should be looked at."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """What the landmark network says of one region."""

    points_px: Array
    """(21, 2) in the image."""
    shape_m: Array
    """(21, 3) camera axes, metres, around the hand's centre; the scale is the network's guess."""
    presence: float
    """0 to 1: whether there is a hand."""
    right: float
    """0 to 1: whether it is a right hand."""
    sharpness: float
    """Mean squared gradient of the crop's brightness."""

    @property
    def centre_px(self) -> Array:
        """(2,) mean of wrist and knuckles."""
        return palm_centre(self.points_px)

    @property
    def size_px(self) -> float:
        """Side of the square around the hand."""
        return self.region.size_px / 2.0

    @property
    def region(self) -> Region:
        """Where to look in the next image."""
        return region_of_points(self.points_px)


def models_folder() -> Path:
    """Where the network files are.

    Raises:
        MissingModelError: nowhere, or they are not the files of MediaPipe 0.10.21.
    """
    candidates = []
    if named := os.environ.get(MODELS_VARIABLE):
        candidates.append(Path(named))
    for parent in Path(__file__).resolve().parents[3:5]:
        candidates.append(parent / ".models" / "mediapipe-0.10.21")
    for folder in candidates:
        if all((folder / name).is_file() and _sha256(folder / name) == digest for name, digest in _FILES.items()):
            return folder
    raise MissingModelError(
        "Hand tracking", " and ".join(_FILES) + " (MediaPipe 0.10.21)",
        f"Run requirements/setup-hands.sh (35 MB once), or set {MODELS_VARIABLE} to a folder with these files.",
        "Apache-2.0",
    )  # fmt: skip


class HandNetworks:
    """Both networks, ready to run; one object per process.

    Raises:
        MissingModelError: the network files are not here.
    """

    def __init__(self) -> None:
        folder = models_folder()
        self._palm, self._landmark = (_compiled(folder / name) for name in _FILES)

    def palms(self, image: Image, least: float, area: tuple[Array, float] | None = None) -> list[Palm]:
        """Palms in an image or a square part of it, best first.

        Args:
            image: (H, W, 3) RGB.
            least: score below which they are left out.
            area: centre (2,) and side of the square to look at, which may reach beyond the image's edge.
        """
        height, width = image.shape[:2]
        centre, side = area or (np.array([width, height]) / 2, float(max(height, width)))
        scale = side / _DETECTOR_PX
        M = np.array([[scale, 0, centre[0] - side / 2], [0, scale, centre[1] - side / 2]])
        crop = _warp(image, M, _DETECTOR_PX)
        answer = self._palm(np.multiply(crop, 1 / 255, dtype=np.float32)[None])
        scores = 1 / (1 + np.exp(-np.clip(answer[1][0, :, 0].astype(np.float64), -60, 60)))
        chosen = np.flatnonzero(scores >= least)
        found: list[Palm] = []
        for row in chosen[np.argsort(-scores[chosen])]:
            raw = answer[0][0, row].astype(np.float64)
            anchor = _anchors()[row] * _DETECTOR_PX
            middle = (raw[:2] + anchor) * scale + M[:, 2]
            size = float(max(raw[2:4])) * scale
            if any(np.linalg.norm(middle - other.centre_px) < 0.5 * other.size_px for other in found):
                continue
            points = (raw[4:].reshape(7, 2) + anchor) * scale + M[:, 2]
            along = points[_MIDDLE_KNUCKLE] - points[_WRIST]
            angle = float(np.arctan2(along[1], along[0]) + np.pi / 2)
            region = Region(middle + 0.5 * size * np.array([np.sin(angle), -np.cos(angle)]), 2.6 * size, angle)
            found.append(Palm(float(scores[row]), middle, size, region))
        return found

    def landmarks(self, image: Image, region: Region, mirrored: bool = False) -> Landmarks:
        """Landmarks of the hand in a region.

        Args:
            image: (H, W, 3) RGB.
            region: where the hand is.
            mirrored: show the network the mirror image; the answer is turned back, but `right` is of the mirror image.
        """
        M = region.image_from_crop
        if mirrored:
            M = M @ np.array([[-1, 0, 1], [0, 1, 0], [0, 0, 1.0]])
        crop = _warp(image, M / np.array([_LANDMARK_PX, _LANDMARK_PX, 1.0]), _LANDMARK_PX)
        answer = self._landmark(np.multiply(crop, 1 / 255, dtype=np.float32)[None])
        points = answer[0].reshape(21, 3).astype(np.float64) / _LANDMARK_PX
        shape = answer[3].reshape(21, 3).astype(np.float64)
        shape[:, :2] = shape[:, :2] @ (M[:, :2] / region.size_px).T
        grey = cv2.cvtColor(crop[::2, ::2], cv2.COLOR_RGB2GRAY).astype(np.float32)
        sharp = float(np.square(np.diff(grey, axis=0)).mean() + np.square(np.diff(grey, axis=1)).mean())
        return Landmarks(
            points_px=points[:, :2] @ M[:, :2].T + M[:, 2],
            shape_m=shape,
            presence=float(answer[1][0, 0]),
            right=float(answer[2][0, 0]),
            sharpness=sharp,
        )


def region_of_points(points_px: Array) -> Region:
    """The square around a hand's landmarks (21, 2), upright along the hand."""
    knuckles = (points_px[5] + points_px[17]) / 4 + points_px[9] / 2
    along = knuckles - points_px[0]
    angle = float(np.arctan2(along[1], along[0]) + np.pi / 2)
    c, s = np.cos(angle), np.sin(angle)
    turned = points_px[list(_BOUNDARY)] @ np.array([[c, -s], [s, c]])
    low, high = turned.min(axis=0), turned.max(axis=0)
    size = float(max(high - low))
    centre = (low + high) / 2 + [0.0, -0.1 * size]
    return Region(np.array([[c, -s], [s, c]]) @ centre, 2.0 * size, angle)


def _warp(image: Image, crop_to_image: Array, size_px: int) -> Image:
    """A square crop; where it shrinks much, the image is averaged first."""
    shrink = float(np.linalg.norm(crop_to_image[:, 0]))
    # Pixel centres are at whole numbers for OpenCV, at halves here.
    M = crop_to_image.copy()
    M[:, 2] += M[:, :2] @ [0.5, 0.5] - 0.5
    flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_AREA if shrink > 2 else cv2.INTER_LINEAR)
    if shrink > 2:
        factor = 1 / int(shrink)
        image = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        M = M * factor
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(image, M, (size_px, size_px), flags=flags), dtype=np.uint8)


@cache
def _anchors() -> Array:
    """(2016, 2) centres of the detector's anchors, shares of its image."""
    rows = []
    for stride, per_cell in _STRIDES:
        count = _DETECTOR_PX // stride
        middle = (np.arange(count) + 0.5) / count
        x, y = np.meshgrid(middle, middle)
        rows.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    return np.concatenate(rows)


@cache
def _core() -> Any:
    import openvino

    return openvino.Core()


def _compiled(path: Path) -> Any:
    model = _core().read_model(path)
    return _core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"})


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
