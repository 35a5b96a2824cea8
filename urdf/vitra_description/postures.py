"""Named postures of arms and hands; left and right are mirror images at the plane y = 0 of the base."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.arm_description import ArmDescription
from vitra_description.arms.rm75 import RM75_6F
from vitra_description.hand_description import HandDescription
from vitra_description.hands.xhand1 import XHAND1

Array = NDArray[np.float64]

ARM_MIRROR = RM75_6F.mirror
"""Signs that turn a posture of one RM75 into its mirror image on the other, with mirrored mountings."""


def home(side: str, arm: ArmDescription = RM75_6F) -> Array:
    """Arm posture above the table edge: elbow out and low, palm down, far from any limit, shape (7,)."""
    return arm.home(side)


def mirror(q_rad: ArrayLike) -> Array:
    """The mirror image of an arm posture on the other arm, shape (7,)."""
    return np.asarray(ARM_MIRROR * np.asarray(q_rad, dtype=np.float64))


def open_hand(hand: HandDescription = XHAND1) -> Array:
    """Hand posture with straight fingers and the thumb opposed in front of the palm, shape (dof,), either side."""
    return hand.open_rad.copy()
