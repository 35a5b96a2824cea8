"""Where the trials of a session run; locked at its start: trials of different backends are not one sample."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from vitra_evaluation.errors import SessionError

Graph = Literal["launch", "attach", "lockstep"]
Arms = Literal["right", "left", "both"]


@dataclass(frozen=True, slots=True)
class Setup:
    """What all trials of a session share beside its plan."""

    graph: Graph = "launch"
    """launch starts the robot graph; attach uses the one that runs; lockstep simulates without it, faster."""
    arms: Arms = "right"
    """Arms of the robot."""
    render: bool = False
    """Lockstep: render the head camera for the policies."""

    @property
    def is_lockstep(self) -> bool:
        """Whether trials are simulated without the graph; launched and attached graphs are the same backend."""
        return self.graph == "lockstep"

    @property
    def options(self) -> str:
        """As options of the command line."""
        return f"--graph {self.graph} --arms {self.arms} {'--render' if self.render else '--no-render'}"

    @property
    def words(self) -> str:
        """As a sentence of the report."""
        if self.is_lockstep:
            return f"All trials ran in the lockstep simulation, {'with' if self.render else 'without'} head camera."
        return f"All trials ran in the ROS graph, arms: {self.arms}."

    def to_fact(self) -> dict[str, Any]:
        """As it is locked in the journal."""
        return asdict(self)

    @staticmethod
    def from_fact(fact: object) -> Setup | None:
        """What was locked; None in sessions of versions that did not note it.

        Args:
            fact: Of the journal.
        """
        match fact:
            case {"graph": graph, "arms": arms, "render": bool(render)}:
                return Setup(graph, arms, render) if graph in get_args(Graph) and arms in get_args(Arms) else None
        return None


def resumed(folder: Path, locked: Setup | None, graph: Graph | None, arms: Arms | None, render: bool) -> Setup:
    """How a session goes on: as it was begun.

    Args:
        folder: Of the session.
        locked: What it was begun with; None: not noted, and anything goes.
        graph: Asked for now; None: nothing.
        arms: Asked for now; None: nothing.
        render: Whether rendering is asked for now.

    Raises:
        SessionError: something else is asked for.
    """
    begun = locked or Setup()
    asked = Setup(graph or begun.graph, arms or begun.arms, render or begun.render)
    same = (asked.is_lockstep, asked.arms, asked.render) == (begun.is_lockstep, begun.arms, begun.render)
    if locked is not None and not same:
        raise SessionError(
            f"The session in {folder} was begun with {locked.options} and cannot go on with {asked.options}, because "
            f"its trials are one sample: vitra-eval resume {folder}"
        )
    return asked
