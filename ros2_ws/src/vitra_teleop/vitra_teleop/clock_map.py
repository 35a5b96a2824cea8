"""The sender's clock on ours: the fastest message seen lately says how far they are apart."""

from __future__ import annotations

from collections import deque


class ClockMap:
    """Maps stamps of another clock to ours; drift is followed, a step is noticed.

    Args:
        window: messages over which the fastest one counts.
        step_s: stamps that jump so much against arrival mean a changed clock.
    """

    def __init__(self, window: int = 300, step_s: float = 1.0) -> None:
        self._offsets: deque[float] = deque(maxlen=window)
        self._step_s = step_s

    def __call__(self, stamp_s: float, arrival_s: float) -> float:
        """Time of a stamp on our clock; never later than its arrival."""
        offset = arrival_s - stamp_s
        if self._offsets and abs(offset - self._offsets[-1]) > self._step_s:
            self._offsets.clear()
        self._offsets.append(offset)
        return stamp_s + min(self._offsets)
