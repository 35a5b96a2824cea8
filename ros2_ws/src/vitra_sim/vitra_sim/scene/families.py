"""Families of scenes for learning: many objects, words and looks behind one name, split into seen and unseen.

A family is named `{goal}@{split}`, with `#1` for the same scene and the other object named: `place@seen`,
`grasp@unseen_object#1`, `pour_left@unseen_category`. Its seed says which objects stand where, what is asked
for and how everything looks.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

import numpy as np

from vitra_policy.action_space import Side
from vitra_policy.errors import UnknownNameError
from vitra_sim.scene.appearance import random_appearance
from vitra_sim.scene.family_scenes import REACH_ZONE, family_scene
from vitra_sim.scene.layout import Layout, LayoutError, make_layout
from vitra_sim.scene.splits import Split, combinations, held_out
from vitra_sim.tasks.tasks import WORDINGS, Goal, coloured_task, get_task

__all__ = [
    "REACH_ZONE", "Family", "Split", "check_scene_name", "combinations", "family_layout", "get_family", "held_out",
    "is_family", "layout_of", "namings",
]  # fmt: skip

_GOALS = {"place": Goal.IN_BOX, "grasp": Goal.HELD, "pour": Goal.POURED, "sweep": Goal.SWEPT}
_TWO_NAMED = (Goal.IN_BOX, Goal.HELD)
_NAME = re.compile(r"(?P<goal>[a-z]+?)(?P<left>_left)?@(?P<split>[a-z_]+)(?:#(?P<other>1))?")
_MAX_TRIES = 400


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
    goal = _GOALS.get(found["goal"]) if found else None
    if not found or goal is None or found["split"] not in list(Split) or (found["other"] and goal not in _TWO_NAMED):
        known = [f"{word}{left}@{split}" for word in _GOALS for left in ("", "_left") for split in Split]
        raise UnknownNameError("scene family", name, known)
    side = Side.LEFT if found["left"] else Side.RIGHT
    return Family(name, goal, side, Split(found["split"]), bool(found["other"]))


def namings(name: str) -> tuple[str, ...]:
    """A scene by all its names, one for each object that its instruction may name.

    Args:
        name: Of a family, without `#1`, or of a task.

    Raises:
        UnknownNameError: no such family.
    """
    two = is_family(name) and get_family(name).goal in _TWO_NAMED
    return (name, f"{name}#1") if two else (name,)


def check_scene_name(name: str) -> None:
    """Refuse what is neither a scene family nor a task.

    Raises:
        UnknownNameError: no such scene; the message lists them.
    """
    if is_family(name):
        get_family(name)
    else:
        get_task(name)


def layout_of(name: str, seed: int) -> Layout:
    """The start state of a task or of a family, by its name.

    Raises:
        UnknownNameError: neither a task nor a family.
        LayoutError: no free places were found.
    """
    return family_layout(name, seed) if is_family(name) else make_layout(get_task(name), seed)


def family_layout(name: str, seed: int) -> Layout:
    """The start state of a family and seed: the target; a rival within reach or the pieces; one or two things around.

    Raises:
        UnknownNameError: no such family.
        LayoutError: no free places were found.
    """
    family = get_family(name)
    rng = np.random.default_rng([seed, zlib.crc32(f"{family.goal}@{family.side}@{family.split}".encode())])
    for _ in range(_MAX_TRIES):
        scene = family_scene(rng, family.goal, family.side, family.split)
        if scene is not None:
            break
    else:
        raise LayoutError(f"Scene family '{name}', seed {seed}: no room for all objects.")
    objects, kinds = list(scene.objects), list(scene.kinds)
    wording = int(rng.integers(len(WORDINGS[family.goal])))
    look = random_appearance(rng, unseen=family.split is not Split.SEEN)
    if family.other:
        objects[0], objects[1], kinds[0], kinds[1] = objects[1], objects[0], kinds[1], kinds[0]
    kind, colour = kinds[0]
    around = len(objects) - 1 - scene.pieces
    task = coloured_task(family.goal, kind, colour, family.side, wording, around)
    table_rgba = (*look.table_rgb[0], 1.0)
    return Layout(task, seed, tuple(objects), scene.box, table_rgba, scene.pieces, source=name, look=look)
