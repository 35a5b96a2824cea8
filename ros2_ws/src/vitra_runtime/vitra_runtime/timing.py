"""Periodic work on the monotonic clock, with a cadence report."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any


def stamp_to_s(stamp: object) -> float:
    """Seconds of a builtin_interfaces/Time."""
    return stamp.sec + stamp.nanosec * 1e-9  # type: ignore[attr-defined, no-any-return]


def stamp_now(stamp: Any) -> None:
    """Set a builtin_interfaces/Time to the system's time; a rclpy clock takes 40 us for that in a running graph."""
    stamp.sec, stamp.nanosec = divmod(time.time_ns(), 1_000_000_000)


class Cadence:
    """Rate and period error of something that should happen every `period_s`, over the last `window` ticks."""

    def __init__(self, period_s: float, window: int = 400) -> None:
        self.period_s = period_s
        self._times: deque[float] = deque(maxlen=window + 1)

    def tick(self, now_s: float) -> None:
        """Note that it happened."""
        self._times.append(now_s)

    def clear(self) -> None:
        """Forget the past (after a pause that was meant)."""
        self._times.clear()

    @property
    def rate_hz(self) -> float:
        """Mean rate over the window; 0 before the second tick."""
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-9)

    def period_error_s(self, quantile: float = 0.99) -> float:
        """Quantile of |period - nominal| over the window [s]."""
        times = list(self._times)
        errors = sorted(abs(b - a - self.period_s) for a, b in zip(times, times[1:], strict=False))
        return errors[min(len(errors) - 1, int(quantile * len(errors)))] if errors else 0.0


class Ticker:
    """Sleep to a fixed grid: `while ticker.wait(): ...`; a tick missed by more than a period is dropped, not caught up.

    Args:
        period_s: grid spacing [s].
        clock: monotonic clock [s].
        sleep: how to wait [s]; both are injectable for tests.
    """

    def __init__(
        self,
        period_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.period_s, self._clock, self._sleep = period_s, clock, sleep
        self._next_s = clock() + period_s
        self.missed = 0

    @property
    def next_s(self) -> float:
        """The next grid time [s]."""
        return self._next_s

    def wait_for(self, event: threading.Event, spare_s: float) -> bool:
        """Wait for an event until the next grid time; whether it came with at least this time left before that.

        One sleep per period: where no event comes, `wait` has nothing left to wait for.
        """
        left_s = self._next_s - self._clock()
        return left_s > spare_s and event.wait(left_s) and self._next_s - self._clock() > spare_s

    def wait(self) -> float:
        """Wait for the next grid time and return it [s]."""
        now_s = self._clock()
        late_s = now_s - self._next_s
        if late_s > self.period_s:
            skipped = int(late_s / self.period_s)
            self.missed += skipped
            self._next_s += skipped * self.period_s
        if self._next_s > now_s:
            self._sleep(self._next_s - now_s)
        tick_s = self._next_s
        self._next_s += self.period_s
        return tick_s
