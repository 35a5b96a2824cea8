"""What a scene must hold, so that a distance measured in it means something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import CameraIntrinsics
from vitra_policy.overlay import project

Array = NDArray[np.float64]

KNOWN_SHARE = 0.3
"""Of the depth image, at least."""
DEPTH_M = (0.15, 6.0)
"""Of the median depth: a table before a person."""
POINTS = (20, 500_000)
NEAREST_M = 0.05
INSIDE_SHARE = 0.9
"""Of an object's points that project into the image, at least."""
LARGEST_M = 1.0
"""Extent of an object that a hand picks up."""
DEPTH_AGREES_M = 0.10
"""Median of how far points are from the depth image at their pixels; their own thickness is part of it."""


def depth_findings(depth_mm: NDArray[Any], camera: CameraIntrinsics) -> Iterator[str]:
    """What is wrong with a depth image (H, W) of uint16."""
    if depth_mm.dtype != np.uint16 or depth_mm.ndim != 2:
        yield f"is {depth_mm.dtype} {depth_mm.shape}; one channel of 16 bits (millimetres) is allowed"
        return
    if depth_mm.shape != (camera.height_px, camera.width_px):
        yield (
            f"has {depth_mm.shape[1]}x{depth_mm.shape[0]} px, the camera {camera.width_px}x{camera.height_px}; "
            "align depth to colour at the same size"
        )
    known = depth_mm[depth_mm > 0].astype(np.float64) / 1e3
    if known.size < KNOWN_SHARE * depth_mm.size:
        yield f"is known in {known.size / max(depth_mm.size, 1):.0%} of its pixels; at least {KNOWN_SHARE:.0%}"
    elif not DEPTH_M[0] <= np.median(known) <= DEPTH_M[1]:
        yield f"has a median of {np.median(known):.3g} m; {DEPTH_M[0]} to {DEPTH_M[1]} m allowed (unit: millimetres)"


def point_findings(points_m: Array, depth_mm: NDArray[np.uint16], camera: CameraIntrinsics) -> Iterator[str]:
    """What is wrong with an object's points.

    Args:
        points_m: (N, 3) in the camera frame.
        depth_mm: (H, W).
        camera: Of both images.
    """
    if not POINTS[0] <= len(points_m) <= POINTS[1]:
        yield f"has {len(points_m)} points; {POINTS[0]} to {POINTS[1]} allowed"
        return
    if not np.isfinite(points_m).all():
        yield "has numbers that are not finite; leave those points out"
        return
    if points_m[:, 2].min() < NEAREST_M:
        yield (
            f"has points at z = {points_m[:, 2].min():.3g} m; all must be in front of the camera by {NEAREST_M} m "
            "(camera frame: x right, y down, z forward, metres)"
        )
        return
    extent = float(np.ptp(points_m, axis=0).max())
    if extent > LARGEST_M:
        yield f"extends over {extent:.3g} m; at most {LARGEST_M} m (metres, one object, no background)"
    pixels = np.floor(project(points_m, camera.matrix)).astype(np.int64)
    inside = ((pixels >= 0) & (pixels < [camera.width_px, camera.height_px])).all(axis=1)
    if inside.mean() < INSIDE_SHARE:
        yield f"projects into the image with {inside.mean():.0%} of its points; at least {INSIDE_SHARE:.0%}"
        return
    seen = depth_mm[pixels[inside, 1], pixels[inside, 0]].astype(np.float64) / 1e3
    away = np.abs(seen - points_m[inside, 2])[seen > 0]
    if away.size and np.median(away) > DEPTH_AGREES_M:
        yield (
            f"is {np.median(away):.2f} m off the depth image (median); at most {DEPTH_AGREES_M} m "
            "(aligned images? metres? the same camera frame?)"
        )
