"""Where everything stands at the start of an episode: random, but the same for the same task and seed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from vitra_description.names import Side
from vitra_policy.errors import VitraError
from vitra_sim.objects import COLOURS, Kind, ObjectSpec, PlacedObject, Rgba, half_extents
from vitra_sim.tasks import Task

TABLE_HEIGHT_M = 0.75
TABLE_CENTRE_M = (0.60, 0.0)
TABLE_HALF_EXTENTS_M = (0.36, 0.60, 0.02)

_SETTLE_GAP_M = 0.0005
_MAX_TRIES = 2000


class LayoutError(VitraError):
    """No start state of the wanted kind was found."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A rectangle on the table, in base_link."""

    x_m: tuple[float, float]
    y_m: tuple[float, float]

    def mirrored(self) -> Zone:
        """The same for the other hand."""
        return Zone(self.x_m, (-self.y_m[1], -self.y_m[0]))

    def sample(self, rng: np.random.Generator) -> tuple[float, float]:
        """A uniformly random point."""
        return float(rng.uniform(*self.x_m)), float(rng.uniform(*self.y_m))


RIGHT_ZONE = Zone((0.41, 0.47), (-0.33, -0.20))
"""Where the right hand's object may stand; every point passes the reachability check (a test)."""
DISTRACTOR_ZONE = Zone((0.40, 0.66), (-0.45, 0.45))
DISTRACTOR_CLEARANCE_M = 0.13
"""Free space between a distractor and the object to grasp, edge to edge: what the open hand needs."""


def task_zone(side: Side) -> Zone:
    """Where the object to grasp may stand."""
    return RIGHT_ZONE if side is Side.RIGHT else RIGHT_ZONE.mirrored()


@dataclass(frozen=True, slots=True)
class Box:
    """The open box that things are put into; it is fixed to the table.

    Attributes:
        position_m: Centre of its floor's underside.
        inner_half_m: Half its inner length and width.
        height_m: Height of its walls.
        wall_m: Thickness of walls and floor.
        rgba: Colour.
    """

    position_m: tuple[float, float, float]
    inner_half_m: tuple[float, float]
    height_m: float
    wall_m: float
    rgba: Rgba


@dataclass(frozen=True, slots=True)
class Layout:
    """A start state: the object to grasp comes first."""

    task: Task
    seed: int
    objects: tuple[PlacedObject, ...]
    box: Box
    table_rgba: Rgba

    @property
    def target(self) -> PlacedObject:
        """The object of the task."""
        return self.objects[0]


def make_layout(task: Task, seed: int) -> Layout:
    """A random start state.

    Args:
        task: what has to be done.
        seed: any non-negative integer; the same task and seed give the same layout on every machine.

    Raises:
        LayoutError: no free place was found for a distractor.
    """
    rng = np.random.default_rng([seed, zlib.crc32(task.name.encode())])
    box = _random_box(rng)
    target = _stand(_random_object(rng, task.kind, task.colour), task_zone(task.side).sample(rng), rng)
    placed = [target]
    others = [(kind, colour) for kind in Kind for colour in COLOURS if kind is not task.kind or colour != task.colour]
    while len(placed) < 1 + task.distractors:
        kind, colour = others[int(rng.integers(len(others)))]
        if f"{colour}_{kind}" not in {other.spec.name for other in placed}:
            placed.append(_free_place(_random_object(rng, kind, colour), placed, box, rng))
    shade = float(rng.uniform(0.35, 0.75))
    table_rgba = (shade, shade * float(rng.uniform(0.80, 1.0)), shade * float(rng.uniform(0.6, 1.0)), 1.0)
    return Layout(task, seed, tuple(placed), box, table_rgba)


def _random_object(rng: np.random.Generator, kind: Kind, colour: str) -> ObjectSpec:
    tint = np.clip(np.asarray(COLOURS[colour][:3]) + rng.uniform(-0.06, 0.06, 3), 0.02, 0.98)
    rgba = (float(tint[0]), float(tint[1]), float(tint[2]), 1.0)
    return ObjectSpec(f"{colour}_{kind}", kind, half_extents(kind, float(rng.uniform(0.92, 1.08))), rgba)


def _random_box(rng: np.random.Generator) -> Box:
    x, y = Zone((0.49, 0.53), (-0.02, 0.02)).sample(rng)
    shade = float(rng.uniform(0.25, 0.6))
    return Box((x, y, TABLE_HEIGHT_M), (0.085, 0.085), 0.06, 0.005, (shade * 1.2, shade, shade * 0.7, 1.0))


def _stand(spec: ObjectSpec, xy_m: tuple[float, float], rng: np.random.Generator) -> PlacedObject:
    z_m = TABLE_HEIGHT_M + spec.half_extents_m[2] + _SETTLE_GAP_M
    return PlacedObject(spec, (*xy_m, z_m), float(rng.uniform(-np.pi, np.pi)))


def _free_place(spec: ObjectSpec, placed: list[PlacedObject], box: Box, rng: np.random.Generator) -> PlacedObject:
    for _ in range(_MAX_TRIES):
        candidate = _stand(spec, DISTRACTOR_ZONE.sample(rng), rng)
        if _is_free(candidate, placed, box):
            return candidate
    raise LayoutError(f"No free place for '{spec.name}' beside {[p.spec.name for p in placed]}: use fewer distractors.")


def _is_free(candidate: PlacedObject, placed: list[PlacedObject], box: Box) -> bool:
    here, radius = np.asarray(candidate.position_m[:2]), candidate.spec.footprint_radius_m
    for index, other in enumerate(placed):
        clearance = DISTRACTOR_CLEARANCE_M if index == 0 else 0.02
        distance = float(np.linalg.norm(here - other.position_m[:2]))
        if distance < radius + other.spec.footprint_radius_m + clearance:
            return False
    # A square of this half length around the box stays free: the carried object passes over it.
    return bool(np.abs(here - box.position_m[:2]).max() > box.inner_half_m[0] + radius + 0.05)
