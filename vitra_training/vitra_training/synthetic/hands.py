"""Poses of human-like hands: where palms face, how fingers close, and what a hand holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS_DIM, Side
from vitra_policy.transforms import make_pose

Array = NDArray[np.float64]

# Finger flexion at full grip [rad] of the joints 1, 2, 3 about their z axes, in MANO order without the thumb.
_FULL_FLEXION = np.array([[1.0, 1.0, 0.6], [1.1, 1.1, 0.7], [1.1, 1.0, 0.6], [1.1, 1.1, 0.7]])
_REST_FLEXION = np.array([[0.15, 0.2, 0.1], [0.2, 0.25, 0.15], [0.3, 0.3, 0.2], [0.25, 0.3, 0.15]])
_THUMB = slice(36, 45)
_THUMB_REST = np.array([0.0, -0.1, 0.1, 0.0, 0.1, 0.0, 0.0, 0.1, 0.0])
_THUMB_FULL = np.array([0.3, -0.3, 0.7, 0.0, 0.5, 0.0, 0.0, 0.6, 0.0])

HELD_FROM_WRIST_M: dict[Side, Array] = {
    Side.LEFT: np.array([0.105, -0.045, 0.015]),
    Side.RIGHT: np.array([-0.105, -0.045, 0.015]),
}
"""Centre of a held thing in the wrist frame: before the palm, under the fingers."""


def fingers(grip: float, variation: Array | None = None) -> Array:
    """(45,) finger angles, right-hand convention, for a grip from 0 (relaxed, open) to 1 (closed).

    Args:
        grip: how far the hand is closed.
        variation: (45,) small personal offsets, rad.
    """
    angles = np.zeros(FINGERS_DIM)
    flexion = _REST_FLEXION + grip * (_FULL_FLEXION - _REST_FLEXION)
    angles[:36].reshape(4, 3, 3)[..., 2] = flexion
    angles[_THUMB] = _THUMB_REST + grip * (_THUMB_FULL - _THUMB_REST)
    return angles if variation is None else angles + variation


def wrist_rotation(side: Side, pointing: Array, back: Array) -> Array:
    """Wrist rotation (3, 3) whose fingers point one way and whose back of the hand faces another.

    Args:
        side: Which hand.
        pointing: Direction (3,) of the fingers.
        back: Direction (3,) of the back of the hand.
    """
    x = pointing / np.linalg.norm(pointing) * (1.0 if side == "left" else -1.0)
    y = back - x * (x @ back)
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def grasp_pose(side: Side, rotation: Array, thing_m: Array) -> Array:
    """Wrist pose (4, 4) with which a hand holds a thing at a place.

    Args:
        side: Which hand.
        rotation: Of the wrist (3, 3).
        thing_m: Where the thing is (3,).
    """
    return make_pose(thing_m - rotation @ HELD_FROM_WRIST_M[side], rotation)


def side_grasp(side: Side, heading_rad: float = 0.0) -> Array:
    """Wrist rotation (3, 3) for a tall thing: fingers forward, thumb up, palm inward.

    Args:
        side: Which hand.
        heading_rad: Turn about the vertical.
    """
    inward = 1.0 if side == "right" else -1.0
    heading = inward * heading_rad
    pointing = np.array([np.cos(heading), np.sin(heading), -0.15])
    outward = np.array([np.sin(heading), -np.cos(heading), 0.25 * inward]) * inward
    return wrist_rotation(side, pointing, outward)


def top_grasp(side: Side, heading_rad: float = 0.0) -> Array:
    """Wrist rotation (3, 3) for a flat thing: fingers forward and down, back of the hand up.

    Args:
        side: Which hand.
        heading_rad: Turn about the vertical.
    """
    heading = heading_rad if side == "right" else -heading_rad
    pointing = np.array([0.8 * np.cos(heading), 0.8 * np.sin(heading), -0.6])
    return wrist_rotation(side, pointing, np.array([0.5, 0.0, 0.9]))
