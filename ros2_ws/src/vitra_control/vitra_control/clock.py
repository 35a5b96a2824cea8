"""Between the ROS clock that stamps data and the monotonic clock that durations are measured with."""

from __future__ import annotations

import time
from collections.abc import Callable


class ClockBridge:
    """Maps ROS (system) time to monotonic time; follows a clock that was set, but not the noise of reading two clocks.

    Args:
        tolerance_s: Smallest step of the system clock that is followed.
        system: System clock [s].
        monotonic: Monotonic clock [s].
    """

    def __init__(
        self,
        tolerance_s: float = 0.005,
        system: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tolerance_s, self._system, self._monotonic = tolerance_s, system, monotonic
        self._offset_s = system() - monotonic()

    def monotonic_s(self, system_s: float) -> float:
        """Monotonic time of a stamp."""
        offset_s = self._system() - self._monotonic()
        if abs(offset_s - self._offset_s) > self._tolerance_s:
            self._offset_s = offset_s
        return system_s - self._offset_s

    def system_s(self, monotonic_s: float) -> float:
        """Stamp of a monotonic time."""
        return monotonic_s + self._offset_s
