"""Virtual cameras: looking at part of an image through a rotated camera, and what that does to hands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.camera import Camera

Array = NDArray[np.float64]

MIRROR = np.diag([-1.0, 1.0, 1.0])
"""Reflection of camera coordinates when the image is flipped left to right."""


@dataclass(frozen=True, slots=True)
class View:
    """A camera at the same place as the source camera, turned, with its principal point centred; maybe mirrored.

    Turning a camera about its centre moves pixels by a homography whatever the depth, so images and hands can be
    transformed exactly alike.
    """

    rotation: Array
    """(3, 3) view_from_camera, proper."""
    fov_rad: Array
    """(2,) horizontal and vertical field of view."""
    flipped: bool = False

    @property
    def reflection(self) -> Array:
        """(3, 3) view_from_camera including the mirror; determinant -1 when flipped."""
        return MIRROR @ self.rotation if self.flipped else self.rotation

    def camera(self, size_px: int) -> Camera:
        """The view's own camera for square images."""
        focal = size_px / 2 / np.tan(self.fov_rad / 2)
        K = np.array([[focal[0], 0, size_px / 2], [0, focal[1], size_px / 2], [0, 0, 1]])
        return Camera(K, size_px, size_px)

    def points(self, points_m: Array) -> Array:
        """Camera points (..., 3) in the view."""
        moved: Array = points_m @ self.reflection.T
        return moved

    def wrists(self, poses: Array) -> Array:
        """camera_from_wrist (..., 4, 4) in the view; a mirrored hand becomes the other (docs/model.md: Training)."""
        R = self.reflection
        moved = poses.copy()
        moved[..., :3, 3] = poses[..., :3, 3] @ R.T
        moved[..., :3, :3] = R @ poses[..., :3, :3] @ (MIRROR if self.flipped else np.eye(3))
        return moved

    def homography(self, source: Camera, size_px: int) -> Array:
        """(3, 3) source pixels to view pixels, both with pixel i covering [i, i + 1]."""
        H: Array = self.camera(size_px).intrinsics @ self.reflection @ np.linalg.inv(source.intrinsics)
        return H


def full_view(source: Camera, flipped: bool = False) -> View:
    """The whole image squashed to a square, as the live robot sees it."""
    return View(np.eye(3), source.fov_rad, flipped)
