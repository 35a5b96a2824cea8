"""The last thing before the wire: one setpoint at a time, each within reach of the one before.

Setpoints leave at a fixed rate, so limits are kept in periods of the receiver, whatever the network, a stalled process
or the sender did with time: what keeps the limits passes unchanged, what is farther away is caught up with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.limits import JointLimits

Array = NDArray[np.float64]

_BRAKING_SHARE = 0.5
"""Part of the acceleration that catching up counts on for its end, so that it does not overshoot."""


class SetpointLimiter:
    """Position and velocity of what was sent, in setpoints of one period.

    Args:
        limits: Limits of the joints.
        period_s: Time that one setpoint stands for.
        tolerance: Velocity and acceleration may exceed their limits by this share, for rounding.
    """

    def __init__(self, limits: JointLimits, period_s: float, tolerance: float = 0.05) -> None:
        self._period_s = period_s
        self._lower, self._upper = limits.lower_rad, limits.upper_rad
        self._max_velocity = limits.velocity_rad_s
        self._max_change = limits.acceleration_rad_s2 * period_s
        self._pass_velocity = self._max_velocity * (1 + tolerance)
        self._pass_change = self._max_change * (1 + tolerance)
        self._braking = 2 * _BRAKING_SHARE * limits.acceleration_rad_s2
        self.position_rad: Array = np.zeros(limits.dof)
        self.velocity_rad_s: Array = np.zeros(limits.dof)

    def rest_at(self, position_rad: ArrayLike) -> None:
        """The joints stand still here (dof,)."""
        self.position_rad = np.array(position_rad, dtype=np.float64)
        self.velocity_rad_s = np.zeros_like(self.position_rad)

    def sent(self, position_rad: Array) -> None:
        """A setpoint (dof,) of the caller's own went out."""
        self.velocity_rad_s = (position_rad - self.position_rad) / self._period_s
        self.position_rad = position_rad

    def follow(self, target_rad: Array, target_velocity_rad_s: Array) -> Array:
        """The next setpoint towards a target that moves, shape (dof,): the target itself if it is within reach."""
        velocity = (target_rad - self.position_rad) / self._period_s
        change = velocity - self.velocity_rad_s
        if (np.abs(velocity) <= self._pass_velocity).all() and (np.abs(change) <= self._pass_change).all():
            position = target_rad
        else:
            velocity = self._catch_up(target_rad, target_velocity_rad_s)
            position = self.position_rad + velocity * self._period_s
            # Never beyond a limit, except back from where the joints already are.
            low, high = np.minimum(self._lower, self.position_rad), np.maximum(self._upper, self.position_rad)
            position = np.minimum(np.maximum(position, low), high)
        self.velocity_rad_s = (position - self.position_rad) / self._period_s
        self.position_rad = position.copy()
        return position

    def _catch_up(self, target_rad: Array, target_velocity_rad_s: Array) -> Array:
        """Velocity of the next period: that of the target, and what closes the distance and can still brake."""
        behind = target_rad - target_velocity_rad_s * self._period_s - self.position_rad
        closing = np.minimum(np.sqrt(self._braking * np.abs(behind)), np.abs(behind) / self._period_s)
        wanted = target_velocity_rad_s + np.sign(behind) * closing
        wanted = np.minimum(np.maximum(wanted, -self._max_velocity), self._max_velocity)
        change = np.minimum(np.maximum(wanted - self.velocity_rad_s, -self._max_change), self._max_change)
        return np.asarray(self.velocity_rad_s + change)
