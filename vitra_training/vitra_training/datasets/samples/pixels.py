"""Images for the network straight from decoded frames: one remap per plane, one colour conversion."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.image import shrink_short_side
from vitra_training.datasets.camera import Camera
from vitra_training.datasets.samples.colour import jitter, rgb_from_yuv
from vitra_training.datasets.samples.view import View

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

IMAGE_PX = 224
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG


def warp_frame(frame: Any, source: Camera, view: View, colour: Array | None = None, size_px: int = IMAGE_PX) -> Image:
    """The (size, size, 3) RGB image that a view shows of a decoded frame.

    Luma and chroma planes are warped as decoded, and conversion to RGB and colour jitter happen at the output size, so
    nothing is ever computed at the source's size. Frames much finer than the view are first shrunk.

    Args:
        frame: `av.VideoFrame` of any pixel format.
        source: camera of the frame.
        view: what to show.
        colour: (4,) jitter factors, see `colour.sample_colour`.
        size_px: side of the image.
    """
    H = view.homography(source, size_px)
    reduce = max(1, round(_source_step(H, size_px)))
    width, height = max(frame.width // reduce, 2) & ~1, max(frame.height // reduce, 2) & ~1
    space, full = frame.colorspace, frame.color_range == _FULL_RANGE
    if reduce > 1 or frame.format.name not in ("yuv420p", "yuvj420p"):
        wanted = "yuvj420p" if full else "yuv420p"
        frame = frame.reformat(width=width, height=height, format=wanted, interpolation="AREA")
    shrunk = np.diag([source.width_px / frame.width, source.height_px / frame.height, 1.0])
    yuv = np.empty((size_px, size_px, 3), dtype=np.uint8)
    planes = []
    for number, (scale, offset) in enumerate(((1.0, 0.5), (2.0, 0.5), (2.0, 0.5))):
        plane = _plane(frame.planes[number])
        # OpenCV puts pixel centres at whole numbers, our cameras at halves.
        to_pixels = np.array([[scale, 0, scale * offset], [0, scale, scale * offset], [0, 0, 1]])
        M = _SHIFT @ H @ shrunk @ to_pixels
        planes.append(
            cv2.warpPerspective(plane, M, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        )
    cv2.merge(planes, yuv)
    to_rgb = rgb_from_yuv(int(space), full)
    rgb = np.asarray(cv2.transform(yuv, to_rgb), dtype=np.uint8)
    return rgb if colour is None else jitter(rgb, colour)


def plain_image(rgb: Image, flipped: bool = False, size_px: int = IMAGE_PX) -> Image:
    """The whole image squashed to a square by the live robot's own two resizes (docs/model.md: Image).

    Args:
        rgb: (H, W, 3).
        flipped: Whether it is mirrored.
        size_px: Side of the square.
    """
    from PIL import Image as Pil

    shrunk = Pil.fromarray(shrink_short_side(rgb, size_px))
    square = np.asarray(shrunk.resize((size_px, size_px), Pil.Resampling.BICUBIC))
    return np.ascontiguousarray(square[:, ::-1]) if flipped else square


_SHIFT = np.array([[1.0, 0, -0.5], [0, 1.0, -0.5], [0, 0, 1]])


def _source_step(H: Array, size_px: int) -> float:
    """Source pixels per view pixel at the view's centre, along the finer-sampled axis."""
    inverse = np.linalg.inv(H)
    centre = np.array([size_px / 2, size_px / 2, 1.0])
    steps = []
    for axis in range(2):
        ends = centre + np.outer([-0.5, 0.5], np.eye(3)[axis])
        moved = ends @ inverse.T
        steps.append(float(np.linalg.norm(np.diff(moved[:, :2] / moved[:, 2:], axis=0))))
    return min(steps)


def _plane(plane: Any) -> Image:
    """A plane of a decoded frame as an array, without copying."""
    rows = np.frombuffer(plane, dtype=np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]
