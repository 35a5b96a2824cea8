"""The tasks of the simulated robot: which hand, which object, what to do, in words and in numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from vitra_policy import places
from vitra_policy.action_space import Side
from vitra_policy.errors import UnknownNameError
from vitra_policy.extension_point import ExtensionPoint
from vitra_sim.scene.objects import COLOURS, COMMON_KINDS, RARE_KINDS, Kind


class Goal(StrEnum):
    """What has to be true in the end."""

    IN_BOX = "in_box"
    POURED = "poured"
    SWEPT = "swept"
    HELD = "held"


SHOWN_KINDS: dict[Goal, tuple[Kind, ...]] = {
    Goal.IN_BOX: COMMON_KINDS,
    Goal.POURED: (Kind.CUP,),
    Goal.SWEPT: (Kind.BRUSH,),
    Goal.HELD: (Kind.HAMMER, Kind.BRUSH, Kind.JUG),
}
"""Kinds that demonstrations of a goal show."""

UNSHOWN_KINDS: dict[Goal, tuple[Kind, ...]] = {
    Goal.IN_BOX: RARE_KINDS,
    Goal.POURED: (Kind.BEAKER,),
    Goal.SWEPT: (Kind.SCRAPER,),
    Goal.HELD: (Kind.PAN, Kind.DRILL),
}
"""Kinds that no demonstration of a goal shows: its unseen categories."""

PIECES = dict(zip((Goal.POURED, Goal.SWEPT), places.PIECES, strict=True))
"""What is poured or swept (vitra_policy.places)."""

WORDINGS: dict[Goal, tuple[str, ...]] = {
    Goal.IN_BOX: (
        "Put the {target} into the box.",
        "Place the {target} in the box.",
        "Pick up the {target} and drop it into the box.",
        "Take the {target} and put it in the box.",
        "Move the {target} to the box.",
        "Grab the {target}, then release it inside the box.",
    ),
    Goal.POURED: (
        "Pour the balls from the {target} into the box.",
        "Empty the {target} into the box.",
        "Tip the balls out of the {target} into the box and put it back.",
        "Pick up the {target} and pour its balls into the box.",
        "Turn the {target} over above the box, then set it down.",
    ),
    Goal.SWEPT: (
        "Sweep the cubes onto the mat with the {target}.",
        "Use the {target} to brush the cubes onto the mat.",
        "Push the cubes over to the mat with the {target}.",
        "Take the {target} and sweep all cubes onto the mat.",
        "Move the cubes onto the mat by sweeping with the {target}.",
    ),
    Goal.HELD: (
        "Pick up the {target} by its handle.",
        "Take the {target} by the handle and lift it.",
        "Grasp the handle of the {target} and hold it up.",
        "Lift the {target} by its handle.",
        "Hold up the {target} by the handle.",
    ),
}
"""How each goal is said; the first is the default."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing the robot can be asked to do.

    Attributes:
        name: Key in the registry.
        side: The hand that acts.
        kind: Shape of the object it acts on.
        colour: Colour of that object; fixed, since the instruction names it.
        goal: What the judge looks for.
        distractors: How many other objects stand around.
        wording: Which of the goal's `WORDINGS` the instruction uses.
    """

    name: str
    side: Side
    kind: Kind
    colour: str
    goal: Goal = Goal.IN_BOX
    distractors: int = 2
    wording: int = 0

    @property
    def target(self) -> str:
        """Name of the object to act on."""
        return f"{self.colour}_{self.kind}"

    @property
    def instruction(self) -> str:
        """What the policy is told."""
        words = WORDINGS[self.goal][self.wording].format(target=f"{self.colour} {self.kind}")
        left, right = (words, "None.") if self.side is Side.LEFT else ("None.", words)
        return f"Left hand: {left} Right hand: {right}"


_COLOURS = {Kind.CUBE: "red", Kind.CAN: "blue", Kind.BOTTLE: "green", Kind.BALL: "orange", Kind.MUG: "yellow"}
_TOOLS = {
    "pour_balls_into_box": (Kind.CUP, "purple", Goal.POURED),
    "sweep_cubes_onto_mat": (Kind.BRUSH, "blue", Goal.SWEPT),
    "pick_up_hammer": (Kind.HAMMER, "orange", Goal.HELD),
}


def _registry() -> dict[str, Task]:
    tasks = {}
    for side, suffix in ((Side.RIGHT, ""), (Side.LEFT, "_left")):
        for kind in COMMON_KINDS:
            name = f"place_{kind}_in_box{suffix}"
            tasks[name] = Task(name, side, kind, _COLOURS[kind])
        for stem, (kind, colour, goal) in _TOOLS.items():
            tasks[stem + suffix] = Task(stem + suffix, side, kind, colour, goal, distractors=1)
    return tasks


TASKS: dict[str, Task] = _registry()
"""Every task by name: `place_{kind}_in_box`, `pour_balls_into_box`, `sweep_cubes_onto_mat` and `pick_up_hammer` for the
right hand, the same with `_left` for the left."""

DEFAULT_TASK = "place_cube_in_box"

INSTALLED_TASKS = ExtensionPoint("task", "vitra_sim.tasks")
"""Tasks of other packages: each entry point names a `Task` (docs/how_to/add_a_task.md)."""


_STEMS = {
    Goal.IN_BOX: "place_{target}_in_box",
    Goal.POURED: "pour_{target}",
    Goal.SWEPT: "sweep_{target}",
    Goal.HELD: "hold_{target}",
}
_NAMES = {
    goal: re.compile(stem.format(target="(?P<colour>[a-z]+)_(?P<kind>[a-z]+)") + "(?P<left>_left)?")
    for goal, stem in _STEMS.items()
}


def coloured_task(goal: Goal, kind: Kind, colour: str, side: Side, wording: int = 0, distractors: int = 2) -> Task:
    """A task with an object of any colour; its name says all of it: `hold_{colour}_{kind}[_left]` and the like.

    Args:
        goal: What the judge looks for.
        kind: Shape of the object.
        colour: Its name.
        side: Hand that does it.
        wording: Number of the instruction's wording.
        distractors: How many other objects stand around.
    """
    name = _STEMS[goal].format(target=f"{colour}_{kind}") + ("_left" if side is Side.LEFT else "")
    return Task(name, side, kind, colour, goal, distractors, wording)


def _coloured_task(name: str) -> Task | None:
    for goal, pattern in _NAMES.items():
        found = pattern.fullmatch(name)
        kinds = SHOWN_KINDS[goal] + UNSHOWN_KINDS[goal]
        if found and found["kind"] in kinds and found["colour"] in COLOURS:
            side = Side.LEFT if found["left"] else Side.RIGHT
            return coloured_task(goal, Kind(found["kind"]), found["colour"], side)
    return None


def get_task(name: str) -> Task:
    """The task of that name: of the registry, of another package, or one with an object of any colour.

    The latter are `place_{colour}_{kind}_in_box`, `pour_{colour}_{kind}`, `sweep_{colour}_{kind}` and
    `hold_{colour}_{kind}`, each with `_left` for the left hand.

    Raises:
        UnknownNameError: no such task; the message suggests one.
        ExtensionError: it is not a `Task`, or cannot be imported.
    """
    if name in TASKS:
        return TASKS[name]
    coloured = _coloured_task(name)
    if coloured is not None:
        return coloured
    if name in INSTALLED_TASKS.names():
        task: Task = INSTALLED_TASKS.load(name, Task)
        return task
    raise UnknownNameError("task", name, task_names())


def task_names() -> list[str]:
    """Every task of the registry and of other packages, sorted."""
    return sorted({*TASKS, *INSTALLED_TASKS.names()})
