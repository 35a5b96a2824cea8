"""The tasks of the simulated robot: which hand, which object, what to do, in words and in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vitra_description.names import Side
from vitra_policy.errors import UnknownNameError
from vitra_sim.objects import Kind


class Goal(StrEnum):
    """What has to be true in the end."""

    IN_BOX = "in_box"


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
        words = f"Put the {self.colour} {self.kind} into the box."
        left, right = (words, "None.") if self.side is Side.LEFT else ("None.", words)
        return f"Left hand: {left} Right hand: {right}"


_COLOURS = {Kind.CUBE: "red", Kind.CAN: "blue", Kind.BOTTLE: "green", Kind.BALL: "orange", Kind.MUG: "yellow"}


def _registry() -> dict[str, Task]:
    tasks = {}
    for kind, colour in _COLOURS.items():
        for side in (Side.RIGHT, Side.LEFT):
            suffix = "" if side is Side.RIGHT else "_left"
            name = f"place_{kind}_in_box{suffix}"
            tasks[name] = Task(name, side, kind, colour)
    return tasks


TASKS: dict[str, Task] = _registry()
"""Every task by name; `place_{kind}_in_box` for the right hand, `..._left` for the left."""

DEFAULT_TASK = "place_cube_in_box"


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        UnknownNameError: no such task; the message suggests one.
    """
    if name not in TASKS:
        raise UnknownNameError("task", name, TASKS)
    return TASKS[name]
