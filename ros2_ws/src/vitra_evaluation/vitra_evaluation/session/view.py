"""What an evaluator may see of a session while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from vitra_evaluation.backends.port import Check
from vitra_evaluation.plan.schedule import Slot
from vitra_evaluation.session.trial import Trial


@dataclass(frozen=True, slots=True)
class LastTrial:
    """The trial that was recorded last.

    Attributes:
        name: What orders call it.
        attempt: Its number.
        label: What it was labelled.
    """

    name: str
    attempt: int
    label: str


@dataclass(slots=True)
class View:
    """What an evaluator may see: nothing in it depends on which policy runs.

    Attributes:
        slot: The trial under way.
        trial: Its state.
        attempt: Its number.
        checks: The preflight.
        done: Trials that count.
        total: Trials of the session.
        message: The last news.
        paused: Whether the session waits between two trials.
        moving: What the arms do by themselves right now; empty while they rest or the policy runs.
        last: The trial before, whose label may still be corrected.
        anchor: Anchor of the newest entry of the record, to write down.
    """

    slot: Slot | None = None
    trial: Trial | None = None
    attempt: int | None = None
    checks: list[Check] = field(default_factory=list)
    done: int = 0
    total: int = 0
    message: str = ""
    paused: bool = False
    moving: str = ""
    last: LastTrial | None = None
    anchor: str = ""
