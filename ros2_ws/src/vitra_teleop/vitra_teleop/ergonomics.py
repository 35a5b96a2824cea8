"""Glove angles (Manus-style ergonomics: five fingers x spread, MCP, PIP, DIP) as XHand joints."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vitra_description.limits import HAND_LIMITS
from vitra_teleop.hands import Array


def joints_from_ergonomics(angles_deg: ArrayLike) -> Array:
    """XHand joints (12,) rad, within limits, of 20 glove angles in degrees.

    A finger has one joint for the knuckle and one for the rest: the mean of middle and end joint, so that a fist is a
    fist. The thumb's spread opposes it, its bends close it.
    """
    finger = np.radians(np.asarray(angles_deg, dtype=np.float64).reshape(5, 4))
    thumb, index = finger[0], finger[1]
    bends = np.stack([finger[1:, 1], finger[1:, 2:].mean(axis=1)], axis=1)
    joints = np.concatenate([[thumb[0], thumb[1], thumb[2:].mean(), index[0]], bends.ravel()])
    return np.asarray(np.clip(joints, HAND_LIMITS.lower_rad, HAND_LIMITS.upper_rad))
