"""Whether a task is done or lost, from where the objects are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_sim.layout import TABLE_CENTRE_M, TABLE_HALF_EXTENTS_M, TABLE_HEIGHT_M, Layout

_REST_SPEED_M_S = 0.05
_TABLE_TOLERANCE_M = 0.01


@dataclass(frozen=True, slots=True)
class Verdict:
    """State of an episode; `reason` says why it failed."""

    success: bool
    failed: bool
    reason: str = ""


def judge(
    layout: Layout, base_from_object: Mapping[str, NDArray[np.float64]], target_speed_m_s: float, released: bool
) -> Verdict:
    """Judge a task with the goal IN_BOX.

    Done: the target's centre is over the box's floor and its lowest point is deep in the box (standing, lying or
    leaning), it is at rest, and no hand touches it. Lost: any object has left the table.

    Args:
        layout: the episode's start state.
        base_from_object: (4, 4) pose of every object.
        target_speed_m_s: speed of the target's centre.
        released: no part of the robot touches the target.
    """
    for name, pose in base_from_object.items():
        if _off_table(pose[:3, 3]):
            return Verdict(False, True, f"'{name}' left the table")
    inside = _in_box(layout, base_from_object[layout.target.spec.name])
    return Verdict(inside and released and target_speed_m_s < _REST_SPEED_M_S, False)


def _off_table(position_m: NDArray[np.float64]) -> bool:
    offset = np.abs(position_m[:2] - TABLE_CENTRE_M) - TABLE_HALF_EXTENTS_M[:2]
    return bool(position_m[2] < TABLE_HEIGHT_M - _TABLE_TOLERANCE_M or offset.max() > _TABLE_TOLERANCE_M)


def _in_box(layout: Layout, base_from_object: NDArray[np.float64]) -> bool:
    box = layout.box
    local = base_from_object[:3, 3] - box.position_m
    extents = np.abs(base_from_object[:3, :3]) @ np.asarray(layout.target.spec.half_extents_m)
    lowest_m = local[2] - extents[2]
    return bool(np.all(np.abs(local[:2]) < box.inner_half_m) and lowest_m < 0.5 * box.height_m)
