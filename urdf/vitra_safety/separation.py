"""Whether a robot can still stop before its shapes meet: the check of the whole robot before a setpoint leaves."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from vitra_description.limits import JointLimits
from vitra_safety.collision import Closest, CollisionModel
from vitra_safety.posture_checks import MIN_DISTANCE_M

Array = NDArray[np.float64]

HOLD_M = 0.025
"""Distance at which the robot holds: above the 20 mm at which the guards of the drivers refuse."""
SLOW_M = 0.06
"""Distance below which it goes slower the nearer it gets."""
PRESSED_M = 0.015
"""Measured distance below which a robot has been pressed together by what it touches, and does not go on by itself."""
_LEAVING_M = 0.001
_SLOWEST = 0.25
_HALVINGS = 3
_NEARING_CYCLES = 4
"""Feedback comes at its own pace: from one cycle to the next it may move not at all, or twice as far."""
_NOISE_M_S = 0.005
"""What the resolution of encoders makes of the speed of a distance."""


class SeparationWatch:
    """Judges postures ahead and every cycle, for all driven arms together.

    Sound because a joint that turns by ``dq`` moves no point of the robot further than ``reach |dq|``: along a stop
    from a posture, in which all joints slow down in proportion, any two shapes come nearer by no more than the sum of
    ``reach_i |dq_i|`` over its joints. A cycle is allowed if that stop stays clear by `HOLD_M`; as stopping was
    possible in the cycle before, it still is when one is not allowed. The same is asked where the robot was measured,
    as an arm that something holds is elsewhere than its setpoints, with the distance at which the guards refuse. What
    the robot presses can turn its arms towards each other whatever they are told: they must be able to stop in time
    at the speed at which they were seen to come nearer, too; and where that did not help (`PRESSED_M`), they hold until
    the robot begins anew. One that begins nearer than that may leave.

    Args:
        model: Shapes of the driven arms, with hands, torso and table.
        limits: What the robot brakes with, stacked as the joints of the model are.
        hold_m: Distance that setpoints keep.
        slow_m: Distance below which the path is travelled slower.
        measured_m: Distance that measured postures keep.
    """

    def __init__(
        self,
        model: CollisionModel,
        limits: JointLimits,
        hold_m: float = HOLD_M,
        slow_m: float = SLOW_M,
        measured_m: float = MIN_DISTANCE_M,
    ) -> None:
        self._model, self._hold_m, self._slow_m, self._measured_m = model, hold_m, slow_m, measured_m
        self._reach_m = model.reach_m
        self._acceleration = limits.acceleration_rad_s2
        self.last: Closest | None = None
        self._clear_m = -np.inf
        self._aside = self._measured = np.zeros_like(self._reach_m)
        self._measured_closest: Closest | None = None
        self._least_m: float | None = None
        self._recent_m: deque[float] = deque(maxlen=_NEARING_CYCLES)
        self.begin()

    def begin(self) -> None:
        """What was measured and lies ahead is forgotten: the robot begins anew, wherever it is."""
        self._there_m, self._nearing_m_s, self._least_m = -np.inf, 0.0, None
        self.is_pressed = False
        self._recent_m.clear()
        self.restart()

    def restart(self) -> None:
        """The postures ahead are forgotten."""
        self._node_m = np.inf

    def moved_m(self, turned_rad: Array) -> float:
        """No point of the robot moves further than this when its joints turn by so much, shape (dof,)."""
        return float(self._reach_m @ np.abs(turned_rad))

    def ahead(self, position_rad: Array, before_rad: Array) -> tuple[bool, float]:
        """Whether the way from one posture ahead to the next is open, and how fast it may be travelled (0..1)."""
        distance_m = self._model.distance_m(position_rad)
        before_m = self._node_m if np.isfinite(self._node_m) else self._model.distance_m(before_rad)
        self._node_m = distance_m
        if before_m <= self._hold_m:
            is_open = distance_m > before_m
        else:
            is_open = self._is_clear(before_rad, before_m, position_rad, distance_m, _HALVINGS)
        share = (distance_m - self._hold_m) / (self._slow_m - self._hold_m)
        return is_open, min(max(share, _SLOWEST), 1.0)

    def _is_clear(self, a_rad: Array, a_m: float, b_rad: Array, b_m: float, halvings: int) -> bool:
        """Whether the straight way between two postures, with their distances, is clear.

        Where the bound is too rough to tell, an eighth of the way that leads apart counts as clear: `allows` judges
        every cycle of it.
        """
        if min(a_m, b_m) <= self._hold_m:
            return False
        if (a_m + b_m - self.moved_m(b_rad - a_rad)) / 2 > self._hold_m:
            return True
        if halvings == 0:
            return b_m > a_m
        middle_rad = (a_rad + b_rad) / 2
        middle_m = self._model.distance_m(middle_rad)
        return self._is_clear(a_rad, a_m, middle_rad, middle_m, halvings - 1) and self._is_clear(
            middle_rad, middle_m, b_rad, b_m, halvings - 1
        )

    def measure(self, setpoint_rad: Array, aside_rad: Array, period_s: float) -> None:
        """Where the robot is; once a cycle.

        Args:
            setpoint_rad: Setpoints given last (dof,).
            aside_rad: Measured joints minus these (dof,).
            period_s: Of a cycle.
        """
        measured = setpoint_rad + aside_rad
        there_m = self._there_m - self.moved_m(measured - self._measured)  # at least so far away
        self._nearing_m_s = 0.0
        if there_m < self._slow_m:
            self._measured_closest = self._model.closest(measured)
            there_m = self._measured_closest.distance_m
            if len(self._recent_m) == _NEARING_CYCLES:
                self._nearing_m_s = (self._recent_m[0] - there_m) / (_NEARING_CYCLES * period_s)
        self._recent_m.append(there_m)
        if self._least_m is None:
            self._least_m = min(PRESSED_M, there_m - _LEAVING_M)
        self.is_pressed = self.is_pressed or there_m < self._least_m
        self._aside, self._measured, self._there_m = aside_rad, measured, there_m

    def allows(self, position_rad: Array, velocity_rad_s: Array, before_rad: Array) -> bool:
        """Whether the robot may go to a posture at this velocity.

        Args:
            position_rad: Setpoint at the end of the cycle (dof,).
            velocity_rad_s: Velocity there (dof,).
            before_rad: Setpoint at its beginning (dof,); a robot that is too near already may move apart.
        """
        if self._must_stop(velocity_rad_s) or not self._may_go(position_rad, velocity_rad_s, before_rad, self._hold_m):
            return False
        if self._clear_m - self.moved_m(self._aside) >= self._measured_m:
            return True
        there, was = position_rad + self._aside, before_rad + self._aside
        return self._may_go(there, velocity_rad_s, was, self._measured_m)

    def _must_stop(self, velocity_rad_s: Array) -> bool:
        """Whether the robot, slowing down from this velocity, would come too near as it did in the last cycles."""
        stopped_m = self._there_m - self._nearing_m_s * self._stop_s(velocity_rad_s)
        is_nearing = self._nearing_m_s > _NOISE_M_S and stopped_m < self._measured_m
        if is_nearing or self.is_pressed:
            self.last = self._measured_closest
        return is_nearing or self.is_pressed

    def _stop_s(self, velocity_rad_s: Array) -> float:
        return float((np.abs(velocity_rad_s) / self._acceleration).max())

    def _may_go(self, position_rad: Array, velocity_rad_s: Array, before_rad: Array, hold_m: float) -> bool:
        self.last = closest = self._model.closest(position_rad)
        stop_rad = velocity_rad_s * (self._stop_s(velocity_rad_s) / 2)
        swept_m = self.moved_m(stop_rad)
        self._clear_m = closest.distance_m - swept_m
        if self._clear_m >= hold_m:
            return True
        stopped_m = self._model.distance_m(position_rad + stop_rad)
        self._clear_m = (closest.distance_m + stopped_m - swept_m) / 2
        if self._clear_m >= hold_m:
            return True
        nearer = closest.distance_m < self._model.distance_m(before_rad) or stopped_m < closest.distance_m
        return not nearer
