"""Goals of a run: each waits for the robot to be armed, is followed, and ends with its run; free of ROS."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from vitra_inference.session import Run, RunSession, TerminationReason
from vitra_policy.errors import VitraError

ARMED_PATIENCE_S = 0.3
"""A goal sent right after re-arming may overtake the news of it."""


class Ending(StrEnum):
    """Final state of a goal."""

    SUCCEEDED = "succeeded"
    CANCELED = "canceled"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """What a goal's sender hears while its run is under way."""

    chunks: int
    elapsed_s: float
    inference_s: float
    """Time of the newest inference."""
    chunk_hz: float


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What became of a goal."""

    ending: Ending
    reason: str
    """A `TerminationReason`, or `refused`."""
    detail: str
    chunks: int = 0
    duration_s: float = 0.0


class RunGoal(Protocol):
    """A request for a run, and the way back to its sender."""

    @property
    def instruction(self) -> str:
        """What to do; empty takes the one that is set."""

    @property
    def time_limit_s(self) -> float:
        """Of the run; 0 is none."""

    @property
    def is_cancel_requested(self) -> bool:
        """Whether the sender wants it to end."""

    def report(self, progress: RunProgress) -> None:
        """Tell the sender how far it is."""

    def finish(self, outcome: RunOutcome) -> None:
        """Tell the sender what became of it; once."""


def ending_of(reason: TerminationReason | None) -> Ending:
    """Final state of a goal whose run ended for a reason."""
    if reason == TerminationReason.CANCELED:
        return Ending.CANCELED
    if reason in (TerminationReason.POLICY_DONE, TerminationReason.TIME_LIMIT):
        return Ending.SUCCEEDED
    return Ending.ABORTED


class RunGoals:
    """Goals from request to outcome; all methods from one thread.

    Args:
        session: of the runs.
        begin: starts the run of an instruction with a time limit [s]; raises `VitraError` when it cannot.
        may_move: whether the robot is armed, as far as known.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        session: RunSession,
        begin: Callable[[str, float], Run],
        may_move: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._begin, self._may_move, self._clock = session, begin, may_move, clock
        self._waiting: list[tuple[float, RunGoal]] = []
        self._running: list[tuple[RunGoal, Run]] = []

    @property
    def waiting(self) -> int:
        """How many wait for the robot to be armed."""
        return len(self._waiting)

    def take(self, goal: RunGoal) -> None:
        """A goal came."""
        if self._may_move():
            self._start(goal)
        else:
            self._waiting.append((self._clock() + ARMED_PATIENCE_S, goal))

    def watch(self) -> None:
        """Start those that waited, cancel, report and finish; called again and again."""
        for entry in list(self._waiting):
            deadline_s, goal = entry
            if self._may_move() or self._clock() >= deadline_s:
                self._waiting.remove(entry)
                self._start(goal)
        for running in list(self._running):
            goal, run = running
            if goal.is_cancel_requested:
                self._session.end(TerminationReason.CANCELED, "the client canceled the goal", run)
            elapsed_s = self._session.elapsed_s(run)
            if run.reason is None:
                chunk_hz = run.chunks / max(elapsed_s, 1e-3)
                goal.report(RunProgress(run.chunks, elapsed_s, run.inference_s, chunk_hz))
                continue
            self._running.remove(running)
            goal.finish(RunOutcome(ending_of(run.reason), str(run.reason), run.detail, run.chunks, elapsed_s))

    def _start(self, goal: RunGoal) -> None:
        try:
            self._running.append((goal, self._begin(goal.instruction, goal.time_limit_s)))
        except VitraError as error:
            goal.finish(RunOutcome(Ending.ABORTED, "refused", str(error)))
