"""Moves that all plans are made of: to take the object, to raise and to turn what is held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_policy.transforms import make_pose, matrix_from_rotvec
from vitra_sim.expert.grasp import CLEARANCE_M, SQUEEZE
from vitra_sim.expert.motion import Phase, Waypoint
from vitra_sim.expert.scene import Scene

Array = NDArray[np.float64]

LIFT_M = 0.15
_HOVER_M = 0.10  # fingertips above the object's top before they go down


def take(scene: Scene) -> list[Waypoint]:
    """To the object, and close the hand."""
    wide, firm = postures(scene)
    at_object = scene.wrist_for(scene.object_pose[:3, 3], scene.grasp.yaw_rad)
    above = raised(at_object, scene.object_half_m[2] + _HOVER_M)
    start = []
    if scene.wrist[2, 3] < above[2, 3] - 0.03:  # low between the objects: first straight up
        start = [Waypoint(Phase.APPROACH, raised(scene.wrist, above[2, 3] - scene.wrist[2, 3]), wide, 0.6)]
    return [
        *start,
        Waypoint(Phase.APPROACH, above, wide, 1.0),
        Waypoint(Phase.DESCEND, at_object, wide, 0.8),
        Waypoint(Phase.GRASP, at_object, firm, 0.9),
    ]


def postures(scene: Scene) -> tuple[Array, Array]:
    """The hand open around the object, and closed on it."""
    grasp = scene.grasp
    return grasp.posture(grasp.closure_for(grasp.width_m + CLEARANCE_M)), grasp.posture(grasp.closure + SQUEEZE)


def raised(pose: Array, by_m: float) -> Array:
    """A pose (4, 4) so much higher."""
    higher = pose.copy()
    higher[2, 3] += by_m
    return higher


def at_height(point_m: Array, z_m: float) -> Array:
    """A point (3,) at another height over base_link."""
    return np.array([point_m[0], point_m[1], z_m])


def turned(pose: Array, about_m: Array, axis: Array, angle_rad: float) -> Array:
    """A pose turned about an axis through a point.

    Args:
        pose: (4, 4).
        about_m: A point (3,) on the axis.
        axis: Its direction (3,), a unit vector.
        angle_rad: By the right-hand rule.
    """
    rotation = matrix_from_rotvec(axis * angle_rad)
    return make_pose(about_m + rotation @ (pose[:3, 3] - about_m), rotation @ pose[:3, :3])
