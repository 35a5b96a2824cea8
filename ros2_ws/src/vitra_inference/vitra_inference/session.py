"""One run of the policy: from start to its first reason to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vitra_policy.errors import VitraError


class TerminationReason(StrEnum):
    """Why a run ended; the first reason stays."""

    TIME_LIMIT = "time_limit"
    CANCELED = "canceled"
    STOPPED = "stopped"
    POLICY_DONE = "policy_done"
    POLICY_ERROR = "policy_error"


class RunRefusedError(VitraError):
    """A run that cannot start now."""


@dataclass(slots=True, eq=False)
class Run:
    """State of one run; written by `RunSession` only."""

    instruction: str
    hands: NDArray[np.bool_]
    """(2,) hands that are asked to act."""
    time_limit_s: float
    started_s: float
    reason: TerminationReason | None = None
    detail: str = ""
    ended_s: float = 0.0
    chunks: int = 0
    inference_s: float = 0.0
    """Time of the newest inference."""
    ended: threading.Event = field(default_factory=threading.Event)


class RunSession:
    """At most one run at a time; every method may be called from any thread.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._changed = clock, threading.Condition()
        self._run: Run | None = None

    @property
    def run(self) -> Run | None:
        """The run under way."""
        return self._run

    def start(self, instruction: str, hands: NDArray[np.bool_], time_limit_s: float = 0.0) -> Run:
        """Begin a run; a time limit of 0 is none.

        Args:
            instruction: What the robot is to do.
            hands: Which hands act (2,), left first.
            time_limit_s: The run ends after it.

        Raises:
            RunRefusedError: one is under way.
        """
        with self._changed:
            if self._run is not None:
                raise RunRefusedError(f"A run is under way ('{self._run.instruction}'); stop it first (policy/stop).")
            self._run = Run(instruction, hands, time_limit_s, self._clock())
            self._changed.notify_all()
            return self._run

    def redirect(self, instruction: str, hands: NDArray[np.bool_]) -> None:
        """Give the run under way, if any, another instruction.

        Args:
            instruction: What the robot is to do from now on.
            hands: Which hands act (2,), left first.
        """
        with self._changed:
            if self._run is not None:
                self._run.instruction, self._run.hands = instruction, hands

    def end(self, reason: TerminationReason, detail: str = "", run: Run | None = None) -> bool:
        """End the run under way (or only if it is `run`); False if there is none.

        Args:
            reason: Why it ends.
            detail: The same in words.
            run: End this one only.
        """
        with self._changed:
            current = self._run
            if current is None or (run is not None and run is not current):
                return False
            current.reason, current.detail, current.ended_s = reason, detail, self._clock()
            self._run = None
            current.ended.set()
            self._changed.notify_all()
            return True

    def check_time(self) -> None:
        """End the run if its time is over."""
        run = self._run
        if run is not None and run.time_limit_s > 0 and self.elapsed_s(run) >= run.time_limit_s:
            self.end(TerminationReason.TIME_LIMIT, f"{run.time_limit_s:g} s are over", run)

    def count_chunk(self, run: Run, inference_s: float) -> bool:
        """Note that a chunk is about to go out; False if the run has ended meanwhile and it must not."""
        with self._changed:
            if run is not self._run:
                return False
            run.chunks += 1
            run.inference_s = inference_s
            return True

    def elapsed_s(self, run: Run) -> float:
        """Duration of a run so far, or in the end."""
        return (run.ended_s if run.reason else self._clock()) - run.started_s

    def wait(self, timeout_s: float) -> Run | None:
        """The run under way; waits for one to begin."""
        with self._changed:
            if self._run is None:
                self._changed.wait(timeout_s)
            return self._run
