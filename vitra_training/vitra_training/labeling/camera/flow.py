"""Points of one image in the next, kept where the way back leads to where they began (Kalal et al. 2010)."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
_LEVELS = 3


def followed(
    before: NDArray[np.uint8], after: NDArray[np.uint8], start_px: Points, window_px: int, tolerance_px: float
) -> tuple[Points, NDArray[np.bool_]]:
    """Follow points with Lucas and Kanade's method, there and back.

    Args:
        before: Grey image (H, W).
        after: The next one, of the same size.
        start_px: Points in the first (N, 1, 2); pixel centres at whole numbers.
        window_px: Side of the patch around each.
        tolerance_px: How far from its start the way back may end.

    Returns:
        The points in the second image (N, 1, 2), and which of them (N,) came back.
    """
    somewhere = cast(Points, None)  # OpenCV's "make a new array", which its type hints leave out
    size = (window_px, window_px)
    end, found, _ = cv2.calcOpticalFlowPyrLK(before, after, start_px, somewhere, winSize=size, maxLevel=_LEVELS)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, end, somewhere, winSize=size, maxLevel=_LEVELS)
    away_px = np.linalg.norm((back - start_px)[:, 0], axis=1)
    good = (np.asarray(found) & np.asarray(found_back)).ravel().astype(bool) & (away_px < tolerance_px)
    return np.asarray(end, dtype=np.float32), np.asarray(good)
