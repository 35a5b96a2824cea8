"""Jerk-limited joint setpoints that can always still stop before a limit, one cycle per tick."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from ruckig import ControlInterface, InputParameter, OutputParameter, Result, Ruckig, Synchronization

from vitra_control.stopping import stopping_distance
from vitra_description.limits import JointLimits

Array = NDArray[np.float64]

_MOVED_ON = (Result.Working, Result.Finished)
_REST_RAD_S = 1e-4
_ROUNDING_RAD = 1e-7
_FILTER_REACH = 2.0  # the filter still settles well when it is granted half of the acceleration it wants


class JointSmoother:
    """Follows joint targets within velocity, acceleration and jerk limits.

    Two laws share the work, joint by joint. Close to the target a critically damped filter follows it, without lag at
    constant speed. Further away ruckig takes over with a time-optimal approach that knows when to brake. (Ruckig alone
    does not do: time-optimal control of a target that keeps moving switches between full acceleration and full
    braking; on a 0.35 Hz sine it missed by 2 deg and shook.)

    Every state it passes through is one it can brake from without leaving the position limits: a cycle that would
    end in another is replaced by one cycle of braking, and braking from a safe state only meets safe states.

    Args:
        limits: What the setpoints keep to.
        jerk_rad_s3: Largest change of acceleration.
        period_s: Time of one cycle.
        bandwidth_rad_s: Corner frequency of the filter.
    """

    def __init__(self, limits: JointLimits, jerk_rad_s3: float, period_s: float, bandwidth_rad_s: float = 30.0) -> None:
        self.limits = limits
        self._jerk, self._period_s, self._bandwidth = jerk_rad_s3, period_s, bandwidth_rad_s
        self._otg = Ruckig(limits.dof, period_s)
        self._input = InputParameter(limits.dof)
        self._output = OutputParameter(limits.dof)
        self._input.max_jerk = [jerk_rad_s3] * limits.dof
        self._input.max_acceleration = limits.acceleration_rad_s2.tolist()
        # At twice the speed limit and full acceleration: more than any state of this smoother needs.
        self._longest_stop = stopping_distance(
            2 * limits.velocity_rad_s, limits.acceleration_rad_s2, limits.acceleration_rad_s2, jerk_rad_s3
        )
        self.set_speed(1.0)
        self.reset(np.zeros(limits.dof))

    def set_speed(self, share: float) -> None:
        """Scale the velocity limit, 0..1."""
        self._max_velocity = self.limits.velocity_rad_s * share
        self._input.max_velocity = self._max_velocity.tolist()

    def reset(self, position_rad: ArrayLike) -> None:
        """Be at rest here, shape (dof,)."""
        self.position_rad: Array = np.array(position_rad, dtype=np.float64)
        self.velocity_rad_s: Array = np.zeros(self.limits.dof)
        self._acceleration: Array = np.zeros(self.limits.dof)

    @property
    def at_rest(self) -> bool:
        """Whether nothing moves."""
        return bool(np.abs(self.velocity_rad_s).max() < _REST_RAD_S)

    def track(self, position_rad: ArrayLike, velocity_rad_s: ArrayLike) -> Array:
        """One cycle towards a target that itself moves with a velocity; returns the setpoint, shape (dof,)."""
        limits, wanted = self.limits, np.asarray(position_rad, dtype=np.float64)
        goal = np.minimum(np.maximum(wanted, limits.lower_rad), limits.upper_rad)
        rate = np.minimum(np.maximum(velocity_rad_s, -self._max_velocity), self._max_velocity) * (goal == wanted)
        state, near = self._filtered(goal, rate)
        if not near.all():
            planned = self._planned(goal, self._without_run_up(goal, rate), Synchronization.No)
            if planned is None:
                return self.brake()
            state = np.where(near, state, planned)
        return self._advance(state) if self._can_still_stop(state) else self.brake()

    def approach(self, position_rad: ArrayLike) -> Array:
        """One cycle of a move to rest at a position, all joints arriving together; returns the setpoint."""
        goal = self.limits.clip(position_rad)
        state = self._planned(goal, np.zeros(self.limits.dof), Synchronization.Time)
        return self._advance(state) if state is not None and self._can_still_stop(state) else self.brake()

    def brake(self) -> Array:
        """One cycle towards rest, as fast as the limits allow; returns the setpoint."""
        self._input.control_interface = ControlInterface.Velocity
        self._input.synchronization = Synchronization.No
        self._input.target_velocity = [0.0] * self.limits.dof
        state = self._update()
        if state is None:
            self.reset(self.position_rad)
            return self.position_rad.copy()
        return self._advance(state)

    def _filtered(self, goal: Array, rate: Array) -> tuple[Array, NDArray[np.bool_]]:
        """State (3, dof) after one cycle of the filter, and which joints it can bring to their goal."""
        w, dt, top = self._bandwidth, self._period_s, self.limits.acceleration_rad_s2
        p, v, a = self.position_rad, self.velocity_rad_s, self._acceleration
        # Goal and rate are those of the end of this cycle: compare with where the present motion leads.
        wanted = w * w * (goal - (p + v * dt)) + 2 * w * (rate - v)
        change = self._jerk * dt
        pull = np.minimum(np.maximum(wanted, np.maximum(a - change, -top)), np.minimum(a + change, top))
        # The acceleration that can be taken back, at the jerk limit, before the velocity limit is reached.
        gained = np.abs(v) + np.maximum(a * np.sign(v), 0.0) * (dt / 2)
        room = 2 * self._jerk * np.maximum(self._max_velocity - gained, 0.0)
        pull = np.where(v > 0, np.minimum(pull, np.sqrt(room)), np.maximum(pull, -np.sqrt(room)))
        velocity = v + (a + pull) * (dt / 2)
        position = p + v * dt + (2 * a + pull) * (dt * dt / 6)
        return np.array([position, velocity, pull]), np.abs(wanted) <= _FILTER_REACH * top

    def _without_run_up(self, goal: Array, rate: Array) -> Array:
        """The part of `rate` that can be reached by the goal; for more, ruckig would first back off to gain speed."""
        error = goal - self.position_rad
        ahead = np.sign(error)
        gained = self.limits.acceleration_rad_s2 * np.abs(error)  # half of what full acceleration would give
        reached = np.sqrt(np.maximum(self.velocity_rad_s * ahead, 0.0) ** 2 + gained)
        part: Array = ahead * np.clip(rate * ahead, 0.0, reached)
        return part

    def _planned(self, goal: Array, rate: Array, synchronization: Synchronization) -> Array | None:
        self._input.control_interface = ControlInterface.Position
        self._input.synchronization = synchronization
        self._input.target_position = goal.tolist()
        self._input.target_velocity = rate.tolist()
        return self._update()

    def _update(self) -> Array | None:
        """State (3, dof) after one cycle of ruckig's plan."""
        self._input.current_position = self.position_rad.tolist()
        self._input.current_velocity = self.velocity_rad_s.tolist()
        self._input.current_acceleration = self._acceleration.tolist()
        if self._otg.update(self._input, self._output) not in _MOVED_ON:
            return None
        out = self._output
        return np.array([out.new_position, out.new_velocity, out.new_acceleration])

    def _advance(self, state: Array) -> Array:
        self.position_rad, self.velocity_rad_s, self._acceleration = state
        return self.position_rad.copy()

    def _can_still_stop(self, state: Array) -> bool:
        position, limits = state[0], self.limits
        room = np.minimum(limits.upper_rad - position, position - limits.lower_rad)
        if (room > self._longest_stop).all():
            return True
        velocity, acceleration = np.array([state[1], -state[1]]), np.array([state[2], -state[2]])
        above, below = stopping_distance(velocity, acceleration, limits.acceleration_rad_s2, self._jerk)
        fits = (position + above <= limits.upper_rad + _ROUNDING_RAD) & (
            position - below >= limits.lower_rad - _ROUNDING_RAD
        )
        return bool(fits.all())
