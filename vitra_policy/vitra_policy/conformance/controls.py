"""Clients that get it wrong, so that the suite can be seen to notice: a naive one, and what lerobot's users met."""

from __future__ import annotations

from collections import deque

import numpy as np

from vitra_policy.chunks.curve import Array, TimedSteps
from vitra_policy.conformance.rehearsal import STEP_S


class NaiveClient:
    """Answers go into a queue, one row is taken per step, and zeros are sent when there is none."""

    def __init__(self) -> None:
        self._queue: deque[Array] = deque()
        self._shown, self._next_s = np.zeros(0), 0.0

    def start(self, position: Array, now_s: float) -> None:
        """Forgets, and where the robot is too.

        Args:
            position: Where the robot is (n,).
            now_s: The client's clock.
        """
        self._queue.clear()
        self._shown, self._next_s = np.zeros_like(position), now_s

    def request(self, now_s: float) -> Array:
        """Nothing (0, n) is ever said to be decided."""
        return np.zeros((0, len(self._shown)))

    def receive(self, chunk: TimedSteps, now_s: float) -> None:
        """Whatever comes is done, from its beginning."""
        self._queue.extend(chunk.values)

    def target(self, now_s: float) -> Array:
        """Next row (n,), or zeros."""
        if now_s >= self._next_s - 1e-9:
            self._next_s = now_s + STEP_S
            self._shown = self._queue.popleft() if self._queue else np.zeros_like(self._shown)
        return self._shown


class EstimateClient:
    """A queue that is spliced by an estimate of the latency, as lerobot's was before pull requests 4223 and 4454.

    Told in our own words: of each new chunk as many rows are thrown away as the latency had steps, though the robot may
    have taken fewer (none at all, at the start); the estimate is the largest latency ever seen; and a prefix that has
    too few rows is filled with zeros, which a policy reads as the mean of its training data.
    """

    def __init__(self) -> None:
        self._queue: deque[Array] = deque()
        self._shown, self._next_s, self._asked_s, self._worst_s = np.zeros(0), 0.0, 0.0, 0.0

    def start(self, position: Array, now_s: float) -> None:
        """Hold.

        Args:
            position: Where the robot is (n,).
            now_s: The client's clock.
        """
        self._queue.clear()
        self._shown, self._next_s, self._worst_s = position, now_s, 0.0

    def request(self, now_s: float) -> Array:
        """As many rows (d, n) as the worst latency had, from the queue and then from nowhere."""
        self._asked_s = now_s
        prefix = np.zeros((self._steps(), len(self._shown)))
        for k, row in zip(range(self._steps()), self._queue, strict=False):
            prefix[k] = row
        return prefix

    def receive(self, chunk: TimedSteps, now_s: float) -> None:
        """Splice where the estimate says."""
        self._worst_s = max(self._worst_s, now_s - self._asked_s)
        self._queue = deque(chunk.values[min(self._steps(), len(chunk.values)) :])

    def target(self, now_s: float) -> Array:
        """Next row (n,), or the last one again."""
        if now_s >= self._next_s - 1e-9:
            self._next_s = now_s + STEP_S
            self._shown = self._queue.popleft() if self._queue else self._shown
        return self._shown

    def _steps(self) -> int:
        return int(np.ceil(self._worst_s / STEP_S - 1e-9))
