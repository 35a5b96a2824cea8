"""Joint velocities from joint positions: the vendor's own speed field has no certain unit."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

_SHORTEST_SHARE = 0.9


class VelocityEstimator:
    """Slope over the last few samples, so that neither 0.001 deg steps nor jitter of reception dominate.

    Args:
        period_s: nominal time between samples; samples that arrive bunched are not taken for faster motion.
        intervals: sample distances in the window; 4 at 200 Hz is 20 ms, a delay of 10 ms.
        max_gap_s: after a longer silence the window starts anew.
    """

    def __init__(self, period_s: float = 0.005, intervals: int = 4, max_gap_s: float = 0.05) -> None:
        self._samples: deque[tuple[float, Sequence[float]]] = deque(maxlen=intervals + 1)
        self._period_s, self._max_gap_s = period_s, max_gap_s

    def update(self, time_s: float, position_rad: Sequence[float]) -> list[float]:
        """Velocities [rad/s] as of the newest sample; zeros until there are two."""
        if self._samples and not 0.0 < time_s - self._samples[-1][0] <= self._max_gap_s:
            self._samples.clear()
        self._samples.append((time_s, position_rad))
        oldest_s, oldest = self._samples[0]
        intervals = len(self._samples) - 1
        if intervals == 0:
            return [0.0] * len(position_rad)
        span_s = max(time_s - oldest_s, _SHORTEST_SHARE * intervals * self._period_s)
        return [(q - q0) / span_s for q, q0 in zip(position_rad, oldest, strict=True)]
