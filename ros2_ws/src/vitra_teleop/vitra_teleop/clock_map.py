"""The sender's clock on ours: the fastest message seen lately says how far they are apart."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from vitra_runtime.clock_steps import StepDetector

_SILENCE_S = 1.0
"""After so long nothing is known any more of the sender's clock."""


class ClockMap:
    """Maps stamps of another clock to ours; drift is followed, a step of either clock is noticed.

    A step of ours moves what was learnt with it. A stamp that goes back means that theirs was set. A stamp that is
    merely late stays late: only a clock, never a delay, may be explained away.

    Args:
        window: messages over which the fastest one counts.
        monotonic: seconds of a clock that nobody sets.
    """

    def __init__(self, window: int = 300, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._offsets: deque[float] = deque(maxlen=window)
        self._step = StepDetector(monotonic)
        self._last_stamp_s = -float("inf")

    def __call__(self, stamp_s: float, arrival_s: float) -> float:
        """Time of a stamp on our clock; never later than its arrival.

        Args:
            stamp_s: on the sender's clock.
            arrival_s: our clock, read just now.
        """
        if step_s := self._step(arrival_s):
            self._offsets = deque((offset + step_s for offset in self._offsets), self._offsets.maxlen)
        if stamp_s < self._last_stamp_s or self._step.silence_s > _SILENCE_S:
            self._offsets.clear()
        self._last_stamp_s = stamp_s
        self._offsets.append(arrival_s - stamp_s)
        return stamp_s + min(self._offsets)
