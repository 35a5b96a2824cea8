"""Pinhole cameras: intrinsics for an image size, projection, field of view. Pixel i covers [i, i + 1]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.errors import WrongShapeError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera without distortion for images of one size."""

    intrinsics: Array
    """(3, 3) pixels."""
    width_px: int
    height_px: int

    @property
    def fov_rad(self) -> Array:
        """(2,) horizontal and vertical field of view as the policy is told: 2 atan(W / 2 fx), 2 atan(H / 2 fy)."""
        size = np.array([self.width_px, self.height_px])
        fov: Array = 2 * np.arctan(size / (2 * self.intrinsics[[0, 1], [0, 1]]))
        return fov

    def project(self, points_m: Array) -> Array:
        """Pixels (..., 2) of camera points (..., 3); points behind the camera give NaN."""
        z = points_m[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = (points_m @ self.intrinsics.T)[..., :2] / np.where(z > 1e-6, z, np.nan)
        return np.asarray(pixels)

    def sees(self, points_m: Array) -> NDArray[np.bool_]:
        """(...,) whether camera points (..., 3) lie in front of the camera and inside the image."""
        pixels = self.project(points_m)
        with np.errstate(invalid="ignore"):
            inside = (pixels >= 0) & (pixels <= (self.width_px, self.height_px))
        return np.asarray(inside.all(axis=-1))


def camera_for_video(original: Array, width_px: int, height_px: int) -> Camera:
    """Camera of a resized video, from the intrinsics of the original one.

    The annotations never name the original size; its principal point is the image's centre, so the size is twice the
    principal point. A video stretched by resizing gets different scales in x and y.

    Args:
        original: Intrinsics (3, 3) before resizing.
        width_px: Of the video.
        height_px: Of the video.

    Raises:
        WrongShapeError: intrinsics that cannot be a pinhole camera's.
    """
    K = np.asarray(original, dtype=np.float64)
    if K.shape != (3, 3) or not np.isfinite(K).all() or min(K[0, 0], K[1, 1], K[0, 2], K[1, 2]) <= 0:
        raise WrongShapeError("intrinsics", K.tolist(), "a (3, 3) pinhole matrix with positive focal length and centre")
    scale = np.diag([width_px / (2 * K[0, 2]), height_px / (2 * K[1, 2]), 1.0])
    return Camera(scale @ K, width_px, height_px)
