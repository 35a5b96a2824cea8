"""The expert's plans: one path per kind of task, from the measured hand to the task's end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import Side
from vitra_sim.expert.grasp import CLEARANCE_M, SQUEEZE
from vitra_sim.expert.motion import Phase, Plan, Waypoint
from vitra_sim.expert.scene import Scene
from vitra_sim.tasks.tasks import Goal

Array = NDArray[np.float64]

_HOVER_M = 0.10  # fingertips above the object's top before they go down
_LIFT_M = 0.15
_RIM_CLEARANCE_M = 0.035  # object above the rim while it is carried over it
_DROP_M = 0.012  # object above the box's floor when it is let go

_POUR_YAW_RAD = np.deg2rad(-22.0)  # of the right hand; with it the arm reaches the tilt everywhere over the box
_POUR_TILT_RAD = np.deg2rad(108.0)
_POUR_STEPS = 4  # wrist moves are straight lines: the cup stays in place if the turn is cut into some
_POUR_ABOVE_M = 0.085  # the cup's centre above the rim
_POUR_SHORT_M = 0.02  # the balls fly this far from the mouth
_POUR_WAIT_S = 1.2

_SWEEP_UP_M = 0.05  # the brush is carried over the cubes to where the sweep begins
_SWEEP_GAP_M = 0.009  # between brush and table
_SWEEP_BEHIND_M = 0.05  # from the last cube
_SWEEP_OVER_M = 0.030  # beyond the mat's edge
_SWEEP_WAIT_S = 0.6

_HOLD_S = 1.5
_UP = np.array([0.0, 0.0, 1.0])


def make_plan(scene: Scene) -> Plan:
    """The whole episode from the measured wrist on."""
    return _PLANS[scene.task.goal](scene)


def _place(scene: Scene) -> Plan:
    """Into the box; where the object is held already, from the carrying on."""
    centre, half = scene.object_pose[:3, 3], scene.object_half_m
    wide, firm = _postures(scene)
    box_top_m = scene.box_floor_m + 2 * scene.box_half_m[2]
    over_box = np.array([*scene.box_centre_m[:2], box_top_m + _RIM_CLEARANCE_M + half[2]])
    in_box = np.array([*scene.box_centre_m[:2], scene.box_floor_m + 0.005 + _DROP_M + half[2]])
    lifted = _at_height(centre, max(centre[2] + _LIFT_M, over_box[2]))
    place = [
        Waypoint(Phase.CARRY, scene.wrist_for(over_box, 0.0), firm, 1.0),
        Waypoint(Phase.LOWER, scene.wrist_for(in_box, 0.0), firm, 0.7),
        Waypoint(Phase.RELEASE, scene.wrist_for(in_box, 0.0), wide, 0.6),
        Waypoint(Phase.RETREAT, _raised(scene.wrist_for(in_box, 0.0), 2 * half[2] + 0.13), wide, 0.8),
    ]
    if scene.is_held:
        return Plan(scene.wrist, firm, place)
    lift = Waypoint(Phase.LIFT, scene.wrist_for(lifted, scene.grasp.yaw_rad), firm, 0.8)
    return Plan(scene.wrist, scene.fingers_rad, [*_take(scene), lift, *place])


@dataclass(frozen=True, slots=True)
class PourPath:
    """How a cup is turned over a box.

    Attributes:
        over_m: Where its centre is meanwhile (3,).
        yaw_rad: Thumb-to-finger direction.
        axis: It is turned about this axis (3,) through its centre.
        tilts_rad: By these angles, one after another.
    """

    over_m: Array
    yaw_rad: float
    axis: Array
    tilts_rad: Array


def pour_path(side: Side, half_m: Array, box_centre_m: Array, rim_m: float) -> PourPath:
    """The turn of a cup of some size over a box with its rim at some height.

    Args:
        side: Which hand holds the cup.
        half_m: Half of the cup's size (3,).
        box_centre_m: Middle of the box (3,).
        rim_m: Height of its rim over base_link.
    """
    sign = 1.0 if side is Side.RIGHT else -1.0
    yaw = sign * _POUR_YAW_RAD
    axis = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    mouth = sign * np.cross(axis, _UP)  # where the cup's mouth points when it lies
    over = _at_height(box_centre_m - mouth * (half_m[2] + _POUR_SHORT_M), rim_m + _POUR_ABOVE_M)
    return PourPath(over, yaw, axis, sign * _POUR_TILT_RAD * np.arange(1, _POUR_STEPS + 1) / _POUR_STEPS)


def _pour(scene: Scene) -> Plan:
    """Over the box, turn the cup about the closing axis, turn it back, put it where it stood."""
    centre, half = scene.object_pose[:3, 3], scene.object_half_m
    wide, firm = _postures(scene)
    rim_m = scene.box_floor_m + 2 * float(scene.box_half_m[2])
    path = pour_path(scene.task.side, half, scene.box_centre_m, rim_m)
    upright = scene.wrist_for(path.over_m, path.yaw_rad)
    turn = [Waypoint(Phase.POUR, turned(upright, path.over_m, path.axis, tilt), firm) for tilt in path.tilts_rad]
    home = _at_height(centre, scene.box_floor_m + half[2] + 0.004)
    pour = [
        Waypoint(Phase.CARRY, upright, firm, 1.0),
        *turn,
        Waypoint(Phase.POUR, turn[-1].pose, firm, _POUR_WAIT_S),
        *turn[-2::-1],
        Waypoint(Phase.POUR, upright, firm),
        Waypoint(Phase.LIFT, _raised(scene.wrist_for(home, scene.grasp.yaw_rad), _LIFT_M), firm, 1.0),
        Waypoint(Phase.LOWER, scene.wrist_for(home, scene.grasp.yaw_rad), firm, 0.8),
        Waypoint(Phase.RELEASE, scene.wrist_for(home, scene.grasp.yaw_rad), wide, 0.6),
        Waypoint(Phase.RETREAT, _raised(scene.wrist_for(home, scene.grasp.yaw_rad), _LIFT_M), wide, 0.8),
    ]
    if scene.is_held:
        return Plan(scene.wrist, firm, pour)
    lifted = _at_height(centre, max(centre[2] + _LIFT_M, path.over_m[2]))
    lift = Waypoint(Phase.LIFT, scene.wrist_for(lifted, scene.grasp.yaw_rad), firm, 0.8)
    return Plan(scene.wrist, scene.fingers_rad, [*_take(scene), lift, *pour])


def _sweep(scene: Scene) -> Plan:
    """Take the brush behind the cubes that are left, turn it across, push them over the mat's edge."""
    centre, half = scene.object_pose[:3, 3], scene.object_half_m
    wide, firm = _postures(scene)
    sign = 1.0 if scene.task.side is Side.RIGHT else -1.0  # the mat lies inwards, towards +y of the right hand
    head_rad = float(np.arctan2(scene.object_pose[1, 0], scene.object_pose[0, 0]))
    yaw = scene.grasp.yaw_rad - np.arctan(np.tan(head_rad))
    left = scene.pieces_left_m if len(scene.pieces_left_m) else scene.pieces_m
    x = float(left[:, 0].min() + left[:, 0].max()) / 2
    low = scene.box_floor_m + half[2] + _SWEEP_GAP_M
    begin = np.array([x, sign * float((sign * left[:, 1]).min()) - sign * _SWEEP_BEHIND_M, low])
    end = np.array([x, scene.box_centre_m[1] - sign * (scene.box_half_m[1] - _SWEEP_OVER_M), low])
    return Plan(
        scene.wrist,
        scene.fingers_rad,
        [
            *_take(scene),
            Waypoint(Phase.LIFT, _raised(scene.wrist_for(centre, scene.grasp.yaw_rad), _SWEEP_UP_M), firm, 0.6),
            Waypoint(Phase.LIFT, _raised(scene.wrist_for(begin, yaw), _SWEEP_UP_M), firm, 0.6),
            Waypoint(Phase.LOWER, scene.wrist_for(begin, yaw), firm, 0.6),
            Waypoint(Phase.SWEEP, scene.wrist_for(end, yaw), firm, 1.5),
            Waypoint(Phase.SWEEP, scene.wrist_for(end, yaw), firm, _SWEEP_WAIT_S),
            Waypoint(Phase.RELEASE, scene.wrist_for(end, yaw), wide, 0.6),
            Waypoint(Phase.RETREAT, _raised(scene.wrist_for(end, yaw), 2 * half[2] + 0.06), wide, 0.8),
        ],
    )


def _pick_up(scene: Scene) -> Plan:
    """Take it by the handle, lift it, hold it still."""
    _, firm = _postures(scene)
    lifted = _raised(scene.wrist_for(scene.object_pose[:3, 3], scene.grasp.yaw_rad), _LIFT_M)
    rise = [Waypoint(Phase.LIFT, lifted, firm, 1.0), Waypoint(Phase.LIFT, lifted, firm, _HOLD_S)]
    return Plan(scene.wrist, scene.fingers_rad, [*_take(scene), *rise])


_PLANS: Mapping[Goal, Callable[[Scene], Plan]] = {
    Goal.IN_BOX: _place,
    Goal.POURED: _pour,
    Goal.SWEPT: _sweep,
    Goal.HELD: _pick_up,
}


def _take(scene: Scene) -> list[Waypoint]:
    """To the object, and close the hand."""
    wide, firm = _postures(scene)
    at_object = scene.wrist_for(scene.object_pose[:3, 3], scene.grasp.yaw_rad)
    above = _raised(at_object, scene.object_half_m[2] + _HOVER_M)
    start = []
    if scene.wrist[2, 3] < above[2, 3] - 0.03:  # low between the objects: first straight up
        start = [Waypoint(Phase.APPROACH, _raised(scene.wrist, above[2, 3] - scene.wrist[2, 3]), wide, 0.6)]
    return [
        *start,
        Waypoint(Phase.APPROACH, above, wide, 1.0),
        Waypoint(Phase.DESCEND, at_object, wide, 0.8),
        Waypoint(Phase.GRASP, at_object, firm, 0.9),
    ]


def _postures(scene: Scene) -> tuple[Array, Array]:
    """The hand open around the object, and closed on it."""
    grasp = scene.grasp
    return grasp.posture(grasp.closure_for(grasp.width_m + CLEARANCE_M)), grasp.posture(grasp.closure + SQUEEZE)


def _raised(pose: Array, by_m: float) -> Array:
    higher = pose.copy()
    higher[2, 3] += by_m
    return higher


def _at_height(point_m: Array, z_m: float) -> Array:
    return np.array([point_m[0], point_m[1], z_m])


def turned(pose: Array, about_m: Array, axis: Array, angle_rad: float) -> Array:
    """A pose turned about an axis through a point.

    Args:
        pose: (4, 4).
        about_m: A point (3,) on the axis.
        axis: Its direction (3,), a unit vector.
        angle_rad: By the right-hand rule.
    """
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation = np.eye(3) + np.sin(angle_rad) * cross + (1 - np.cos(angle_rad)) * cross @ cross
    turned = np.eye(4)
    turned[:3, :3] = rotation @ pose[:3, :3]
    turned[:3, 3] = about_m + rotation @ (pose[:3, 3] - about_m)
    return turned
