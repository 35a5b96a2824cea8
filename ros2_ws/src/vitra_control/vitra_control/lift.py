"""The first part of the move to the ready posture: straight up, out of what stands around the hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HIGHEST_M = 0.3
"""Longest rise: out of any box on the table."""
_LEAST_M = 0.005
_SPEED_M_S = 0.2
_PEAK = 1.875
"""Peak over mean speed of a minimum-jerk rise."""


@dataclass(frozen=True, slots=True)
class Lift:
    """A straight rise with the wrist's orientation kept, in path time.

    Attributes:
        start: Wrist pose at the beginning, arm_base_from_wrist, (4, 4).
        rise_m: The whole rise as a vector in the arm's base, (3,).
        begin_s: Path time of the beginning.
        duration_s: Path time it takes; nothing moves after it.
    """

    start: Array
    rise_m: Array
    begin_s: float
    duration_s: float

    @classmethod
    def towards(cls, start: Array, up: Array, height_m: float, begin_s: float) -> Lift:
        """A lift by this height, cut to what a lift may be.

        Args:
            start: Wrist pose, arm_base_from_wrist, (4, 4).
            up: Upward unit vector in the arm's base, (3,).
            height_m: How much higher the wrist should be; below 5 mm there is nothing to do.
            begin_s: Path time of the beginning.
        """
        rise_m = min(height_m, HIGHEST_M) if height_m > _LEAST_M else 0.0
        return cls(start.copy(), up * rise_m, begin_s, _PEAK * rise_m / _SPEED_M_S)

    @property
    def end_s(self) -> float:
        """Path time from which on nothing moves."""
        return self.begin_s + self.duration_s

    def pose(self, path_s: float) -> Array:
        """Wrist pose (4, 4) at a path time: Flash and Hogan's minimum-jerk profile."""
        u = min(max((path_s - self.begin_s) / self.duration_s, 0.0), 1.0) if self.duration_s else 1.0
        pose = self.start.copy()
        pose[:3, 3] += self.rise_m * (u**3 * (10.0 + u * (6.0 * u - 15.0)))
        return pose
