"""Whether a task is done or lost, from where the objects are and what the robot touches."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_sim.scene.layout import TABLE_CENTRE_M, TABLE_HALF_EXTENTS_M, TABLE_HEIGHT_M, Layout
from vitra_sim.scene.objects import PlacedObject
from vitra_sim.scene.shapes import HANDLE
from vitra_sim.tasks.tasks import Goal

Poses = Mapping[str, NDArray[np.float64]]

_REST_SPEED_M_S = 0.05
_TABLE_TOLERANCE_M = 0.01
_LIFTED_M = 0.08
_SPARE = {Goal.POURED: 1}
"""How many of the pieces may be missing in the end."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """State of an episode; `reason` says why it failed."""

    success: bool
    failed: bool
    reason: str = ""


def judge(layout: Layout, base_from_object: Poses, speed_m_s: float, touched: Mapping[str, Collection[str]]) -> Verdict:
    """Judge a task by its goal.

    IN_BOX: the target's centre is over the box's floor, its lowest point is deep in the box (standing, lying or
    leaning), it is at rest, and no hand touches it. POURED: the same for the balls, one of which may be elsewhere.
    SWEPT: every cube's centre is over the mat and low, and rests. HELD: the target hangs well above the table, at
    rest, and the hand touches nothing of it but the handle. Lost: an object that is needed has left the table.

    Args:
        layout: the episode's start state.
        base_from_object: (4, 4) pose of every object.
        speed_m_s: highest speed of a judged object's centre (`layout.judged`).
        touched: by object that the robot touches, the names of the touched shapes ("" for one without a name).
    """
    goal = layout.task.goal
    pieces = {piece.spec.name for piece in layout.judged} if layout.pieces else set()
    gone = [name for name, pose in base_from_object.items() if _off_table(pose[:3, 3])]
    for name in gone:
        if name not in pieces or len(pieces.intersection(gone)) > _SPARE.get(goal, 0):
            return Verdict(False, True, f"'{name}' left the table")
    done = sum(_is_done(layout, one, base_from_object[one.spec.name], touched) for one in layout.judged)
    return Verdict(done >= len(layout.judged) - _SPARE.get(goal, 0) and speed_m_s < _REST_SPEED_M_S, False)


def _is_done(
    layout: Layout, one: PlacedObject, pose: NDArray[np.float64], touched: Mapping[str, Collection[str]]
) -> bool:
    shapes = touched.get(one.spec.name, ())
    if layout.task.goal is Goal.HELD:
        by_handle = bool(shapes) and all(shape.endswith(HANDLE) for shape in shapes)
        return by_handle and _lowest_m(one, pose) > TABLE_HEIGHT_M + _LIFTED_M
    return not shapes and _over_box(layout, one, pose)


def _off_table(position_m: NDArray[np.float64]) -> bool:
    offset = np.abs(position_m[:2] - TABLE_CENTRE_M) - TABLE_HALF_EXTENTS_M[:2]
    return bool(position_m[2] < TABLE_HEIGHT_M - _TABLE_TOLERANCE_M or offset.max() > _TABLE_TOLERANCE_M)


def _lowest_m(one: PlacedObject, pose: NDArray[np.float64]) -> float:
    extents = np.abs(pose[:3, :3]) @ np.asarray(one.spec.half_extents_m)
    return float(pose[2, 3] - extents[2])


def _over_box(layout: Layout, one: PlacedObject, pose: NDArray[np.float64]) -> bool:
    """Within the walls and below half their height; on a mat: not standing on something else."""
    box = layout.box
    local = pose[:3, 3] - box.position_m
    low_m = one.spec.half_extents_m[2] if box.is_mat else 0.5 * box.height_m
    return bool(np.all(np.abs(local[:2]) < box.inner_half_m) and _lowest_m(one, pose) - box.position_m[2] < low_m)
