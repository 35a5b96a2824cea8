"""Whether an RM75 with an XHand could do what a hand did: reach, joint limits and speeds, collisions, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import default_calibration
from vitra_description.ik import DifferentialIk, IkSearch, IkSettings, solve_ik
from vitra_description.kinematics import ArmModel
from vitra_description.limits import ARM_LIMITS, HAND_LIMITS
from vitra_description.postures import home
from vitra_policy.action_space import Side
from vitra_policy.hand.xhand_map import xhand_from_mano
from vitra_policy.transforms import invert_pose
from vitra_safety.collision import CollisionModel

Array = NDArray[np.float64]

_STEP_S = 0.01
_POSITION_M, _ROTATION_RAD = 0.02, 0.2
"""How far the robot may be behind for a step to count as followed."""
_FINGER_RAD = 0.25
_CLEARANCE_M = 0.005


@dataclass(frozen=True, slots=True)
class Executability:
    """How much of a hand's path a robot could follow; shares of its steps."""

    share: float
    """Everything at once."""
    reach: float
    """Wrist within 2 cm and 0.2 rad, inside joint limits and at allowed joint speeds."""
    fingers: float
    """XHand joints within limits and speeds (0.25 rad)."""
    clear: float
    """No part of the arm within 5 mm of itself, the hand or the torso."""
    shift_m: float
    """How far the whole path was moved: people's arms start elsewhere than the robot's."""


@dataclass(frozen=True, slots=True)
class ExecutabilityConfig:
    """How the path is put before the robot."""

    recentre: bool = True
    """Move the path, without turning it, so that its middle lies where the robot's hand rests; otherwise it stays where
    the person's camera saw it."""


def executability(
    camera_from_wrist: Array, fingers_rad: Array, side: Side, fps: float, config: ExecutabilityConfig | None = None
) -> Executability:
    """Follow a path with the robot's own inverse kinematics.

    Args:
        camera_from_wrist: (T, 4, 4) in the camera of the first frame, which the robot's head camera stands for.
        fingers_rad: (T, 45).
        side: which arm.
        fps: of the path; the robot keeps the person's pace.
        config: placement.
    """
    config = config or ExecutabilityConfig()
    arm, base_from_camera = _arm(side)
    path = base_from_camera @ camera_from_wrist
    shift = np.zeros(3)
    if config.recentre:
        shift = arm.wrist_pose(home(side))[:3, 3] - path[:, :3, 3].mean(axis=0)
        path = path.copy()
        path[:, :3, 3] += shift
    followed, postures = _follow(arm, path, side, fps)
    collisions = _collision_model(side)
    clear = np.array([collisions.distance_m(q) > _CLEARANCE_M for q in postures])
    fingers = _fingers_follow(fingers_rad, fps)
    together = followed & clear & fingers
    share, reach, hand, free = (float(mask.mean()) for mask in (together, followed, fingers, clear))
    return Executability(share, reach, hand, free, float(np.linalg.norm(shift)))


def _follow(arm: ArmModel, path: Array, side: Side, fps: float) -> tuple[NDArray[np.bool_], Array]:
    start = solve_ik(arm, path[0], home(side), search=IkSearch(restarts=4))
    ik = DifferentialIk(
        arm, home(side), ARM_LIMITS, IkSettings(period_s=_STEP_S, max_linear_m_s=3.0, max_angular_rad_s=8.0)
    )
    q, postures = start.position_rad, []
    followed = np.zeros(len(path), dtype=bool)
    per_frame = max(round(1 / (fps * _STEP_S)), 1)
    for frame, target in enumerate(path):
        for _ in range(per_frame):
            q = ik.step(q, target).position_rad
        error = ik.step(q, target)
        followed[frame] = error.position_error_m < _POSITION_M and error.rotation_error_rad < _ROTATION_RAD
        postures.append(q)
    return followed, np.array(postures)


def _fingers_follow(fingers_rad: Array, fps: float) -> NDArray[np.bool_]:
    wanted = xhand_from_mano(fingers_rad)
    q = HAND_LIMITS.clip(wanted[0])
    ok = np.zeros(len(wanted), dtype=bool)
    reach = HAND_LIMITS.velocity_rad_s / fps
    for frame, target in enumerate(wanted):
        q = HAND_LIMITS.clip(q + np.clip(target - q, -reach, reach))
        ok[frame] = np.abs(target - q).max() < _FINGER_RAD
    return ok


@cache
def _arm(side: Side) -> tuple[ArmModel, Array]:
    """An arm, and the head camera's pose in its base."""
    calibration = default_calibration()
    return ArmModel(side=calibration.side(side)), invert_pose(calibration.head_camera_from_arm_base(side))


@cache
def _collision_model(side: Side) -> CollisionModel:
    return CollisionModel(default_calibration(), (side,))
