"""Whether joints are at rest, from positions alone (vendors disagree on what a velocity is)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Stillness:
    """At rest is: within `distance_rad` of one place for `duration_s`."""

    def __init__(self, distance_rad: float, duration_s: float) -> None:
        self._distance_rad, self._duration_s = distance_rad, duration_s
        self._place: NDArray[np.float64] | None = None
        self._since_s = 0.0

    def reset(self) -> None:
        """Forget the past."""
        self._place = None

    def update(self, position_rad: NDArray[np.float64], now_s: float) -> None:
        """Note where the joints are, shape (dof,)."""
        if self._place is None or np.abs(position_rad - self._place).max() > self._distance_rad:
            self._place, self._since_s = position_rad.copy(), now_s

    def reached(self, now_s: float) -> bool:
        """Whether they have been at rest long enough."""
        return self._place is not None and now_s - self._since_s >= self._duration_s
