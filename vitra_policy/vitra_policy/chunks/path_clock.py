"""The path clock: how far along its path the robot is, beside the clock on the wall."""

from __future__ import annotations

from collections import deque

import numpy as np


class PathClock:
    """Path time against clock time: runs with the clock, and slower while limits hold the robot back.

    A chunk counts its steps from its observation. What the robot has done since then is the path time that has passed
    since then, so a chunk is entered where the robot is on it, however late that is.

    Args:
        history_s: How far back observations are placed exactly; older ones are placed with the oldest known lag.
        period_s: Time between two entries.
    """

    def __init__(self, history_s: float = 3.0, period_s: float = 0.005) -> None:
        self._entries: deque[tuple[float, float]] = deque(maxlen=max(round(history_s / period_s), 2))

    def reset(self, clock_s: float) -> None:
        """No lag from now on, and none in the past."""
        self._entries.clear()
        self._entries.append((clock_s, clock_s))

    def advance(self, clock_s: float, path_s: float) -> None:
        """At this clock time the robot is here on its path; both never go back."""
        self._entries.append((clock_s, path_s))

    @property
    def lag_s(self) -> float:
        """How far path time is behind the clock now."""
        clock_s, path_s = self._entries[-1]
        return clock_s - path_s

    def at(self, clock_s: float) -> float:
        """Path time when the clock showed this."""
        if not self._entries:
            return clock_s
        clocks_s, paths_s = np.array(self._entries).T
        return clock_s - float(np.interp(clock_s, clocks_s, clocks_s - paths_s))
