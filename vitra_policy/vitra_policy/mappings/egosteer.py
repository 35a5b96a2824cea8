"""EgoSteer's terms (arXiv 2607.09701, github egosteer): 48 numbers of wrists and fingertips, both hands.

``[left xyz, right xyz, left rot6d, right rot6d, left 5 fingertips xyz, right 5 fingertips xyz]``, thumb first. In a
state wrists are in the camera's frame and fingertips in the frame of their wrist. In an action both are relative to the
newest state: ``wrist = state_wrist @ action_wrist`` and ``fingertips = state_fingertips + action_fingertips``, for
every step, not from step to step. Wrist frames are MANO's, as ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_policy.transforms import invert_pose, make_pose, matrix_from_rot6d, rot6d_from_matrix

Array = NDArray[np.float64]

STATE_DIM = 48
STEPS = 32
STEP_S = 1 / 30

TRANSLATION: dict[Side, slice] = {Side.LEFT: slice(0, 3), Side.RIGHT: slice(3, 6)}
ROTATION: dict[Side, slice] = {Side.LEFT: slice(6, 12), Side.RIGHT: slice(12, 18)}
TIPS: dict[Side, slice] = {Side.LEFT: slice(18, 33), Side.RIGHT: slice(33, 48)}


@dataclass(frozen=True, slots=True)
class HandPose:
    """One hand at one time."""

    camera_from_wrist: Array
    """(4, 4), or (n, 4, 4) over time."""
    fingertips_m: Array
    """(5, 3) in the wrist frame, or (n, 5, 3)."""


def write_state(hands: dict[Side, HandPose]) -> Array:
    """The state (48,) of two hands; an absent hand is at the camera with its fingertips in the wrist."""
    row = np.zeros(STATE_DIM)
    for side in SIDES:
        pose = hands[side].camera_from_wrist if side in hands else np.eye(4)
        row[TRANSLATION[side]], row[ROTATION[side]] = pose[:3, 3], rot6d_from_matrix(pose[:3, :3])
        row[TIPS[side]] = hands[side].fingertips_m.ravel() if side in hands else 0.0
    return row


def read_state(row: Array) -> dict[Side, HandPose]:
    """Hands of states (..., 48)."""
    return {
        side: HandPose(
            make_pose(row[..., TRANSLATION[side]], matrix_from_rot6d(row[..., ROTATION[side]])),
            row[..., TIPS[side]].reshape(*row.shape[:-1], 5, 3),
        )
        for side in SIDES
    }


def relative_actions(state: Array, absolute: Array) -> Array:
    """Actions (n, 48) relative to a state (48,), of absolute rows (n, 48)."""
    now, then = read_state(state), read_state(absolute)
    rows = absolute - state
    for side in SIDES:
        step = invert_pose(now[side].camera_from_wrist) @ then[side].camera_from_wrist
        rows[:, TRANSLATION[side]], rows[:, ROTATION[side]] = step[:, :3, 3], rot6d_from_matrix(step[:, :3, :3])
    return rows


def absolute_actions(state: Array, relative: Array) -> Array:
    """Inverse of `relative_actions`.

    Args:
        state: Wrists and fingertips (48,) the actions start from.
        relative: (T, 48) relative to it.
    """
    now, step = read_state(state), read_state(relative)
    rows = relative + state
    for side in SIDES:
        pose = now[side].camera_from_wrist @ step[side].camera_from_wrist
        rows[:, TRANSLATION[side]], rows[:, ROTATION[side]] = pose[:, :3, 3], rot6d_from_matrix(pose[:, :3, :3])
    return rows
