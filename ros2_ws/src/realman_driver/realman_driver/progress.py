"""Whether the arm gets on while it is told to: a controller that has stopped reading is noticed before it leaps."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class ProgressWatch:
    """Compares how far the arm has come in a window of time with how far it was told to, a moment earlier.

    The way is that of all joints together: a controller that does not read lets all of them stand, while a hand that
    touches something turns one joint aside and goes on with the others (an arm that is really held is the tracking
    error's business).

    Args:
        window_s: Time over which both are compared.
        delay_s: How late an arm may follow its setpoints.
        least_rad: Setpoints that moved less say nothing.
        share: The arm must have come at least so much of the way.
        consecutive_errors: Consecutive measurements that must agree.
    """

    def __init__(
        self,
        window_s: float = 0.06,
        delay_s: float = 0.04,
        least_rad: float = float(np.deg2rad(0.6)),
        share: float = 0.2,
        consecutive_errors: int = 3,
    ) -> None:
        self._window_s, self._delay_s = window_s, delay_s
        self._least_rad, self._share, self._errors_allowed = least_rad, share, consecutive_errors
        self._sent: deque[tuple[float, Array]] = deque()
        self._measured: deque[tuple[float, Array]] = deque()
        self._consecutive_errors = 0

    def clear(self) -> None:
        """Forget the past."""
        self._sent.clear()
        self._measured.clear()
        self._consecutive_errors = 0

    def sent(self, position_rad: Array, now_s: float) -> None:
        """A setpoint went out.

        Args:
            position_rad: Setpoint (7,).
            now_s: When it left.
        """
        self._sent.append((now_s, position_rad))
        _drop_before(self._sent, now_s - self._delay_s - self._window_s)

    def measured(self, position_rad: Array, now_s: float) -> str:
        """The arm reported its joints; what is wrong, in words, or an empty text.

        Args:
            position_rad: Joints (7,).
            now_s: When they were reported.
        """
        if self._measured and now_s - self._measured[-1][0] > self._window_s / 4:
            self._measured.clear()  # a pause of the feedback has its own name
        self._measured.append((now_s, position_rad))
        _drop_before(self._measured, now_s - self._window_s)
        begin, end = _at(self._sent, now_s - self._delay_s - self._window_s), _at(self._sent, now_s - self._delay_s)
        before = _at(self._measured, now_s - self._window_s)
        if begin is None or end is None or before is None:
            return ""
        told = end - begin
        asked_rad = float(np.linalg.norm(told))
        if asked_rad < self._least_rad:
            self._consecutive_errors = 0
            return ""
        came_rad = float((position_rad - before) @ told) / asked_rad
        self._consecutive_errors = self._consecutive_errors + 1 if came_rad < self._share * asked_rad else 0
        if self._consecutive_errors < self._errors_allowed:
            return ""
        came, asked, window_ms = np.rad2deg(came_rad), np.rad2deg(asked_rad), self._window_s * 1e3
        return (
            f"the arm does not get on: its joints came {came:.1f} of {asked:.1f} deg in {window_ms:.0f} ms; "
            "does its controller still read (network, load)?"
        )


def _drop_before(samples: deque[tuple[float, Array]], time_s: float) -> None:
    """Keep one sample at or before the time."""
    while len(samples) > 1 and samples[1][0] <= time_s:
        samples.popleft()


def _at(samples: deque[tuple[float, Array]], time_s: float) -> Array | None:
    """The newest sample at or before the time."""
    found = None
    for stamp_s, value in samples:
        if stamp_s > time_s:
            break
        found = value
    return found
