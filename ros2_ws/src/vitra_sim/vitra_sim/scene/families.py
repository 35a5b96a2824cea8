"""Families of scenes for learning: many objects, words and looks behind one name, split into seen and unseen.

A family is named `{goal}@{split}`, with `#1` for the same scene and the other object named: `place@seen`,
`place@unseen_object#1`, `place_left@unseen_category`. Its seed says which objects stand where, what is asked
for and how everything looks.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from vitra_policy.action_space import Side
from vitra_policy.errors import UnknownNameError
from vitra_sim.scene.appearance import random_appearance
from vitra_sim.scene.layout import Layout, LayoutError, make_layout, random_box, random_object, random_stand
from vitra_sim.scene.objects import COLOURS, COMMON_KINDS, RARE_KINDS, Kind, PlacedObject
from vitra_sim.scene.table import Box, Zone, for_side
from vitra_sim.tasks.tasks import WORDINGS, Goal, get_task, place_task

_NAME = re.compile(r"(?P<goal>[a-z]+?)(?P<left>_left)?@(?P<split>[a-z_]+)(?:#(?P<other>1))?")
_MAX_TRIES = 400

REACH_ZONE = Zone((0.375, 0.445), (-0.36, -0.13))
"""Where either hand's objects may stand (given for the right hand): both grasp there with 45 deg to spare (a test)."""
AROUND_ZONE = Zone((0.38, 0.68), (-0.46, 0.46))
_CLEARANCE_M = 0.105  # between something to grasp and everything else, edge to edge
_BESIDE_M = 0.02


class Split(StrEnum):
    """What of a scene the training data shows."""

    SEEN = "seen"
    UNSEEN_OBJECT = "unseen_object"
    UNSEEN_CATEGORY = "unseen_category"


@dataclass(frozen=True, slots=True)
class Family:
    """A goal, a hand and a split; `other` asks for the second object of the same scene."""

    name: str
    goal: Goal
    side: Side
    split: Split
    other: bool = False


def is_family(name: str) -> bool:
    """Whether a name is a family's and not a task's."""
    return "@" in name


def get_family(name: str) -> Family:
    """The family of that name.

    Raises:
        UnknownNameError: no such family; the message lists them.
    """
    found = _NAME.fullmatch(name)
    if not found or found["goal"] != "place" or found["split"] not in list(Split):
        raise UnknownNameError(
            "scene family", name, [f"place{left}@{split}" for left in ("", "_left") for split in Split]
        )
    side = Side.LEFT if found["left"] else Side.RIGHT
    return Family(name, Goal.IN_BOX, side, Split(found["split"]), bool(found["other"]))


def check_scene_name(name: str) -> None:
    """Refuse what is neither a scene family nor a task.

    Raises:
        UnknownNameError: no such scene; the message lists them.
    """
    if is_family(name):
        get_family(name)
    else:
        get_task(name)


def held_out(kind: Kind, colour: str) -> bool:
    """Whether a combination of kind and colour is kept for the unseen objects: about one in four."""
    return zlib.crc32(f"{colour} {kind}".encode()) % 4 == 0


def combinations(split: Split) -> list[tuple[Kind, str]]:
    """Kinds and colours that a split may ask for."""
    if split is Split.UNSEEN_CATEGORY:
        return [(kind, colour) for kind in RARE_KINDS for colour in COLOURS]
    wanted = split is Split.UNSEEN_OBJECT
    return [(kind, colour) for kind in COMMON_KINDS for colour in COLOURS if held_out(kind, colour) is wanted]


def layout_of(name: str, seed: int) -> Layout:
    """The start state of a task or of a family, by its name.

    Raises:
        UnknownNameError: neither a task nor a family.
        LayoutError: no free places were found.
    """
    return family_layout(name, seed) if is_family(name) else make_layout(get_task(name), seed)


def family_layout(name: str, seed: int) -> Layout:
    """The start state of a family and seed: a target, a rival within reach of the same hand, two things around.

    Raises:
        UnknownNameError: no such family.
        LayoutError: no free places were found.
    """
    family = get_family(name)
    rng = np.random.default_rng([seed, zlib.crc32(f"{family.goal}@{family.side}@{family.split}".encode())])
    for _ in range(_MAX_TRIES):
        scene = _try_scene(rng, family)
        if scene is not None:
            break
    else:
        raise LayoutError(f"Scene family '{name}', seed {seed}: no room for all objects.")
    objects, box, kinds = scene
    wording = int(rng.integers(len(WORDINGS[family.goal])))
    look = random_appearance(rng, unseen=family.split is not Split.SEEN)
    if family.other:
        objects[0], objects[1], kinds[0], kinds[1] = objects[1], objects[0], kinds[1], kinds[0]
    kind, colour = kinds[0]
    task = place_task(kind, colour, family.side, wording, len(objects) - 1)
    table_rgba = (*look.table_rgb[0], 1.0)
    return Layout(task, seed, tuple(objects), box, table_rgba, source=name, look=look)


def _try_scene(
    rng: np.random.Generator, family: Family
) -> tuple[list[PlacedObject], Box, list[tuple[Kind, str]]] | None:
    box = random_box(rng, for_side(Zone((0.49, 0.53), (-0.01, 0.06)), family.side))
    reach = for_side(REACH_ZONE, family.side)
    pool, seen = combinations(family.split), combinations(Split.SEEN)
    kinds = [pool[int(rng.integers(len(pool)))], pool[int(rng.integers(len(pool)))]]
    kinds += [seen[int(rng.integers(len(seen)))] for _ in range(int(rng.integers(1, 3)))]
    if len(set(kinds)) < len(kinds):
        return None
    placed: list[PlacedObject] = []
    for index, (kind, colour) in enumerate(kinds):
        graspable = index < 2
        for _ in range(30):
            spec = random_object(rng, kind, colour, spread=0.12)
            one = random_stand(spec, (reach if graspable else AROUND_ZONE).sample(rng), rng)
            if _fits(one, placed, box):
                placed.append(one)
                break
        else:
            return None
    return placed, box, kinds


def _fits(one: PlacedObject, placed: list[PlacedObject], box: Box) -> bool:
    here, radius = np.asarray(one.position_m[:2]), one.spec.footprint_radius_m
    for index, other in enumerate(placed):
        clearance = _CLEARANCE_M if index < 2 else _BESIDE_M
        if np.linalg.norm(here - other.position_m[:2]) < radius + other.spec.footprint_radius_m + clearance:
            return False
    return bool(np.abs(here - box.position_m[:2]).max() > max(box.inner_half_m) + radius + 0.05)
