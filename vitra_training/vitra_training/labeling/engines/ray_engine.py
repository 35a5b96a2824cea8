"""The cluster engine: a pool of Ray actors, each with an isolated worker of its own."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from vitra_training.labeling.engines.job import Job, Outcome
from vitra_training.labeling.engines.ledger import Reason
from vitra_training.labeling.engines.worker import Worker
from vitra_training.labeling.errors import MissingModelError

_LOOK_S = 0.2


class RayEngine:
    """Jobs on actors of a Ray cluster; inputs and outputs lie on storage that all nodes see.

    An actor runs its job in a child process with limits of time and memory, as the local engine does: a stage that
    crashes, hangs or eats the memory ends the child, not the actor, and nothing of another job is lost. An actor whose
    node dies is replaced, and its job counts as crashed.

    Args:
        workers: actors.
        gpus: share of a GPU that an actor holds.
        threads: per actor, for numeric libraries.

    Raises:
        MissingModelError: Ray is not installed.
    """

    def __init__(self, workers: int = 2, gpus: float = 0.0, threads: int = 1) -> None:
        try:
            import ray
        except ImportError:
            raise MissingModelError(
                "The Ray engine", "the package ray", "Install it: pip install 'ray[data]>=2.40'.", "Apache-2.0"
            ) from None
        self._ray, self.slots = ray, workers
        if not ray.is_initialized():
            ray.init(num_cpus=workers, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0)(_Actor)
        self._make: Callable[[], Any] = partial(remote.remote, threads)
        self._idle: list[Any] = [self._make() for _ in range(workers)]
        self._busy: dict[Any, tuple[Any, Job]] = {}
        self._queue: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._queue.append(job)
        self._fill()

    def next_outcome(self) -> Outcome:
        """Wait for a job to end."""
        (ready, *_), _ = self._ray.wait(list(self._busy), num_returns=1)
        actor, job = self._busy.pop(ready)
        try:
            outcome: Outcome = self._ray.get(ready)
            self._idle.append(actor)
        except self._ray.exceptions.RayError as error:
            outcome = Outcome(job, 0.0, Reason.CRASH, f"the Ray actor was lost ({type(error).__name__})")
            self._idle.append(self._make())
        self._fill()
        return outcome

    def close(self) -> None:
        """End every actor; the cluster stays."""
        self._queue.clear()
        for actor in [*self._idle, *(actor for actor, _ in self._busy.values())]:
            self._ray.kill(actor)
        self._idle.clear()
        self._busy.clear()

    def _fill(self) -> None:
        while self._queue and self._idle:
            actor, job = self._idle.pop(), self._queue.popleft()
            self._busy[actor.perform.remote(job)] = (actor, job)


class _Actor:
    """One worker on a node."""

    def __init__(self, threads: int) -> None:
        self._worker = Worker(threads)

    def perform(self, job: Job) -> Outcome:
        """Run a job to its end or its limits."""
        from multiprocessing.connection import wait

        self._worker.give(job)
        while True:
            outcome = self._worker.poll()
            if outcome is not None:
                return outcome
            wait(self._worker.waitables(), timeout=_LOOK_S)
