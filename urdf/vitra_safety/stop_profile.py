"""A controlled stop: from a position and velocity to rest, every joint within its acceleration limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.limits import JointLimits

Array = NDArray[np.float64]


class StopProfile:
    """Setpoints of a stop that began at time 0.

    All joints come to rest together, in the time that the slowest needs at its acceleration limit, so the path keeps
    its shape. A joint that would run past its position limit while braking is held at the limit.

    Args:
        position_rad: Last commanded positions, shape (dof,).
        velocity_rad_s: Last commanded velocities, shape (dof,); cut to the velocity limits.
        limits: Limits of the joints.
    """

    def __init__(self, position_rad: ArrayLike, velocity_rad_s: ArrayLike, limits: JointLimits) -> None:
        self._start = np.array(position_rad, dtype=np.float64)
        velocity = np.asarray(velocity_rad_s, dtype=np.float64)
        self._velocity = np.clip(velocity, -limits.velocity_rad_s, limits.velocity_rad_s)
        self._lower = np.minimum(limits.lower_rad, self._start)
        self._upper = np.maximum(limits.upper_rad, self._start)
        self.duration_s = float(np.max(np.abs(self._velocity) / limits.acceleration_rad_s2, initial=0.0))

    def position_rad(self, elapsed_s: float) -> Array:
        """Setpoint `elapsed_s` after the stop began, shape (dof,)."""
        t = min(max(elapsed_s, 0.0), self.duration_s)
        travelled_s = t - t * t / (2 * self.duration_s) if self.duration_s > 0 else 0.0
        return np.clip(self._start + self._velocity * travelled_s, self._lower, self._upper)

    def velocity_rad_s(self, elapsed_s: float) -> Array:
        """Velocity `elapsed_s` after the stop began, shape (dof,)."""
        if self.duration_s == 0:
            return np.zeros_like(self._start)
        return np.asarray(self._velocity * max(0.0, 1 - max(elapsed_s, 0.0) / self.duration_s))

    def done(self, elapsed_s: float) -> bool:
        """Whether the joints are at rest."""
        return elapsed_s >= self.duration_s
