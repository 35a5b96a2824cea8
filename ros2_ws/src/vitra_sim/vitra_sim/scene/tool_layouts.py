"""Start states of the tasks with tools: a cup full of balls, cubes before a mat, a hammer that lies there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vitra_policy.action_space import Side
from vitra_sim.expert.grasp import preferred_yaw_rad
from vitra_sim.scene.objects import (
    COLOURS,
    NOMINAL_HALF_EXTENTS_M,
    SIDE_HANDLES,
    Kind,
    ObjectSpec,
    PlacedObject,
    Rgba,
    half_extents,
)
from vitra_sim.scene.shapes import VESSEL_FLARE_RAD, VESSEL_WALL_M
from vitra_sim.scene.table import CUP_ZONE, TABLE_HEIGHT_M, Box, Zone, for_side, stand, task_zone
from vitra_sim.tasks.tasks import PIECES, Goal, Task

BALLS, BALL_RADIUS_M = 6, NOMINAL_HALF_EXTENTS_M[Kind.MARBLE][0]
CUBES, CUBE_HALF_M = 4, 0.012

_RING_M = 0.0135  # three balls lie beside each other, and do not roll far
_POUR_BOX = Zone((0.44, 0.46), (-0.06, -0.04))
_ASIDE_BOX = Zone((0.55, 0.57), (0.11, 0.13))  # clear of a hammer that lies anywhere in its zone
_MAT = Zone((0.44, 0.46), (-0.05, -0.03))
_MAT_HALF_M = (0.10, 0.08)
_BRUSH = Zone((0.43, 0.46), (-0.33, -0.30))
_CUBE_OFFSETS = Zone((-0.035, 0.035), (0.075, 0.145))  # from the brush, towards the mat
_ONE_WAY = (Kind.JUG, Kind.PAN, Kind.DRILL)
_TURN_RAD = np.deg2rad(35.0)  # of a tool from the direction that suits the arm best


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What a task needs on the table.

    Attributes:
        target: The object to grasp.
        pieces: What is poured or swept.
        box: Box or mat.
    """

    target: PlacedObject
    pieces: tuple[PlacedObject, ...]
    box: Box


def tint(rng: np.random.Generator, colour: str) -> Rgba:
    """A shade of a colour."""
    r, g, b = np.clip(np.asarray(COLOURS[colour][:3]) + rng.uniform(-0.06, 0.06, 3), 0.02, 0.98)
    return float(r), float(g), float(b), 1.0


def arrange_pour(rng: np.random.Generator, task: Task) -> Arrangement:
    """A cup with balls, and the box turned towards the acting hand."""
    cup = _tool(rng, task, for_side(CUP_ZONE, task.side).sample(rng), float(rng.uniform(-np.pi, np.pi)))
    radius, _, half_height = cup.spec.half_extents_m
    bottom_m = cup.position_m[2] - half_height + VESSEL_WALL_M
    # A ring of three balls that fits between the walls at its height, and a second one on top, turned by 60 degrees.
    floor = radius - half_height * np.tan(VESSEL_FLARE_RAD[cup.spec.kind])
    ring = min(floor - VESSEL_WALL_M - BALL_RADIUS_M - 0.0005, _RING_M)
    balls = []
    for i in range(BALLS):
        layer, angle = divmod(i, 3)
        turn = cup.yaw_rad + 2 * np.pi * angle / 3 + layer * np.pi / 3
        x, y = cup.position_m[0] + ring * np.cos(turn), cup.position_m[1] + ring * np.sin(turn)
        z = bottom_m + BALL_RADIUS_M * (1.1 + 2.05 * layer)
        spec = ObjectSpec(
            f"{PIECES[task.goal]}_{i + 1}", Kind.MARBLE, half_extents(Kind.MARBLE, 1.0), tint(rng, "orange")
        )
        balls.append(PlacedObject(spec, (float(x), float(y), float(z)), 0.0))
    x, y = for_side(_POUR_BOX, task.side).sample(rng)
    shade = float(rng.uniform(0.25, 0.6))
    box = Box((x, y, TABLE_HEIGHT_M), (0.085, 0.085), 0.06, 0.005, (shade * 1.2, shade, shade * 0.7, 1.0))
    return Arrangement(cup, tuple(balls), box)


def arrange_sweep(rng: np.random.Generator, task: Task) -> Arrangement:
    """A brush, cubes in front of it, and a mat behind them."""
    x, y = for_side(_BRUSH, task.side).sample(rng)
    brush = _tool(rng, task, (x, y), preferred_yaw_rad(task.side, y) + float(rng.uniform(-0.2, 0.2)))
    inwards = 1.0 if task.side is Side.RIGHT else -1.0
    cubes: list[PlacedObject] = []
    while len(cubes) < CUBES:
        ahead, beside = _CUBE_OFFSETS.sample(rng)
        at = (x + ahead, y + inwards * beside)
        if all(np.hypot(at[0] - c.position_m[0], at[1] - c.position_m[1]) > 3 * CUBE_HALF_M for c in cubes):
            spec = ObjectSpec(
                f"{PIECES[task.goal]}_{len(cubes) + 1}", Kind.CUBE, (CUBE_HALF_M,) * 3, tint(rng, "yellow")
            )
            cubes.append(stand(spec, at, float(rng.uniform(-np.pi, np.pi))))
    mat_x, mat_y = for_side(_MAT, task.side).sample(rng)
    shade = float(rng.uniform(0.2, 0.35))
    mat = Box((mat_x, mat_y, TABLE_HEIGHT_M), _MAT_HALF_M, 0.002, 0.002, (shade, shade, shade, 1.0), is_mat=True)
    return Arrangement(brush, tuple(cubes), mat)


def arrange_pick_up(rng: np.random.Generator, task: Task) -> Arrangement:
    """A tool that lies as the hand likes to take it, and a box out of its way."""
    x, y = task_zone(task.side).sample(rng)
    tool = _tool(rng, task, (x, y), handy_yaw_rad(rng, task.kind, task.side, y))
    return Arrangement(tool, (), aside_box(rng, task.side))


def handy_yaw_rad(rng: np.random.Generator, kind: Kind, side: Side, y_m: float) -> float:
    """A turn of a tool in which the hand closes on its handle near the preferred direction.

    A hammer's or a brush's ends may lie either way; what has a short handle lies with the rest of it where the index
    finger is: ring and little finger reach further.

    Args:
        rng: Source of chance.
        kind: Of the tool.
        side: Hand that takes it.
        y_m: Where it lies.
    """
    across = np.pi / 2 if kind in SIDE_HANDLES else 0.0
    handy = preferred_yaw_rad(side, y_m) + across + float(rng.uniform(-_TURN_RAD, _TURN_RAD))
    turns = int(rng.integers(2)) if kind not in _ONE_WAY else side is Side.LEFT
    return handy + np.pi * turns


def aside_box(rng: np.random.Generator, side: Side) -> Box:
    """The box where it is in nobody's way."""
    x, y = for_side(_ASIDE_BOX, side).sample(rng)
    return Box((x, y, TABLE_HEIGHT_M), (0.085, 0.085), 0.06, 0.005, (0.5, 0.42, 0.3, 1.0))


def _tool(rng: np.random.Generator, task: Task, xy_m: tuple[float, float], yaw_rad: float) -> PlacedObject:
    spec = ObjectSpec(task.target, task.kind, half_extents(task.kind, 1.0), tint(rng, task.colour))
    return stand(spec, xy_m, yaw_rad)


ARRANGEMENTS: Mapping[Goal, Callable[[np.random.Generator, Task], Arrangement]] = {
    Goal.POURED: arrange_pour,
    Goal.SWEPT: arrange_sweep,
    Goal.HELD: arrange_pick_up,
}
"""By what a task is for; things that are put into the box have an arrangement of their own."""
