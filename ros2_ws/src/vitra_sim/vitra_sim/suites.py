"""What a policy is judged on: cells of scenes, each scene with every object named that its words may name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vitra_policy.errors import UnknownNameError
from vitra_sim.scene.families import namings
from vitra_sim.scene.objects import COMMON_KINDS


class ShownImage(StrEnum):
    """What the policy is shown."""

    SEEN = "seen"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Cell:
    """Episodes that are counted together.

    Attributes:
        name: Of its row.
        scenes: Families or tasks, taken in turn; a scene of a family once for each object that words may name.
        episodes: How many, times the scale of the run.
        seed: Of the first scene; far from those that demonstrations are collected with.
        image: What the policy sees.
        target: Share of successes that the project wants; None for none.
    """

    name: str
    scenes: tuple[str, ...]
    episodes: int
    seed: int
    image: ShownImage = ShownImage.SEEN
    target: float | None = None

    def runs(self, scale: float) -> list[tuple[str, int]]:
        """Scene and seed of each episode."""
        count = max(round(self.episodes * scale), 1)
        names = [name for scene in self.scenes for name in namings(scene)]
        return [(names[i % len(names)], self.seed + i // len(names)) for i in range(count)]


_PAPER = {"place": (40, 16), "grasp": (24, 16), "pour": (8, 8), "sweep": (8, 24)}


def _paper_cells() -> tuple[Cell, ...]:
    cells = []
    for index, (goal, (seen, unseen)) in enumerate(_PAPER.items()):
        seed, target = 9_400_000 + 200_000 * index, 0.95 if goal == "place" else 0.9
        cells.append(Cell(f"{goal}, seen", (f"{goal}@seen",), seen, seed, target=target))
        scenes = (f"{goal}@unseen_object", f"{goal}@unseen_category")
        cells.append(Cell(f"{goal}, unseen", scenes, unseen, seed + 100_000, target=0.75))
    return tuple(cells)


SUITES: dict[str, tuple[Cell, ...]] = {
    "place": (
        Cell("seen objects", ("place@seen",), 100, 9_000_000, target=0.95),
        Cell("unseen objects", ("place@unseen_object",), 100, 9_100_000, target=0.75),
        Cell("unseen categories", ("place@unseen_category",), 100, 9_200_000, target=0.75),
        Cell("demo tasks", tuple(f"place_{kind}_in_box" for kind in COMMON_KINDS), 100, 9_300_000, target=0.95),
        Cell("seen objects, blank image", ("place@seen",), 40, 9_000_000, ShownImage.BLANK),
    ),
    "paper": _paper_cells(),
}
"""Cells by suite. Unseen scenes also have tables and hues that training never shows. `paper`: four tasks with as many
trials as Table II of the paper."""


def get_suite(name: str) -> tuple[Cell, ...]:
    """The cells of a suite.

    Raises:
        UnknownNameError: no such suite; the message lists them.
    """
    if name not in SUITES:
        raise UnknownNameError("suite", name, SUITES)
    return SUITES[name]
