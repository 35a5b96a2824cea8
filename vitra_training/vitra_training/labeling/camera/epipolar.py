"""Which matches between two images fit one motion of the camera."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LIMIT_PX = 1.5
"""Distance from its epipolar line at which a match still fits."""


def fundamental(
    first_px: NDArray[np.float32], second_px: NDArray[np.float32], confidence: float, iterations: int
) -> tuple[Array, NDArray[np.bool_]] | None:
    """The fundamental matrix (3, 3) and which matches fit it; None where there is none.

    OpenCV asserts inside its sampling on some degenerate matches (seen with OpenCV 5.0 on rendered rooms): that is no
    matrix, and no reason to lose a clip.

    Args:
        first_px: (N, 2).
        second_px: (N, 2).
        confidence: of having found it.
        iterations: at most.
    """
    try:
        F, fits = cv2.findFundamentalMat(first_px, second_px, cv2.USAC_FAST, LIMIT_PX, confidence, iterations)
    except cv2.error:
        return None
    if F is None or fits is None:
        return None
    return np.asarray(F[:3], dtype=np.float64), np.asarray(fits.ravel() > 0)
