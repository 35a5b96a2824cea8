"""Intrinsics of a camera that does not come from librealsense, in the form that `fill_camera_info` takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class LensModel(Enum):
    """By librealsense's names."""

    none = 0
    """No distortion."""
    brown_conrady = 1
    """ROS's plumb_bob: k1 k2 p1 p2 k3."""
    kannala_brandt4 = 2
    """ROS's equidistant: four coefficients."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A pinhole camera, pixels, with at most five coefficients of distortion.

    Attributes:
        width: Of the image.
        height: Of the image.
        fx: Focal length along x.
        fy: Focal length along y.
        ppx: Principal point, x.
        ppy: Principal point, y.
        model: What the coefficients mean.
        coeffs: Distortion.
    """

    width: int
    height: int
    fx: float
    fy: float
    ppx: float
    ppy: float
    model: LensModel = LensModel.none
    coeffs: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
