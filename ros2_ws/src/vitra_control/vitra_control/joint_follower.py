"""Joint setpoints within position, velocity, acceleration and jerk limits by construction, one cycle per tick."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.limits import JointLimits

Array = NDArray[np.float64]

_REST_RAD_S = 1e-4
_CLOSING_SHARE = 0.5
_TINY = 1e-12


class JointFollower:
    """Where the joints are told to be, and what they may do next.

    Two stages. A planned state (position, velocity) moves by whole cycles; each cycle's velocity is cut to what the
    limits allow (`range`), which always leaves room to brake before a position limit. The setpoint is the mean of the
    last planned positions: a mean keeps every limit that its members keep, and over ``n`` members an acceleration
    bounded by ``a`` becomes a jerk bounded by ``2 a / (n period)``. It trails the planned state by `delay_s`, and
    stays within ``a (n period)^2 / 24`` of the path that the planned state took.

    Args:
        limits: What the setpoints keep to.
        jerk_rad_s3: Largest change of acceleration.
        period_s: Time of one cycle.
    """

    def __init__(self, limits: JointLimits, jerk_rad_s3: float, period_s: float) -> None:
        self.limits, self.period_s = limits, period_s
        members = max(math.ceil(2 * float(limits.acceleration_rad_s2.max()) / (jerk_rad_s3 * period_s) - 1e-9), 1)
        self.delay_s = (members - 1) / 2 * period_s
        self._step_rad_s = limits.acceleration_rad_s2 * period_s
        self._window = np.zeros((members, limits.dof))
        self._cycle = 0
        self.set_speed(1.0)
        self.reset(np.zeros(limits.dof))

    def set_speed(self, share: float) -> None:
        """Scale the velocity limit, 0..1."""
        self._max_velocity = self.limits.velocity_rad_s * share
        a = self.limits.acceleration_rad_s2
        self._ample_rad = self._max_velocity * (self._max_velocity / (2 * a) + self.period_s)
        self._range: tuple[Array, Array] | None = None

    def reset(self, position_rad: ArrayLike) -> None:
        """Be at rest here, shape (dof,)."""
        self.planned_rad: Array = np.array(position_rad, dtype=np.float64)
        self.planned_rad_s: Array = np.zeros(self.limits.dof)
        self._window[:] = self.planned_rad
        self._range = None
        self.position_rad: Array = self.planned_rad.copy()
        self.velocity_rad_s: Array = np.zeros(self.limits.dof)

    @property
    def at_rest(self) -> bool:
        """Whether nothing moves."""
        moving = max(float(np.abs(self.planned_rad_s).max()), float(np.abs(self.velocity_rad_s).max()))
        return moving < _REST_RAD_S

    def range(self) -> tuple[Array, Array]:
        """Smallest and largest velocity of the next cycle, each of shape (dof,)."""
        if self._range is None:
            self._range = self._next_range()
        return self._range

    def _next_range(self) -> tuple[Array, Array]:
        limits, v, q = self.limits, self.planned_rad_s, self.planned_rad
        above, below = limits.upper_rad - q, q - limits.lower_rad
        lower, upper = -self._max_velocity, self._max_velocity
        if (np.minimum(above, below) < self._ample_rad).any():
            upper = np.minimum(upper, self._stoppable(above))
            lower = np.maximum(lower, -self._stoppable(below))
        # The acceleration limit comes last: with what it allows, a state from here on stays stoppable.
        least, most = v - self._step_rad_s, v + self._step_rad_s
        return np.maximum(np.minimum(lower, most), least), np.minimum(np.maximum(upper, least), most)

    def closing(self, gap_rad: Array) -> Array:
        """Velocity that closes a gap and comes to rest at its end, with acceleration to spare; shape (dof,)."""
        if not gap_rad.any():
            return np.zeros_like(gap_rad)
        speed = np.minimum(self._stoppable(np.abs(gap_rad), _CLOSING_SHARE), self._max_velocity)
        return np.asarray(np.copysign(speed, gap_rad))

    def move(self, velocity_rad_s: Array) -> Array:
        """One cycle at the velocity nearest to this one that the limits allow; returns the setpoint, shape (dof,)."""
        self.planned_rad_s = self.cut(velocity_rad_s)
        self.planned_rad = self.planned_rad + self.planned_rad_s * self.period_s
        self._range = None
        self._cycle = (self._cycle + 1) % len(self._window)
        self._window[self._cycle] = self.planned_rad
        setpoint: Array = np.add.reduce(self._window) / len(self._window)
        self.velocity_rad_s = (setpoint - self.position_rad) / self.period_s
        self.position_rad = setpoint
        return setpoint.copy()

    def follow(self, gap_rad: Array, rate_rad_s: Array) -> Array:
        """One cycle after a target (dof,) this far ahead that moves at this rate; returns the setpoint (dof,)."""
        return self.move(rate_rad_s + self.closing(gap_rad))

    def approach(self, position_rad: ArrayLike) -> Array:
        """One cycle of a move to rest at a position (dof,), straight once at rest; returns the setpoint (dof,)."""
        return self.move(self.approaching(position_rad))

    def approaching(self, position_rad: ArrayLike) -> Array:
        """Velocity of the next cycle of such a move, shape (dof,)."""
        gap = self.limits.clip(position_rad) - self.planned_rad
        away = np.abs(gap) > _TINY
        share = float((np.abs(self.closing(gap))[away] / np.abs(gap)[away]).min(initial=np.inf))
        wanted = gap * share if math.isfinite(share) else np.zeros_like(gap)
        least, most = common_share(np.zeros_like(gap), wanted, *self.range())
        return self.cut(wanted * min(max(most, min(least, 1.0)), 1.0))

    def cut(self, velocity_rad_s: Array) -> Array:
        """The velocity nearest to this one that the next cycle may have, shape (dof,)."""
        lower, upper = self.range()
        return np.minimum(np.maximum(velocity_rad_s, lower), upper)

    def brake(self) -> Array:
        """One cycle towards rest, all joints in proportion so that they stop together; returns the setpoint (dof,)."""
        return self.move(self.planned_rad_s * self.braked_share())

    def braked_share(self) -> float:
        """Part of the planned velocity that is left after one cycle of `brake`."""
        cycles = float((np.abs(self.planned_rad_s) / self._step_rad_s).max())
        return max(1.0 - 1.0 / cycles, 0.0) if cycles > 1.0 else 0.0

    def _stoppable(self, room_rad: Array, share: float = 1.0) -> Array:
        """Largest speed of a cycle after which whole cycles of braking end within the room.

        Braking from ``n`` steps of velocity takes ``n (n + 1) / 2`` times the distance of one step's cycle; between
        whole numbers of steps the distance grows linearly.
        """
        step_rad = self.limits.acceleration_rad_s2 * (share * self.period_s**2)
        room = np.maximum(room_rad, 0.0) / step_rad
        whole = np.floor((np.sqrt(1 + 8 * room) - 1) / 2)
        steps: Array = whole + (room - whole * (whole + 1) / 2) / (whole + 1)
        return steps * (step_rad / self.period_s)


def common_share(base: Array, rate: Array, lower: Array, upper: Array) -> tuple[float, float]:
    """Least and largest factor ``s`` for which ``lower <= base + s rate <= upper`` holds for every joint.

    The least is above the largest where no factor serves all joints.

    Args:
        base: What holds at ``s = 0`` (dof,).
        rate: What one ``s`` adds (dof,).
        lower: Bounds (dof,).
        upper: Likewise.
    """
    still = np.abs(rate) < _TINY
    divisor = np.where(still, 1.0, rate)
    one, other = (lower - base) / divisor, (upper - base) / divisor
    least = np.where(
        still, np.where((base < lower - 1e-9) | (base > upper + 1e-9), np.inf, -np.inf), np.minimum(one, other)
    )
    most = np.where(still, np.inf, np.maximum(one, other))
    return float(least.max()), float(most.min())
