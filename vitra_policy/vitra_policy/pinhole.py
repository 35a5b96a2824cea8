"""Which matrix of intrinsics a pinhole camera can have; policies and data sets ask the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SKEW_MAX = 1e-3
"""Of the focal length. Rows and columns of a sensor are square to each other far beyond a thousandth, and calibrations
write 0; more is another number in the wrong place."""
FORM = "[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]"


def is_pinhole(intrinsics: NDArray[Any]) -> bool:
    """Whether a matrix has the form of a pinhole camera's, with hardly any skew.

    Args:
        intrinsics: (3, 3) pixels.
    """
    K = intrinsics
    upright = np.array_equal(K[[1, 2, 2, 2], [0, 0, 1, 2]], [0, 0, 0, 1])
    return upright and bool(abs(K[0, 1]) <= SKEW_MAX * abs(K[0, 0]))
