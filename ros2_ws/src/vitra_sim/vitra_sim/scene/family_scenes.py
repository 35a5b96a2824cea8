"""One try at the objects of a family's scene: what stands where, by goal; None where there is no room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vitra_policy.action_space import Side
from vitra_sim.scene.layout import LayoutError, free_place, random_box, random_object, random_stand
from vitra_sim.scene.objects import Kind, PlacedObject
from vitra_sim.scene.splits import Split, combinations
from vitra_sim.scene.table import Box, Zone, for_side, stand
from vitra_sim.scene.tool_layouts import ARRANGEMENTS, aside_box, handy_yaw_rad
from vitra_sim.tasks.tasks import Goal, coloured_task

REACH_ZONE = Zone((0.375, 0.445), (-0.36, -0.13))
"""Where either hand's objects may stand (given for the right hand): both grasp there with 45 deg to spare (a test)."""
TOOL_ZONE = Zone((0.37, 0.47), (-0.38, -0.10))
"""The same for tools, which lie up to 35 deg off (a test)."""
AROUND_ZONE = Zone((0.38, 0.68), (-0.46, 0.46))
_CLEARANCE_M = 0.105  # between something to grasp and everything else, edge to edge
_GRIP_CLEARANCE_M = 0.115  # from the middle of a handle: what the open hand needs
_BESIDE_M = 0.02
_TRIES = 30


@dataclass(frozen=True, slots=True)
class FamilyScene:
    """What stands on the table.

    Attributes:
        objects: The target, its rival or the pieces, then others.
        kinds: Kind and colour of all but the pieces, in the same order.
        box: Box or mat.
        pieces: How many objects are poured or swept.
    """

    objects: tuple[PlacedObject, ...]
    kinds: tuple[tuple[Kind, str], ...]
    box: Box
    pieces: int = 0


def family_scene(rng: np.random.Generator, goal: Goal, side: Side, split: Split) -> FamilyScene | None:
    """One try; None: there was no room, or two objects were alike.

    Args:
        rng: Source of chance.
        goal: What has to be done.
        side: Hand that does it.
        split: What of it training shows.
    """
    return _SCENES[goal](rng, goal, side, split)


def _place(rng: np.random.Generator, goal: Goal, side: Side, split: Split) -> FamilyScene | None:
    box = random_box(rng, for_side(Zone((0.49, 0.53), (-0.01, 0.06)), side))
    kinds = _two_and_others(rng, goal, split)
    if len(set(kinds)) < len(kinds):
        return None
    placed: list[PlacedObject] = []
    for index, (kind, colour) in enumerate(kinds):
        zone = for_side(REACH_ZONE, side) if index < 2 else AROUND_ZONE
        for _ in range(_TRIES):
            spec = random_object(rng, kind, colour, spread=0.12)
            one = random_stand(spec, zone.sample(rng), rng)
            if _stands_free(one, placed, box):
                placed.append(one)
                break
        else:
            return None
    return FamilyScene(tuple(placed), tuple(kinds), box)


def _two_and_others(rng: np.random.Generator, goal: Goal, split: Split) -> list[tuple[Kind, str]]:
    """Two objects that may be asked for, and one or two that stand around."""
    pool, seen = combinations(split, goal), combinations(Split.SEEN)
    kinds = [pool[int(rng.integers(len(pool)))], pool[int(rng.integers(len(pool)))]]
    return kinds + [seen[int(rng.integers(len(seen)))] for _ in range(int(rng.integers(1, 3)))]


def _stands_free(one: PlacedObject, placed: list[PlacedObject], box: Box) -> bool:
    here, radius = np.asarray(one.position_m[:2]), one.spec.footprint_radius_m
    for index, other in enumerate(placed):
        clearance = _CLEARANCE_M if index < 2 else _BESIDE_M
        if np.linalg.norm(here - other.position_m[:2]) < radius + other.spec.footprint_radius_m + clearance:
            return False
    return bool(np.abs(here - box.position_m[:2]).max() > max(box.inner_half_m) + radius + 0.05)


def _grasp(rng: np.random.Generator, goal: Goal, side: Side, split: Split) -> FamilyScene | None:
    """Two tools within reach, each with room for the hand around its handle."""
    box = aside_box(rng, side)
    kinds = _two_and_others(rng, goal, split)
    if len(set(kinds)) < len(kinds):
        return None
    placed: list[PlacedObject] = []
    for index, (kind, colour) in enumerate(kinds):
        for _ in range(_TRIES):
            spec = random_object(rng, kind, colour, spread=0.08)
            if index < 2:
                x, y = for_side(TOOL_ZONE, side).sample(rng)
                one = stand(spec, (x, y), handy_yaw_rad(rng, kind, side, y))
            else:
                one = random_stand(spec, AROUND_ZONE.sample(rng), rng)
            if _lies_free(one, index < 2, placed, box):
                placed.append(one)
                break
        else:
            return None
    return FamilyScene(tuple(placed), tuple(kinds), box)


def _lies_free(one: PlacedObject, is_tool: bool, placed: list[PlacedObject], box: Box) -> bool:
    for index, other in enumerate(placed):
        if one.gap_m(other) < _BESIDE_M:
            return False
        if index < 2 and one.distance_m(other.position_m[:2]) < _GRIP_CLEARANCE_M:
            return False
        if is_tool and other.distance_m(one.position_m[:2]) < _GRIP_CLEARANCE_M:
            return False
    beyond = np.abs(one.discs_m[:, :2] - box.position_m[:2]).max(axis=1) - one.discs_m[:, 2]
    return bool(beyond.min() > max(box.inner_half_m) + 0.02)


def _arranged(rng: np.random.Generator, goal: Goal, side: Side, split: Split) -> FamilyScene | None:
    """What the goal's tasks have on the table, with another target, and one or two things around."""
    pool, seen = combinations(split, goal), combinations(Split.SEEN)
    kinds = [pool[int(rng.integers(len(pool)))]]
    kinds += [seen[int(rng.integers(len(seen)))] for _ in range(int(rng.integers(1, 3)))]
    if len(set(kinds)) < len(kinds):
        return None
    start = ARRANGEMENTS[goal](rng, coloured_task(goal, *kinds[0], side))
    placed = [start.target, *start.pieces]
    try:
        for kind, colour in kinds[1:]:
            placed.append(free_place(random_object(rng, kind, colour), placed, start, rng))
    except LayoutError:
        return None
    return FamilyScene(tuple(placed), tuple(kinds), start.box, len(start.pieces))


_SCENES: Mapping[Goal, Callable[[np.random.Generator, Goal, Side, Split], FamilyScene | None]] = {
    Goal.IN_BOX: _place,
    Goal.HELD: _grasp,
    Goal.POURED: _arranged,
    Goal.SWEPT: _arranged,
}
