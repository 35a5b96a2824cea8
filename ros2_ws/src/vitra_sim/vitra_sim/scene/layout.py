"""Where everything stands at the start of an episode: random, but the same for the same task and seed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from vitra_policy.errors import VitraError
from vitra_sim.scene.appearance import Appearance
from vitra_sim.scene.objects import COLOURS, COMMON_KINDS, Kind, ObjectSpec, PlacedObject, Rgba, half_extents
from vitra_sim.scene.table import (
    TABLE_CENTRE_M,
    TABLE_HALF_EXTENTS_M,
    TABLE_HEIGHT_M,
    Box,
    Zone,
    stand,
    task_zone,
)
from vitra_sim.scene.tool_layouts import ARRANGEMENTS, Arrangement, tint
from vitra_sim.tasks.tasks import Task

__all__ = ["TABLE_CENTRE_M", "TABLE_HALF_EXTENTS_M", "TABLE_HEIGHT_M", "Box", "Layout", "make_layout", "task_zone"]

_MAX_TRIES = 2000


class LayoutError(VitraError):
    """No start state of the wanted kind was found."""


BOX_ZONE = Zone((0.49, 0.53), (-0.02, 0.02))
DISTRACTOR_ZONE = Zone((0.40, 0.66), (-0.45, 0.45))
DISTRACTOR_CLEARANCE_M = 0.13
"""Free space between a distractor and the object to grasp, edge to edge: what the open hand needs."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A start state: the object to grasp comes first, then what is poured or swept, then distractors.

    Attributes:
        task: What has to be done.
        seed: Of this start state.
        objects: Everything that can move.
        pieces: How many of them are poured or swept.
        box: Box or mat.
        table_rgba: Colour of the table.
        source: Scene family it comes from; empty for a task of the registry.
        look: Table, floor, light.
    """

    task: Task
    seed: int
    objects: tuple[PlacedObject, ...]
    box: Box
    table_rgba: Rgba
    pieces: int = 0
    source: str = ""
    look: Appearance = Appearance()

    @property
    def name(self) -> str:
        """What makes this start state again, with its seed: the name of a task or of a scene family."""
        return self.source or self.task.name

    @property
    def target(self) -> PlacedObject:
        """The object of the task."""
        return self.objects[0]

    @property
    def judged(self) -> tuple[PlacedObject, ...]:
        """The objects whose place says whether the task is done."""
        return self.objects[1 : 1 + self.pieces] if self.pieces else self.objects[:1]


def make_layout(task: Task, seed: int) -> Layout:
    """A random start state.

    Args:
        task: what has to be done.
        seed: any non-negative integer; the same task and seed give the same layout on every machine.

    Raises:
        LayoutError: no free place was found for a distractor.
    """
    rng = np.random.default_rng([seed, zlib.crc32(task.name.encode())])
    start = ARRANGEMENTS[task.goal](rng, task) if task.goal in ARRANGEMENTS else _place(rng, task)
    placed = [start.target, *start.pieces]
    names = {one.spec.name for one in placed}
    others = [(k, c) for k in COMMON_KINDS for c in COLOURS if k is not task.kind or c != task.colour]
    for _ in range(task.distractors):
        kind, colour = others[int(rng.integers(len(others)))]
        while f"{colour}_{kind}" in names:
            kind, colour = others[int(rng.integers(len(others)))]
        placed.append(free_place(random_object(rng, kind, colour), placed, start, rng))
        names.add(f"{colour}_{kind}")
    shade = float(rng.uniform(0.35, 0.75))
    table_rgba = (shade, shade * float(rng.uniform(0.80, 1.0)), shade * float(rng.uniform(0.6, 1.0)), 1.0)
    return Layout(task, seed, tuple(placed), start.box, table_rgba, len(start.pieces))


def _place(rng: np.random.Generator, task: Task) -> Arrangement:
    box = random_box(rng)
    spec = random_object(rng, task.kind, task.colour)
    return Arrangement(random_stand(spec, task_zone(task.side).sample(rng), rng), (), box)


def random_object(rng: np.random.Generator, kind: Kind, colour: str, spread: float = 0.08) -> ObjectSpec:
    """An object in a shade of its colour, up to `spread` larger or smaller than usual.

    Args:
        rng: Source of chance.
        kind: Shape.
        colour: Its name.
        spread: Share of the usual size.
    """
    rgba = tint(rng, colour)
    scale = float(rng.uniform(1 - spread, 1 + spread))
    return ObjectSpec(f"{colour}_{kind}", kind, half_extents(kind, scale), rgba)


def random_box(rng: np.random.Generator, zone: Zone = BOX_ZONE) -> Box:
    """The box somewhere in its zone, in some brown."""
    x, y = zone.sample(rng)
    shade = float(rng.uniform(0.25, 0.6))
    return Box((x, y, TABLE_HEIGHT_M), (0.085, 0.085), 0.06, 0.005, (shade * 1.2, shade, shade * 0.7, 1.0))


def random_stand(spec: ObjectSpec, xy_m: tuple[float, float], rng: np.random.Generator) -> PlacedObject:
    """The object at a place, turned at random.

    Args:
        spec: The object.
        xy_m: Where its middle stands, base_link.
        rng: Source of chance.
    """
    return stand(spec, xy_m, float(rng.uniform(-np.pi, np.pi)))


def free_place(
    spec: ObjectSpec, placed: list[PlacedObject], start: Arrangement, rng: np.random.Generator
) -> PlacedObject:
    """The object somewhere on the table where it is in nobody's way.

    Args:
        spec: The object.
        placed: What stands there already; the target and the pieces come first.
        start: What the task needs.
        rng: Source of chance.

    Raises:
        LayoutError: no free place was found.
    """
    for _ in range(_MAX_TRIES):
        candidate = random_stand(spec, DISTRACTOR_ZONE.sample(rng), rng)
        if _is_free(candidate, placed, start):
            return candidate
    raise LayoutError(f"No free place for '{spec.name}' beside {[p.spec.name for p in placed]}: use fewer distractors.")


def _is_free(candidate: PlacedObject, placed: list[PlacedObject], start: Arrangement) -> bool:
    here, radius = np.asarray(candidate.position_m[:2]), candidate.spec.footprint_radius_m
    for index, other in enumerate(placed):
        clearance = DISTRACTOR_CLEARANCE_M if index <= len(start.pieces) else 0.02
        distance = float(np.linalg.norm(here - other.position_m[:2]))
        if distance < radius + other.spec.footprint_radius_m + clearance:
            return False
    # A square of this half length around the box stays free: the carried object passes over it.
    box = start.box
    return bool(np.abs(here - box.position_m[:2]).max() > max(box.inner_half_m) + radius + 0.05)
