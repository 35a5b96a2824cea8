"""The tasks of the simulated robot: which hand, which object, what to do, in words and in numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from vitra_policy.action_space import Side
from vitra_policy.errors import UnknownNameError
from vitra_policy.extension_point import ExtensionPoint
from vitra_sim.scene.objects import COLOURS, COMMON_KINDS, PLACEABLE_KINDS, Kind


class Goal(StrEnum):
    """What has to be true in the end."""

    IN_BOX = "in_box"
    POURED = "poured"
    SWEPT = "swept"
    HELD = "held"


PIECES = {Goal.POURED: "ball", Goal.SWEPT: "cube"}
"""What is poured or swept: the objects named `{piece}_1`, `{piece}_2` and so on."""

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
    ),
    Goal.SWEPT: (
        "Sweep the cubes onto the mat with the {target}.",
        "Use the {target} to brush the cubes onto the mat.",
        "Push the cubes over to the mat with the {target}.",
    ),
    Goal.HELD: (
        "Pick up the {target} by its handle.",
        "Take the {target} by the handle and lift it.",
        "Grasp the handle of the {target} and hold it up.",
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


_PLACE = re.compile(r"place_(?P<colour>[a-z]+)_(?P<kind>[a-z]+)_in_box(?P<left>_left)?")


def place_task(kind: Kind, colour: str, side: Side, wording: int = 0, distractors: int = 2) -> Task:
    """The task to put an object of any colour into the box; its name says so: `place_{colour}_{kind}_in_box[_left]`.

    Args:
        kind: Shape of the object.
        colour: Its name.
        side: Hand that does it.
        wording: Number of the instruction's wording.
        distractors: How many other objects stand around.
    """
    name = f"place_{colour}_{kind}_in_box{'_left' if side is Side.LEFT else ''}"
    return Task(name, side, kind, colour, Goal.IN_BOX, distractors, wording)


def get_task(name: str) -> Task:
    """The task of that name: of the registry, of another package, or `place_{colour}_{kind}_in_box[_left]`.

    Raises:
        UnknownNameError: no such task; the message suggests one.
        ExtensionError: it is not a `Task`, or cannot be imported.
    """
    if name in TASKS:
        return TASKS[name]
    found = _PLACE.fullmatch(name)
    if found and found["kind"] in PLACEABLE_KINDS and found["colour"] in COLOURS:
        return place_task(Kind(found["kind"]), found["colour"], Side.LEFT if found["left"] else Side.RIGHT)
    if name in INSTALLED_TASKS.names():
        task: Task = INSTALLED_TASKS.load(name, Task)
        return task
    raise UnknownNameError("task", name, task_names())


def task_names() -> list[str]:
    """Every task of the registry and of other packages, sorted."""
    return sorted({*TASKS, *INSTALLED_TASKS.names()})
