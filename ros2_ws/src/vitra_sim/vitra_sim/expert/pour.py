"""The plan to pour: over the box, tilt, and back another way, so that a look tells whether it is poured already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import Side
from vitra_sim.expert.grasp import preferred_yaw_rad
from vitra_sim.expert.motion import Phase, Plan, Waypoint
from vitra_sim.expert.moves import LIFT_M, at_height, postures, raised, take, turned
from vitra_sim.expert.scene import Scene
from vitra_sim.scene.table import CUP_ZONE, for_side

Array = NDArray[np.float64]

_YAW_RAD = np.deg2rad(-22.0)  # of the right hand; with it the arm reaches the tilt everywhere over the box
_TILT_RAD = np.deg2rad(108.0)
_STEPS = 4  # wrist moves are straight lines: the cup stays in place if the turn is cut into some
_ABOVE_M = 0.085  # the cup's centre above the rim
_BACK_ABOVE_M = 0.055  # the way back above the way there
_SHORT_M = 0.02  # the balls fly this far from the mouth
_RAISE_S = 1.5  # long enough for the last balls: nowhere here does the cup rest
_DOWN_YAW_RAD = np.deg2rad(-25.0)  # of the right hand when it puts the cup down, from that in which it takes it
_DOWN_M = 0.004  # above the table when it is let go
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True)
class PourPath:
    """How a cup is turned over a box.

    Attributes:
        over_m: Where its centre is meanwhile (3,).
        yaw_rad: Thumb-to-finger direction.
        axis: It is turned about this axis (3,) through its centre.
        tilts_rad: By these angles, one after another.
        back_m: Where its centre is while it is turned upright again (3,).
    """

    over_m: Array
    yaw_rad: float
    axis: Array
    tilts_rad: Array
    back_m: Array


def pour_path(side: Side, half_m: Array, box_centre_m: Array, rim_m: float) -> PourPath:
    """The turn of a cup of some size over a box with its rim at some height.

    Args:
        side: Which hand holds the cup.
        half_m: Half of the cup's size (3,).
        box_centre_m: Middle of the box (3,).
        rim_m: Height of its rim over base_link.
    """
    sign = 1.0 if side is Side.RIGHT else -1.0
    yaw = sign * _YAW_RAD
    axis = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    mouth = sign * np.cross(axis, _UP)  # where the cup's mouth points when it lies
    over = at_height(box_centre_m - mouth * (half_m[2] + _SHORT_M), rim_m + _ABOVE_M)
    tilts = sign * _TILT_RAD * np.arange(1, _STEPS + 1) / _STEPS
    return PourPath(over, yaw, axis, tilts, over + _BACK_ABOVE_M * _UP)


def pour(scene: Scene) -> Plan:
    """Take the cup, turn it over the box about the closing axis, put it down; from wherever in this it is.

    The cup is tilted without a rest, raised while it is tilted, turned upright and carried back higher than it came,
    and put down in the middle of its zone: a policy without memory cannot know where it stood.
    """
    _, firm = postures(scene)
    path = _path(scene)
    if scene.is_held:
        return Plan(scene.wrist, firm, _back(scene) if scene.is_done else [*_there(scene), *_back(scene)])
    lifted = at_height(scene.object_pose[:3, 3], path.over_m[2])
    lift = Waypoint(Phase.LIFT, scene.wrist_for(lifted, scene.grasp.yaw_rad), firm, 0.8)
    return Plan(scene.wrist, scene.fingers_rad, [*take(scene), lift, *_there(scene), *_back(scene)])


def _path(scene: Scene) -> PourPath:
    rim_m = scene.box_floor_m + 2 * float(scene.box_half_m[2])
    return pour_path(scene.task.side, scene.object_half_m, scene.box_centre_m, rim_m)


def _there(scene: Scene) -> list[Waypoint]:
    """Over the box, and tilted until it is empty."""
    _, firm = postures(scene)
    path = _path(scene)
    upright = scene.wrist_for(path.over_m, path.yaw_rad)
    tilts = [turned(upright, path.over_m, path.axis, tilt) for tilt in path.tilts_rad]
    carry = Waypoint(Phase.CARRY, upright, firm, 1.0)
    return [carry, *(Waypoint(Phase.POUR, pose, firm, stops=False) for pose in tilts)]


def _back(scene: Scene) -> list[Waypoint]:
    """Up, upright, and to where it is put down."""
    wide, firm = postures(scene)
    path, side = _path(scene), scene.task.side
    upright = scene.wrist_for(path.back_m, path.yaw_rad)
    poses = [turned(upright, path.back_m, path.axis, tilt) for tilt in path.tilts_rad[::-1]]
    x, y = for_side(CUP_ZONE, side).middle
    sign = 1.0 if side is Side.RIGHT else -1.0
    down = np.array([x, y, scene.box_floor_m + scene.object_half_m[2] + _DOWN_M])
    put = scene.wrist_for(down, preferred_yaw_rad(side, y) + sign * _DOWN_YAW_RAD)
    return [
        Waypoint(Phase.RETURN, poses[0], firm, _RAISE_S, stops=False),
        *(Waypoint(Phase.RETURN, pose, firm, stops=False) for pose in poses[1:]),
        Waypoint(Phase.RETURN, upright, firm, stops=False),
        Waypoint(Phase.RETURN, raised(put, path.back_m[2] - down[2]), firm, 1.0),
        Waypoint(Phase.LOWER, put, firm, 0.8),
        Waypoint(Phase.RELEASE, put, wide, 0.6),
        Waypoint(Phase.RETREAT, raised(put, LIFT_M), wide, 0.8),
    ]
