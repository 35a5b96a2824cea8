"""The plan to sweep: the brush behind the cubes that are left, across, over the mat's edge, and let go."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import Side
from vitra_policy.transforms import invert_pose
from vitra_sim.expert.motion import Phase, Plan, Waypoint
from vitra_sim.expert.moves import postures, raised, take
from vitra_sim.expert.scene import Scene
from vitra_sim.scene.objects import yaw_pose

Array = NDArray[np.float64]

_UP_M = 0.05  # the brush is carried over the cubes to where the sweep begins
_GAP_M, _DOWN_M = 0.010, 0.006  # between brush and table: at the begin, and when it is let go
_BEHIND_M = 0.07  # from the last cube: an arm off its path does not put the brush onto it
_OVER_M = 0.030  # beyond the mat's edge


def sweep(scene: Scene) -> Plan:
    """Take the brush behind the cubes that are left, push them over the mat's edge, let go.

    Where the hand has the brush already, it is raised, turned upright and taken behind them again.
    """
    wide, firm = postures(scene)
    begin, end = _begin_and_end(scene)
    at_begin, at_end = _wrist_for(scene, begin), _wrist_for(scene, end)
    moves = [
        Waypoint(Phase.LIFT, raised(at_begin, _UP_M), firm, 0.6),
        Waypoint(Phase.LOWER, at_begin, firm, 0.6),
        Waypoint(Phase.SWEEP, at_end, firm, 1.5),
        Waypoint(Phase.RELEASE, at_end, wide, 0.6),
        Waypoint(Phase.RETREAT, raised(at_end, 2 * float(scene.object_half_m[2]) + 0.06), wide, 0.8),
    ]
    centre = scene.object_pose[:3, 3]
    if scene.is_gripped:
        up_m = max(float(begin[2] - centre[2]) + _UP_M, 0.0)
        return Plan(scene.wrist, firm, [Waypoint(Phase.LIFT, raised(scene.wrist, up_m), firm, 0.6), *moves])
    up = raised(scene.wrist_for(centre, scene.grasp.yaw_rad), _UP_M)
    return Plan(scene.wrist, scene.fingers_rad, [*take(scene), Waypoint(Phase.LIFT, up, firm, 0.6), *moves])


def _begin_and_end(scene: Scene) -> tuple[Array, Array]:
    """Where the brush's centre (3,) is when the sweep begins and ends."""
    inwards = 1.0 if scene.task.side is Side.RIGHT else -1.0  # where the mat lies: towards +y of the right hand
    left = scene.pieces_left_m if len(scene.pieces_left_m) else scene.pieces_m
    x = float(left[:, 0].min() + left[:, 0].max()) / 2
    on_table = scene.box_floor_m + float(scene.object_half_m[2])
    begin_y = inwards * float((inwards * left[:, 1]).min() - _BEHIND_M)
    end_y = float(scene.box_centre_m[1]) - inwards * (float(scene.box_half_m[1]) - _OVER_M)
    return np.array([x, begin_y, on_table + _GAP_M]), np.array([x, end_y, on_table + _DOWN_M])


def _wrist_for(scene: Scene, centre_m: Array) -> Array:
    """Wrist pose (4, 4) that has the brush upright at a place (3,), its head across; as it is in the hand, if it is."""
    head_rad = float(np.arctan2(scene.object_pose[1, 0], scene.object_pose[0, 0]))
    if scene.is_gripped:
        across_rad = np.pi * round(head_rad / np.pi)
        x, y, z = centre_m
        return np.asarray(yaw_pose((x, y, z), across_rad) @ invert_pose(scene.object_pose) @ scene.wrist)
    return scene.wrist_for(centre_m, scene.grasp.yaw_rad - float(np.arctan(np.tan(head_rad))))
