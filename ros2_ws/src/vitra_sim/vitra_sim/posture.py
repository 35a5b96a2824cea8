"""Start postures of arms and hands: above the table, clear of everything, with the elbows out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_description.names import Side

Array = NDArray[np.float64]

_RIGHT_HOME_DEG = (42.0, 63.0, 5.0, 105.0, -126.0, 112.0, 20.0)
# The mounting mirrors the arms at y = 0: rotations about axes in the mirror plane change sign.
_MIRROR = np.array([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0])

OPEN_HAND_RAD: Array = np.deg2rad([60.0, 20.0, 5.0, 0.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0])


def home_arm_rad(side: Side) -> Array:
    """Start posture of an arm, shape (7,)."""
    right = np.deg2rad(_RIGHT_HOME_DEG)
    return right if side is Side.RIGHT else right * _MIRROR
