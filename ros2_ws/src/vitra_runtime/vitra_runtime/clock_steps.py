"""Tells a clock that was set from time that passed, against the monotonic clock of the machine."""

from __future__ import annotations

import time
from collections.abc import Callable

_LEAST_S = 0.08
"""Smaller steps are not told from a thread that waited between the two readings."""


_FOLLOW = 0.1
"""Share of a smaller difference that is taken for drift: clocks are slewed, too."""


class StepDetector:
    """By how much a clock was set between two readings of it.

    Args:
        monotonic: seconds of a clock that nobody sets.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ahead_s: float | None = None
        self._read_s = 0.0
        self.silence_s = 0.0
        """How long ago the reading before the last one was."""

    def __call__(self, clock_s: float) -> float:
        """The step since the last reading [s]; 0 if there was none.

        Args:
            clock_s: the clock, read just now.
        """
        now_s = self._monotonic()
        ahead_s, before_s = clock_s - now_s, self._ahead_s
        self.silence_s, self._read_s = now_s - self._read_s, now_s
        if before_s is None:
            self._ahead_s, self.silence_s = ahead_s, 0.0
            return 0.0
        step_s = ahead_s - before_s
        if abs(step_s) < _LEAST_S:
            self._ahead_s = before_s + _FOLLOW * step_s
            return 0.0
        self._ahead_s = ahead_s
        return step_s
