"""Lenses that bend straight lines, and the pinhole image without the bend."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.video import Image
from vitra_training.labeling.errors import LensError, LensFileError

Array = NDArray[np.float64]
Maps = tuple[NDArray[np.float32], NDArray[np.float32]]


class LensKind(StrEnum):
    """How a lens bends; the comment names the parameters in their order."""

    PINHOLE = "pinhole"
    """fx fy cx cy."""
    RADIAL = "radial"
    """fx fy cx cy k1 k2 p1 p2 k3: Brown and Conrady, as OpenCV."""
    FISHEYE = "fisheye"
    """fx fy cx cy k1 k2 k3 k4: equidistant polynomial (Kannala and Brandt 2006), as OpenCV's fisheye and Kalibr."""
    UNIFIED = "unified"
    """fx fy cx cy xi: sphere before a pinhole (Mei and Rives 2007), as DroidCalib and DeepCalib."""
    FISHEYE624 = "fisheye624"
    """f cx cy k0..k5 p0 p1 s0..s3: Project Aria's six radial, two tangential and four thin-prism terms."""


_COUNTS = {
    LensKind.PINHOLE: 4, LensKind.RADIAL: 9, LensKind.FISHEYE: 8, LensKind.UNIFIED: 5, LensKind.FISHEYE624: 15
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lens:
    """A calibrated lens; pixel centres are at whole numbers, as calibration tools have them."""

    kind: LensKind
    width_px: int
    height_px: int
    """Of the images that it was calibrated on."""
    parameters: tuple[float, ...]
    source: str = "given"
    """Who calibrated it."""

    def __post_init__(self) -> None:
        wanted = _COUNTS[self.kind]
        if len(self.parameters) != wanted or not np.isfinite(self.parameters).all() or min(self.focal_px) <= 0:
            raise LensError(f"A {self.kind} lens has {wanted} finite parameters with focal lengths above 0, "
                            f"got {list(self.parameters)}")  # fmt: skip

    @property
    def focal_px(self) -> tuple[float, float]:
        """Focal lengths of the middle of the image, where every lens is a pinhole."""
        p = self.parameters
        if self.kind is LensKind.FISHEYE624:
            return p[0], p[0]
        if self.kind is LensKind.UNIFIED:
            return p[0] / (1 + p[4]), p[1] / (1 + p[4])
        return p[0], p[1]

    def project(self, rays: Array) -> Array:
        """Pixels (..., 2) of directions (..., 3) in the camera (x right, y down, z forward)."""
        p = self.parameters
        x, y, z = rays[..., 0], rays[..., 1], rays[..., 2]
        if self.kind is LensKind.UNIFIED:
            depth = z + p[4] * np.linalg.norm(rays, axis=-1)
            return np.stack([p[0] * x / depth + p[2], p[1] * y / depth + p[3]], axis=-1)
        flat = np.stack([x, y], axis=-1)
        if self.kind in (LensKind.PINHOLE, LensKind.RADIAL):
            bent = flat / z[..., None]
            if self.kind is LensKind.RADIAL:
                bent = _brown(bent, np.array(p[4:]))
            return np.asarray(bent * p[:2] + p[2:4])
        radius = np.linalg.norm(flat, axis=-1)
        theta = np.arctan2(radius, z)
        away = flat / np.maximum(radius, 1e-12)[..., None]
        if self.kind is LensKind.FISHEYE:
            return np.asarray(away * _odd(theta, p[4:])[..., None] * p[:2] + p[2:4])
        bent = _prism(away * _odd(theta, p[3:9])[..., None], np.array(p[9:11]), np.array(p[11:]))
        return np.asarray(bent * p[0] + p[1:3])

    def scaled(self, width_px: int, height_px: int) -> Lens:
        """The same lens for images of another size.

        Raises:
            LensError: they have another shape, so they were cropped.
        """
        sx, sy = width_px / self.width_px, height_px / self.height_px
        if abs(sx / sy - 1) > 0.01:
            raise LensError(
                f"The lens was calibrated on {self.width_px} x {self.height_px} images, the video has "
                f"{width_px} x {height_px}: another shape. Calibrate on images of the video"
            )
        p = np.array(self.parameters)
        if self.kind is LensKind.FISHEYE624:
            p[0], centre, scale = p[0] * sx, slice(1, 3), np.array([sx, sy])
        else:
            p[:2], centre, scale = p[:2] * [sx, sy], slice(2, 4), np.array([sx, sy])
        p[centre] = (p[centre] + 0.5) * scale - 0.5
        return Lens(self.kind, width_px, height_px, tuple(p.tolist()), self.source)


class Undistorter:
    """Images of a lens as a pinhole camera of the same size would take them; its centre is the image's centre.

    Args:
        lens: for images of any size of the same shape.
        width_px: of the images.
        height_px: of the images.
    """

    def __init__(self, lens: Lens, width_px: int, height_px: int) -> None:
        lens = lens.scaled(width_px, height_px)
        self.focal_px = float(np.mean(lens.focal_px))
        """Of the new image: the lens' own in its middle, so that nothing is enlarged there."""
        u, v = np.meshgrid(np.arange(width_px) + 0.5, np.arange(height_px) + 0.5)
        rays = np.stack(
            [(u - width_px / 2) / self.focal_px, (v - height_px / 2) / self.focal_px, np.ones_like(u)], axis=-1
        )
        pixels = lens.project(rays).astype(np.float32)
        self.maps: Maps = (np.ascontiguousarray(pixels[..., 0]), np.ascontiguousarray(pixels[..., 1]))
        """For every pixel where its colour is in the bent image."""

    def __call__(self, image: Image) -> Image:
        """The image without the bend; black where the lens saw nothing."""
        return np.asarray(cv2.remap(image, *self.maps, cv2.INTER_LINEAR), dtype=np.uint8)


def read_lens(path: Path) -> Lens:
    """A lens from its JSON file.

    Raises:
        LensFileError: not such a file.
    """
    try:
        content = json.loads(path.read_text())
        return Lens(
            LensKind(content["kind"]), int(content["width_px"]), int(content["height_px"]),
            tuple(float(value) for value in content["parameters"]), str(content.get("source", "given")),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, LensError, OverflowError) as cause:
        raise LensFileError(path, cause) from None


def write_lens(lens: Lens, path: Path) -> None:
    """Write a lens as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(lens), indent=1) + "\n")


def _odd(theta: Array, k: tuple[float, ...]) -> Array:
    total = np.ones_like(theta)
    for power, factor in enumerate(k, start=1):
        total = total + factor * theta ** (2 * power)
    return theta * total


def _brown(xy: Array, k: Array) -> Array:
    k1, k2, p1, p2, k3 = k
    x, y = xy[..., 0], xy[..., 1]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return np.stack(
        [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y],
        axis=-1,
    )


def _prism(xy: Array, p: Array, s: Array) -> Array:
    r2 = np.square(xy).sum(axis=-1, keepdims=True)
    thin = np.concatenate([s[0] * r2 + s[1] * r2 * r2, s[2] * r2 + s[3] * r2 * r2], axis=-1)
    return np.asarray(xy + 2 * (xy @ p)[..., None] * xy + r2 * p + thin)
