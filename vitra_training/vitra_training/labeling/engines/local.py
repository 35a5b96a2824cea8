"""The default engine: some worker processes on this machine."""

from __future__ import annotations

from collections import deque
from multiprocessing.connection import wait
from typing import Protocol

from vitra_training.labeling.engines.job import Job, Outcome
from vitra_training.labeling.engines.worker import Worker

_LOOK_S = 0.2
"""How often limits of time and memory are looked at."""


class Engine(Protocol):
    """Runs jobs somewhere; outcomes come back in any order."""

    slots: int
    """Jobs that run at the same time."""

    def submit(self, job: Job) -> None:
        """Queue a job."""

    def next_outcome(self) -> Outcome:
        """Wait for a job to end; something must be queued or running."""

    def close(self) -> None:
        """End what runs and release everything."""


class LocalEngine:
    """Worker processes on this machine; a job that goes wrong takes only its own worker along.

    Args:
        workers: processes.
        threads: per process, for numeric libraries.
    """

    def __init__(self, workers: int = 2, threads: int = 1) -> None:
        self.slots = workers
        self._idle = [Worker(threads) for _ in range(workers)]
        self._busy: list[Worker] = []
        self._queue: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._queue.append(job)
        self._fill()

    def next_outcome(self) -> Outcome:
        """Wait for a job to end."""
        while True:
            for worker in self._busy:
                if (outcome := worker.poll()) is not None:
                    self._busy.remove(worker)
                    self._idle.append(worker)
                    self._fill()
                    return outcome
            wait([ready for worker in self._busy for ready in worker.waitables()], timeout=_LOOK_S)

    def close(self) -> None:
        """End every worker."""
        self._queue.clear()
        for worker in (*self._busy, *self._idle):
            worker.close()

    def _fill(self) -> None:
        while self._queue and self._idle:
            worker = self._idle.pop()
            worker.give(self._queue.popleft())
            self._busy.append(worker)
