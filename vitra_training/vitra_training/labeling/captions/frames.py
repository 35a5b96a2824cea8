"""The images that a captioner sees: evenly sampled frames with the palm's way from each to the end (paper, III-C)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.video import Image

Array = NDArray[np.float64]

FRAMES = 8
_SHORT_SIDE_PX = 448


def sampled(start: int, end: int, count: int = FRAMES) -> list[int]:
    """Frames spread evenly over [start, end), both ends included.

    Args:
        start: First frame.
        end: Frame after the last.
        count: How many.
    """
    return [int(frame) for frame in np.linspace(start, end - 1, min(count, end - start)).round()]


def drawn(image: Image, palms_m: Array, camera_from_world: Array, intrinsics: Array) -> Image:
    """A copy with the palm's way drawn on it, from blue (now) to red (the end).

    Args:
        image: RGB.
        palms_m: (N, 3) palm centres in the world from this frame to the end.
        camera_from_world: (4, 4) of this frame.
        intrinsics: (3, 3) for the image's size.
    """
    scale = min(1.0, _SHORT_SIDE_PX / min(image.shape[:2]))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    copy = np.ascontiguousarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    seen = palms_m @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    seen = seen[seen[:, 2] > 0.02]
    if len(seen):
        pixels = (seen[:, :2] / seen[:, 2:] * intrinsics[[0, 1], [0, 1]] + intrinsics[:2, 2]) * scale
        pixels = np.clip(pixels, -2000, 4000).round().astype(int)
        for n, (a, b) in enumerate(zip(pixels[:-1], pixels[1:], strict=True)):
            share = n / max(len(pixels) - 1, 1)
            colour = (round(255 * share), 40, round(255 * (1 - share)))
            cv2.line(copy, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), colour, 3, cv2.LINE_AA)
        cv2.circle(copy, (int(pixels[0][0]), int(pixels[0][1])), 6, (0, 255, 0), -1, cv2.LINE_AA)
    return np.asarray(copy, dtype=np.uint8)


def jpeg(image: Image, quality: int = 80) -> bytes:
    """The image as JPEG."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return bytes(data)
