"""A joint stream aligned to camera frames while it is read: memory grows with frames, not with samples."""

from __future__ import annotations

import numpy as np

from vitra_policy.policies.observation import Missing, SampleHistory
from vitra_training.datasets.episode import Array

MAX_AGE_S = 0.05
"""A joint value older than this at a frame makes the frame invalid for that side, as in the policy node."""


def _itself(value: Array) -> Array:
    return value


class AlignedStream:
    """At each frame the last value not after it, found by the code that the policy node finds it with.

    Args:
        times_s: (T,) increasing times of the frames.
        width: numbers of a sample.
    """

    def __init__(self, times_s: Array, width: int) -> None:
        self._times_s = times_s
        self._history: SampleHistory[Array] = SampleHistory(_itself)
        self._next = 0
        self._newest: Array | None = None
        self.values = np.zeros((len(times_s), width))
        """(T, width) last value not after each frame, however old."""
        self.fresh = np.zeros(len(times_s), dtype=bool)
        """(T,) whether it is not older than `MAX_AGE_S`."""
        self.known = np.zeros(len(times_s), dtype=bool)
        """(T,) whether there is one."""

    @property
    def is_empty(self) -> bool:
        """Whether the stream has no sample at all."""
        return self._history.newest_s is None

    def add(self, stamp_s: float, value: Array) -> None:
        """The next sample; one that is not newer than the last is left out.

        Args:
            stamp_s: When it was measured.
            value: (width,).
        """
        before = self._newest
        if not self._history.add(stamp_s, value):
            return
        self._newest = value
        while self._next < len(self._times_s) and self._times_s[self._next] <= stamp_s:
            self._settle(before)

    def finish(self) -> AlignedStream:
        """No more samples will come: frames after the last one have none, as far as the live node knows."""
        while self._next < len(self._times_s):
            self._settle(self._newest)
        return self

    def as_of(self, stamp_s: float, max_age_s: float) -> Array | Missing:
        """Value (width,) at a frame, with the interface of a `SampleHistory`.

        Args:
            stamp_s: Of the frame.
            max_age_s: Oldest sample that counts.
        """
        row = int(np.searchsorted(self._times_s, stamp_s))
        assert max_age_s == MAX_AGE_S
        assert self._times_s[row] == stamp_s
        if self.fresh[row]:
            return np.asarray(self.values[row])
        return Missing.STALE if self.known[row] else Missing.NO_DATA

    def _settle(self, before: Array | None) -> None:
        """Take the value of the next frame, which no later sample can change."""
        row, self._next = self._next, self._next + 1
        value = self._history.as_of(float(self._times_s[row]), MAX_AGE_S)
        self.fresh[row] = not isinstance(value, Missing)
        held = before if isinstance(value, Missing) else value
        if held is not None:
            self.values[row], self.known[row] = held, True
