"""Whether two images show the same although a video has coded them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.episode import Array

_BLOCK_PX = 8
_SAME = 2.5
"""Brightness steps (of 255) that coding alone may change the mean of a block by."""


def block_means(grey: NDArray[np.uint8]) -> Array:
    """(rows, columns) means of blocks: coding changes every image of a video, but hardly its blocks.

    Args:
        grey: (H, W).
    """
    height, width = grey.shape
    size = (max(width // _BLOCK_PX, 1), max(height // _BLOCK_PX, 1))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.float64)


def same_image(content: Array | int, first: Array | int) -> bool:
    """Whether two images are the same: by the means of their blocks, or by checksums where no coding changes them.

    Args:
        content: (rows, columns) means of one image.
        first: Of another.
    """
    if isinstance(content, int) or isinstance(first, int):
        return content is first or (isinstance(content, int) and isinstance(first, int) and content == first)
    return content.shape == first.shape and bool(np.abs(content - first).max() <= _SAME)
