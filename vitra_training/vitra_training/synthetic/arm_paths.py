"""Joint paths of an RM75 arm whose hand follows a given wrist path, and where that arm stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import SideCalibration
from vitra_description.ik import IkSearch, solve_ik
from vitra_description.kinematics import ArmModel
from vitra_description.limits import ARM_LIMITS, ARM_VENDOR_LIMITS
from vitra_description.names import ARM_DOF
from vitra_description.postures import home
from vitra_policy.action_space import Side
from vitra_policy.transforms import invert_pose

Array = NDArray[np.float64]

_MOUNTS = 30
_NEAR_HOME, _SPREAD_RAD, _SHARE_OF_LIMITS = 8, 0.35, 0.7


@dataclass(frozen=True, slots=True)
class ArmPath:
    """An arm that can do a motion."""

    base_from_world: Array
    """(4, 4) where it stands."""
    joints_rad: Array
    """(T, 7) within its position and velocity limits."""


def find_arm_path(
    world_from_wrist: Array, side: Side, extrinsics: SideCalibration, fps: float, rng: np.random.Generator
) -> ArmPath | None:
    """Mount an arm so that its hand can follow a wrist path; None where none of the mounts tried allows it.

    The arm is put where some posture reaches the middle of the path, the home posture first, and followed from there in
    both directions.

    Args:
        world_from_wrist: (T, 4, 4).
        side: of the arm.
        extrinsics: how the hand sits on the flange.
        fps: poses per second.
        rng: source of the postures tried.
    """
    arm, middle = ArmModel(side=extrinsics), len(world_from_wrist) // 2
    for attempt in range(_MOUNTS):
        posture = _posture(attempt, side, rng)
        base_from_world = arm.wrist_pose(posture) @ invert_pose(world_from_wrist[middle])
        targets = base_from_world @ world_from_wrist
        after = _follow(arm, targets[middle:], posture)
        before = _follow(arm, targets[middle::-1], posture) if after is not None else None
        if after is None or before is None:
            continue
        joints = np.concatenate([before[::-1], after[1:]])
        if (np.abs(np.diff(joints, axis=0)) * fps <= ARM_VENDOR_LIMITS.velocity_rad_s).all():
            return ArmPath(base_from_world, joints)
    return None


def _posture(attempt: int, side: Side, rng: np.random.Generator) -> Array:
    if attempt < _NEAR_HOME:
        return ARM_LIMITS.clip(home(side) + (rng.normal(0, _SPREAD_RAD, ARM_DOF) if attempt else 0.0))
    return rng.uniform(_SHARE_OF_LIMITS * ARM_LIMITS.lower_rad, _SHARE_OF_LIMITS * ARM_LIMITS.upper_rad)


def _follow(arm: ArmModel, targets: Array, start_rad: Array) -> Array | None:
    """(T, 7) joints for targets (T, 4, 4), each found from the one before; None where one is out of reach."""
    path, q = [], start_rad
    for target in targets:
        solution = solve_ik(arm, target, q, ARM_LIMITS, search=IkSearch(restarts=0, iterations=40))
        if not solution.converged:
            return None
        path.append(q := solution.position_rad)
    return np.stack(path)
