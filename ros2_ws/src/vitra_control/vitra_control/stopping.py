"""How far a joint still goes when it brakes at its acceleration and jerk limits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def stopping_distance(velocity: Array, acceleration: Array, max_acceleration: Array, jerk: float) -> Array:
    """Furthest the joints get in the positive direction if they brake from now on, shape (..., dof).

    A time-optimal stop takes the acceleration along ramps of the jerk limit: down to zero where it still pushes, then
    to at most ``-max_acceleration`` and back to zero, at which moment the joint rests. A joint that already brakes is
    somewhere on such a curve, which began at a higher speed.

    Args:
        velocity: (..., dof) present velocity.
        acceleration: (..., dof) present acceleration.
        max_acceleration: (dof,) limit while braking.
        jerk: Limit of the change of acceleration.
    """
    ramp_s = np.abs(acceleration) / jerk
    gained = acceleration * acceleration / (2 * jerk)
    # Pushing: the ramp down to zero comes first.
    pushed = (
        velocity * ramp_s
        + acceleration * ramp_s**2 / 3
        + _from_constant_speed(np.maximum(velocity + gained, 0.0), max_acceleration, jerk)
    )
    pushing = np.where(velocity + gained > 0.0, np.maximum(pushed, 0.0), 0.0)
    # Braking: the curve that began at a higher speed, less what has been travelled on it.
    began = velocity + gained
    travelled = began * ramp_s - jerk * ramp_s**3 / 6
    on_curve = _from_constant_speed(np.maximum(began, 0.0), max_acceleration, jerk) - travelled
    # Braking too hard to end at rest: it turns round while the acceleration is taken back.
    turn_s = ramp_s - np.sqrt(np.maximum(ramp_s**2 - 2 * np.maximum(velocity, 0.0) / jerk, 0.0))
    turning = velocity * turn_s + acceleration * turn_s**2 / 2 + jerk * turn_s**3 / 6
    braking = np.where(velocity <= 0.0, 0.0, np.where(velocity >= gained, on_curve, turning))
    return np.where(acceleration >= 0.0, pushing, braking)


def _from_constant_speed(velocity: Array, max_acceleration: Array, jerk: float) -> Array:
    """Distance of an S-shaped stop from a velocity >= 0 with no acceleration."""
    short = velocity * np.sqrt(velocity / jerk)
    long = velocity * (velocity / max_acceleration + max_acceleration / jerk) / 2
    return np.where(velocity < max_acceleration**2 / jerk, short, long)
