"""What an answer may ask of joints and wrists at all; beyond it the mapping, not the policy, is wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_policy.transforms import rotation_angle

Array = NDArray[np.float64]

JOINT_RAD_S = 6.0
FINGER_RAD_S = 20.0
WRIST_M_S = 2.5
TURN_RAD = 2 * np.pi
_WRIST_RAD_S = 12.0
_BEHIND_RAD, _BEHIND_M = 0.15, 0.05
"""How far what is measured may be behind what was commanded: the first step may make up for it."""
_FAR_M = 3.0


def joint_fault(wanted: Array, observed: Array, most: float) -> str:
    """What joints (n, dof) [rad] ask for that no joint does, in words: a step above `most`, or more than a turn.

    Args:
        wanted: Joints of the answer.
        observed: Measured (dof,).
        most: Largest step, rad.
    """
    if np.abs(wanted).max() > TURN_RAD:
        return f"would go to {np.abs(wanted).max():.3g} rad"
    steps = np.abs(np.diff(wanted, axis=0, prepend=observed[None])).max(axis=1)
    steps[0] = max(steps[0] - _BEHIND_RAD, 0.0)
    if steps.max() > most:
        return f"would move by {steps.max():.3g} rad in step {int(steps.argmax())}"
    return ""


def pose_fault(poses: Array, observed: Array, step_s: float) -> str:
    """What wrist poses (n, 4, 4) after the measured one (4, 4) ask for that no wrist does, in words.

    Args:
        poses: Wrists of the answer.
        observed: Measured.
        step_s: Time from one to the next.
    """
    if not np.isfinite(poses).all():
        return "has a rotation that is none"
    before = np.concatenate([observed[None], poses[:-1]])
    steps_m = np.linalg.norm(poses[:, :3, 3] - before[:, :3, 3], axis=1)
    steps_m[0] = max(steps_m[0] - _BEHIND_M, 0.0)
    if steps_m.max() > WRIST_M_S * step_s:
        return f"would move by {steps_m.max():.3g} m in step {int(steps_m.argmax())}"
    turns = rotation_angle(np.swapaxes(before[:, :3, :3], 1, 2) @ poses[:, :3, :3])
    turns[0] = max(turns[0] - _BEHIND_RAD, 0.0)
    if turns.max() > _WRIST_RAD_S * step_s:
        return f"would turn by {turns.max():.3g} rad in step {int(turns.argmax())}"
    if np.abs(poses[:, :3, 3]).max() > _FAR_M:
        return f"would be {np.abs(poses[:, :3, 3]).max():.3g} m away"
    return ""
