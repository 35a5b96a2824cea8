"""Which finger angles a fit may change, and how far they stray from a relaxed hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _table() -> tuple[list[int], list[float], list[float]]:
    dims, mean, sigma = [], [], []
    for finger in range(4):  # index, middle, pinky, ring: spread of the first joint, flexion of all three
        base = 9 * finger
        for dim, middle, spread in (
            (base + 1, 0.0, 0.12),
            (base + 2, 0.35, 0.45),
            (base + 5, 0.45, 0.45),
            (base + 8, 0.3, 0.3),
        ):
            dims.append(dim)
            mean.append(middle)
            sigma.append(spread)
    for dim, middle, spread in (  # thumb: free at its root, then spread and flexion
        (36, 0.1, 0.3), (37, -0.1, 0.35), (38, 0.2, 0.35), (40, 0.15, 0.3), (41, 0.0, 0.2), (44, 0.2, 0.4),
    ):  # fmt: skip
        dims.append(dim)
        mean.append(middle)
        sigma.append(spread)
    return dims, mean, sigma


_DIMS, _MEAN, _SIGMA = _table()
FREE_DIMS: tuple[int, ...] = tuple(_DIMS)
"""Of the 45 finger angles, those that a fit changes; the others stay 0 (knuckles are no ball joints)."""
PRIOR_RAD: Array = np.array(_MEAN)
"""(n,) a relaxed hand."""
SIGMA_RAD: Array = np.array(_SIGMA)
"""(n,) how far hands at work differ from it."""
