"""The expert's plans: one path per kind of task, from the measured hand to the task's end."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from vitra_sim.expert.motion import Phase, Plan, Waypoint
from vitra_sim.expert.moves import LIFT_M, at_height, postures, raised, take
from vitra_sim.expert.pour import pour
from vitra_sim.expert.scene import Scene
from vitra_sim.expert.sweep import sweep
from vitra_sim.tasks.tasks import Goal

_RIM_CLEARANCE_M = 0.035  # object above the rim while it is carried over it
_DROP_M = 0.012  # object above the box's floor when it is let go

_HOLD_S = 1.5


def make_plan(scene: Scene) -> Plan:
    """The whole episode from the measured wrist on."""
    return _PLANS[scene.task.goal](scene)


def _place(scene: Scene) -> Plan:
    """Into the box; where the object is held already, from the carrying on."""
    centre, half = scene.object_pose[:3, 3], scene.object_half_m
    wide, firm = postures(scene)
    box_top_m = scene.box_floor_m + 2 * scene.box_half_m[2]
    over_box = np.array([*scene.box_centre_m[:2], box_top_m + _RIM_CLEARANCE_M + half[2]])
    in_box = np.array([*scene.box_centre_m[:2], scene.box_floor_m + 0.005 + _DROP_M + half[2]])
    lifted = at_height(centre, max(centre[2] + LIFT_M, over_box[2]))
    place = [
        Waypoint(Phase.CARRY, scene.wrist_for(over_box, 0.0), firm, 1.0),
        Waypoint(Phase.LOWER, scene.wrist_for(in_box, 0.0), firm, 0.7),
        Waypoint(Phase.RELEASE, scene.wrist_for(in_box, 0.0), wide, 0.6),
        Waypoint(Phase.RETREAT, raised(scene.wrist_for(in_box, 0.0), 2 * half[2] + 0.13), wide, 0.8),
    ]
    if scene.is_held:
        return Plan(scene.wrist, firm, place)
    lift = Waypoint(Phase.LIFT, scene.wrist_for(lifted, scene.grasp.yaw_rad), firm, 0.8)
    return Plan(scene.wrist, scene.fingers_rad, [*take(scene), lift, *place])


def _pick_up(scene: Scene) -> Plan:
    """Take it by the handle, lift it, hold it still; where it is held already, only that."""
    _, firm = postures(scene)
    rest = at_height(scene.object_pose[:3, 3], scene.box_floor_m + scene.object_half_m[2])
    lifted = raised(scene.wrist_for(rest, scene.grasp.yaw_rad), LIFT_M)
    rise = [Waypoint(Phase.LIFT, lifted, firm, 1.0), Waypoint(Phase.LIFT, lifted, firm, _HOLD_S)]
    if scene.is_held:
        return Plan(scene.wrist, firm, rise)
    return Plan(scene.wrist, scene.fingers_rad, [*take(scene), *rise])


_PLANS: Mapping[Goal, Callable[[Scene], Plan]] = {
    Goal.IN_BOX: _place,
    Goal.POURED: pour,
    Goal.SWEPT: sweep,
    Goal.HELD: _pick_up,
}
