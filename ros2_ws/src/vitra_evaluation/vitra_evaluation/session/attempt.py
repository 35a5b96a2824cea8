"""One trial that was begun: its result, its corrections, and whether it counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

NO_START = "no_start"
"""Failure code of a trial whose policy could not be started; counts without a bag."""


class Outcome(StrEnum):
    """How a trial ended."""

    SUCCESS = "success"
    FAIL = "fail"
    SAFETY_STOP = "safety_stop"


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One judged trial.

    Attributes:
        outcome: The label.
        reason: Why the trial ended, in the machine's words.
        duration_s: From the policy's start to the end.
        judge: Who labelled it: "simulation", or a person.
        failure_code: From the plan's list; empty on success.
        note: Free text.
        milestones: Reached ones, with the time since the start [s].
        interventions: How often a person had to step in.
        has_bag: Whether the trial's bag was read back; without it the trial does not count.
        measures: Figures from the bag.
    """

    outcome: Outcome
    reason: str
    duration_s: float
    judge: str
    failure_code: str = ""
    note: str = ""
    milestones: dict[str, float] = field(default_factory=dict)
    interventions: int = 0
    has_bag: bool = False
    measures: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Correction:
    """A label that was set right, and why."""

    at: str
    before: str
    after: str
    reason: str
    person: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """A trial that was begun; its result has the corrections in it."""

    id: int
    slot: int
    started: str
    ended: str | None = None
    result: TrialResult | None = None
    void_reason: str | None = None
    void_person: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    corrections: tuple[Correction, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it is part of the statistics."""
        if self.result is None or self.void_reason is not None:
            return False
        return self.result.has_bag or self.result.failure_code == NO_START
