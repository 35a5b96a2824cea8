"""Named postures of arms and hands; left and right are mirror images at the plane y = 0 of the base."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.hand_description import HandDescription
from vitra_description.hands.xhand1 import XHAND1
from vitra_description.names import Side, parse_side

Array = NDArray[np.float64]

ARM_MIRROR = np.array([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
"""Signs that turn a posture of one arm into its mirror image on the other, with mirrored mountings."""

_HOME_RIGHT_RAD = np.deg2rad([68.0, 83.0, -39.0, 98.0, 92.0, -81.0, -149.0])


def home(side: str) -> Array:
    """Arm posture above the table edge: elbow out and low, palm down, at least 30 deg from any limit, shape (7,)."""
    return _HOME_RIGHT_RAD.copy() if parse_side(side) is Side.RIGHT else ARM_MIRROR * _HOME_RIGHT_RAD


def mirror(q_rad: ArrayLike) -> Array:
    """The mirror image of an arm posture on the other arm, shape (7,)."""
    return np.asarray(ARM_MIRROR * np.asarray(q_rad, dtype=np.float64))


def open_hand(hand: HandDescription = XHAND1) -> Array:
    """Hand posture with straight fingers and the thumb opposed in front of the palm, shape (dof,), either side."""
    return hand.open_rad.copy()
