"""Things on the table: what they are called, how large they are, how they are held."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Shape(StrEnum):
    """How a thing is drawn."""

    CYLINDER = "cylinder"
    BOX = "box"
    BALL = "ball"


@dataclass(frozen=True, slots=True)
class ThingKind:
    """A sort of thing."""

    name: str
    shape: Shape
    half_extents_m: tuple[float, float, float]
    """Of the box around it: x, y, z."""
    tall: bool
    """Held from the side rather than from above."""
    pours: bool = False
    hollow: bool = False
    sweeps: bool = False


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing in a scene."""

    kind: ThingKind
    colour_name: str
    colour: tuple[int, int, int]
    size: float
    """Factor on the kind's extents."""
    place_m: Array
    """(3,) its centre at the start, table top at z = 0."""

    @property
    def name(self) -> str:
        """As captions call it."""
        return f"the {self.colour_name} {self.kind.name}"

    @property
    def half_extents_m(self) -> Array:
        """(3,)."""
        return np.asarray(self.kind.half_extents_m) * self.size


KINDS = (
    ThingKind("cup", Shape.CYLINDER, (0.036, 0.036, 0.048), tall=True, pours=True, hollow=True),
    ThingKind("bottle", Shape.CYLINDER, (0.032, 0.032, 0.095), tall=True, pours=True),
    ThingKind("can", Shape.CYLINDER, (0.033, 0.033, 0.058), tall=True, pours=True),
    ThingKind("jar", Shape.CYLINDER, (0.042, 0.042, 0.06), tall=True, pours=True, hollow=True),
    ThingKind("bowl", Shape.CYLINDER, (0.065, 0.065, 0.03), tall=False, hollow=True),
    ThingKind("box", Shape.BOX, (0.04, 0.03, 0.05), tall=True),
    ThingKind("book", Shape.BOX, (0.07, 0.05, 0.015), tall=False),
    ThingKind("sponge", Shape.BOX, (0.045, 0.03, 0.015), tall=False, sweeps=True),
    ThingKind("cloth", Shape.BOX, (0.055, 0.05, 0.008), tall=False, sweeps=True),
    ThingKind("block", Shape.BOX, (0.025, 0.025, 0.025), tall=False),
    ThingKind("ball", Shape.BALL, (0.032, 0.032, 0.032), tall=False),
    ThingKind("apple", Shape.BALL, (0.037, 0.037, 0.037), tall=False),
)

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (190, 40, 38),
    "green": (50, 140, 60),
    "blue": (40, 80, 180),
    "yellow": (225, 195, 50),
    "orange": (230, 125, 35),
    "purple": (120, 60, 150),
    "white": (232, 232, 226),
    "black": (38, 38, 42),
    "pink": (230, 130, 165),
    "brown": (115, 75, 45),
    "gray": (130, 130, 132),
}


def scatter(count: int, rng: np.random.Generator, kinds: tuple[ThingKind, ...] = KINDS) -> list[Thing]:
    """Different things apart from each other on the part of the table that arms reach.

    Args:
        count: At most so many.
        rng: Of the draw.
        kinds: To draw from, each once.
    """
    things: list[Thing] = []
    names = rng.permutation(len(kinds))[:count]
    for row in names:
        kind, colour = kinds[row], str(rng.choice(list(COLOURS)))
        size = float(rng.uniform(0.85, 1.2))
        height = kind.half_extents_m[2] * size
        for _ in range(30):
            place = np.array([rng.uniform(0.32, 0.62), rng.uniform(-0.32, 0.32), height])
            if all(np.linalg.norm(place[:2] - other.place_m[:2]) > 0.15 for other in things):
                things.append(Thing(kind, colour, COLOURS[colour], size, place))
                break
    return things
