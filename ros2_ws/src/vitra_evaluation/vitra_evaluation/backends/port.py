"""What a session asks of the robot's side; the running graph and the lockstep simulation both answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.plan.schedule import Slot
from vitra_evaluation.session.trial import Status


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the preflight."""

    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened by itself during a trial: a stop, a limit, starvation."""

    kind: str
    detail: str


class TrialPort(Protocol):
    """The robot, its policy and its recorder."""

    @property
    def automatic(self) -> bool:
        """Whether it resets the scene and judges by itself."""
        ...

    @property
    def stops(self) -> int:
        """How many stops there have been so far, whoever caused them."""
        ...

    def checks(self) -> list[Check]:
        """Everything that must be green before a trial."""
        ...

    def arm(self) -> None:
        """Arm, explicitly.

        Raises:
            VitraError: refused; the message says what is missing.
        """
        ...

    def stop(self) -> None:
        """Latch a stop; returns at once."""
        ...

    def home(self) -> None:
        """Move to the ready posture and check that it is there."""
        ...

    def reset(self, slot: Slot, plan: Plan) -> None:
        """Set up the start state (simulation), or nothing."""
        ...

    def start(self, slot: Slot, plan: Plan, folder: Path) -> None:
        """Begin to record, then let the policy run.

        Args:
            slot: What is tried.
            plan: Of the session.
            folder: Where the bag goes.

        Raises:
            NotRecordingError: the recording did not begin.
            VitraError: the policy did not start.
        """
        ...

    def status(self) -> Status:
        """The present state; waits a little for news."""
        ...

    def now_s(self) -> float:
        """The clock trials are timed by."""
        ...

    def events(self) -> list[Event]:
        """Automatic events since the last call."""
        ...

    def finish(self, folder: Path) -> Path | None:
        """End the policy's run and the recording; the bag, if there is one."""
        ...

    def image(self) -> bytes | None:
        """The newest head camera image as JPEG, predicted path drawn in."""
        ...

    def close(self) -> None:
        """Leave."""
        ...
