"""The tasks of the simulated robot: which hand, which object, what to do, in words and in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vitra_description.names import Side
from vitra_policy.errors import UnknownNameError
from vitra_sim.scene.objects import COMMON_KINDS, Kind


class Goal(StrEnum):
    """What has to be true in the end."""

    IN_BOX = "in_box"
    POURED = "poured"
    SWEPT = "swept"
    HELD = "held"


PIECES = {Goal.POURED: "ball", Goal.SWEPT: "cube"}
"""What is poured or swept: the objects named `{piece}_1`, `{piece}_2` and so on."""

_WORDS = {
    Goal.IN_BOX: "Put the {target} into the box.",
    Goal.POURED: "Pour the balls from the {target} into the box.",
    Goal.SWEPT: "Sweep the cubes onto the mat with the {target}.",
    Goal.HELD: "Pick up the {target} by its handle.",
}


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
    """

    name: str
    side: Side
    kind: Kind
    colour: str
    goal: Goal = Goal.IN_BOX
    distractors: int = 2

    @property
    def target(self) -> str:
        """Name of the object to act on."""
        return f"{self.colour}_{self.kind}"

    @property
    def instruction(self) -> str:
        """What the policy is told."""
        words = _WORDS[self.goal].format(target=f"{self.colour} {self.kind}")
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


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        UnknownNameError: no such task; the message suggests one.
    """
    if name not in TASKS:
        raise UnknownNameError("task", name, TASKS)
    return TASKS[name]
