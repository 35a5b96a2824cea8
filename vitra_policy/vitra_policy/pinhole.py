"""Which matrix of intrinsics a pinhole camera can have; policies and data sets ask the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SKEW_MAX = 1e-3
"""Of the focal length. Rows and columns of a sensor are square to each other far beyond a thousandth, and calibrations
write 0; more is another number in the wrong place."""
FORM = "[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]"


_FIXED = {(1, 0): 0.0, (2, 0): 0.0, (2, 1): 0.0, (2, 2): 1.0}


def is_pinhole(intrinsics: NDArray[Any]) -> bool:
    """Whether a matrix has the form of a pinhole camera's, with hardly any skew.

    Args:
        intrinsics: (3, 3) pixels.
    """
    return not no_pinhole_because(intrinsics)


def no_pinhole_because(intrinsics: NDArray[Any]) -> str:
    """Which elements keep a matrix from being a pinhole camera's, and by how much; empty if none does.

    Args:
        intrinsics: (3, 3) pixels.
    """
    K = np.asarray(intrinsics, dtype=np.float64)
    wrong = [
        f"K[{row}, {column}] is {K[row, column]!s}, {abs(K[row, column] - value):.3g} off {value:g}"
        for (row, column), value in _FIXED.items()
        if K[row, column] != value
    ]
    skew_px, most_px = K[0, 1], SKEW_MAX * abs(K[0, 0])
    if not abs(skew_px) <= most_px:
        wrong.append(f"K[0, 1], the skew, is {skew_px!s} px, more than {SKEW_MAX:g} of fx ({most_px:.3g} px)")
    return "; ".join(wrong)
