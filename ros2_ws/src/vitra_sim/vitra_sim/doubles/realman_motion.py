"""How a Realman controller moves: pass-through, planned and following motion, stops, and what it refuses."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vitra_sim.doubles.ports import ArmPort
from vitra_sim.doubles.realman_model import (
    ACCELERATION_RAD_S2,
    CLEARED_BY_MOTION,
    DOF,
    POSITION_LIMIT_RAD,
    SPEED_LIMIT_RAD_S,
    ErrorCode,
)

Array = NDArray[np.float64]

MAX_STEP_RAD = math.radians(10.0)
_LIMIT_TOLERANCE_RAD = math.radians(0.0015)
_PASS_THROUGH_IDLE_S = 0.05
_SPEED_WINDOW_S = 0.05
_SPEED_SLACK = 1.05


class Status(StrEnum):
    """`arm_current_status` of the state push."""

    IDLE = "idle"
    MOVE_J = "move_J"
    THROUGH_JOINT = "move_through_joint"
    STOP = "stop"
    SLOW_STOP = "slow_stop"
    PAUSE = "pause"


class ControllerMotion:
    """The controller's motion state for one arm; `step` is its control cycle.

    Args:
        port: the arm itself.
    """

    def __init__(self, port: ArmPort) -> None:
        self.port = port
        self.status = Status.IDLE
        self.errors: list[int] = []
        self.speed_limit_rad_s: Array = SPEED_LIMIT_RAD_S.copy()
        self.enabled = np.ones(DOF, dtype=bool)
        self.powered, self.real = True, True
        self.refused = 0
        self.on_arrival: Callable[[], None] = lambda: None
        self._q: Array = port.target()
        self._v: Array = np.zeros(DOF)
        self._follow_target: Array | None = None
        self._plans: deque[tuple[Array, float]] = deque()
        self._start: Array = self._q
        self._s = self._s_rate = 0.0
        self._budget: Array = np.full(DOF, MAX_STEP_RAD)
        self._last_frame_s = -math.inf

    # Commands -------------------------------------------------------------------------------------------------------

    def pass_through(self, position_rad: Array, now_s: float) -> bool:
        """Go to a setpoint at once (movej_canfd, high follow); whether it was taken."""
        if not self._may_move(position_rad):
            return False
        if self.status is not Status.THROUGH_JOINT:
            self._reseed(position_rad)
            self._budget = np.full(DOF, MAX_STEP_RAD)
            period_s = 0.005
        else:
            period_s = now_s - self._last_frame_s
            allowed = self.speed_limit_rad_s * _SPEED_SLACK
            self._budget = np.minimum(
                self._budget + allowed * period_s, np.minimum(allowed * _SPEED_WINDOW_S, MAX_STEP_RAD)
            )
        step = np.abs(position_rad - self._q)
        if np.any(step > self._budget):
            return self._refuse(ErrorCode.JOINT_OVERSPEED)
        self._budget = self._budget - step
        self._begin(Status.THROUGH_JOINT)
        self._v = (position_rad - self._q) / max(period_s, 0.005)
        self._last_frame_s = now_s
        self._output(position_rad)
        return True

    def follow(self, position_rad: Array, now_s: float) -> bool:
        """Track the newest target within the limits (movej_follow, and movej_canfd with low follow)."""
        if not self._may_move(position_rad):
            return False
        if self._follow_target is None:
            if self.status is not Status.THROUGH_JOINT:
                self._reseed()
            self._begin(Status.THROUGH_JOINT)
        self._follow_target, self._last_frame_s = position_rad, now_s
        return True

    def plan(self, position_rad: Array, speed_fraction: float, *, more_to_come: bool) -> bool:
        """A planned joint motion (movej); with `more_to_come` it starts together with the next one.

        Args:
            position_rad: Goal (7,).
            speed_fraction: Part of the joints' top speed, 0..1.
            more_to_come: Wait for the next one before starting.
        """
        if not 0.0 < speed_fraction <= 1.0 or not self._may_move(position_rad):
            return False
        if not self._plans and self.status is not Status.MOVE_J:
            self._reseed()
        self._plans.append((position_rad, speed_fraction))
        if not more_to_come and self.status is not Status.MOVE_J:
            plans = self._plans
            self._begin(Status.MOVE_J)
            self._plans = plans
            self._start, self._s, self._s_rate = self._q, 0.0, 0.0
        return True

    def stop(self, *, slow: bool = False) -> None:
        """Stop as fast as the joints can, or gently; the motion cannot be resumed."""
        if self.status is not Status.IDLE:
            v = self._v
            self._begin(Status.SLOW_STOP if slow else Status.STOP)
            self._v = v

    def pause(self) -> None:
        """Come to rest on the planned path."""
        if self.status is Status.MOVE_J:
            self.status = Status.PAUSE

    def resume(self) -> None:
        """Go on with a paused motion."""
        if self.status is Status.PAUSE:
            self.status = Status.MOVE_J

    def delete_plans(self) -> None:
        """Forget what is planned (only sensible at rest)."""
        self._plans.clear()
        if self.status in (Status.PAUSE, Status.MOVE_J):
            self.stop()

    def raise_error(self, code: int) -> None:
        """Latch an error; anything but a refused command also stops the arm."""
        if code not in self.errors:
            self.errors.append(int(code))
        if code not in CLEARED_BY_MOTION:
            self.stop()

    def clear_errors(self) -> None:
        """clear_system_err."""
        self.errors.clear()

    # Control cycle --------------------------------------------------------------------------------------------------

    def step(self, dt_s: float, now_s: float) -> None:
        """Advance the motion by one control period."""
        if self.status is Status.IDLE:
            return
        if self.status in (Status.STOP, Status.SLOW_STOP):
            self._brake(dt_s, ACCELERATION_RAD_S2 * (0.5 if self.status is Status.SLOW_STOP else 1.0))
        elif self.status in (Status.MOVE_J, Status.PAUSE):
            self._advance_plan(dt_s)
        elif self._follow_target is not None:
            self._track(dt_s)
        elif now_s - self._last_frame_s > _PASS_THROUGH_IDLE_S:
            self._begin(Status.IDLE)

    def _may_move(self, position_rad: Array) -> bool:
        inside = np.all(np.isfinite(position_rad)) and np.all(
            np.abs(position_rad) <= POSITION_LIMIT_RAD + _LIMIT_TOLERANCE_RAD
        )
        if not inside:
            return self._refuse(ErrorCode.BEYOND_LIMIT)
        if not (self.powered and self.enabled.all()):
            return self._refuse(ErrorCode.JOINT_DISABLED)
        if any(code not in CLEARED_BY_MOTION for code in self.errors):
            self.refused += 1
            return False
        self.errors.clear()
        return self.status not in (Status.STOP, Status.SLOW_STOP)

    def _refuse(self, code: ErrorCode) -> bool:
        self.refused += 1
        self.raise_error(code)
        return False

    def _reseed(self, first_rad: Array | None = None) -> None:
        """Start where the arm was told to be, or where it is if the setpoint is nearer to that: contact parts them."""
        self._q, self._v = self.port.target(), np.zeros(DOF)
        if first_rad is not None:
            measured = self.port.joint_state().position_rad
            if np.abs(first_rad - measured).max() < np.abs(first_rad - self._q).max():
                self._q = measured

    def _begin(self, status: Status) -> None:
        self.status = status
        self._follow_target = None
        self._plans = deque()
        if status is Status.IDLE:
            self._v = np.zeros(DOF)

    def _output(self, position_rad: Array) -> None:
        self._q = position_rad
        if self.real:
            self.port.set_target(position_rad)

    def _brake(self, dt_s: float, acceleration_rad_s2: float) -> None:
        self._v = np.sign(self._v) * np.maximum(np.abs(self._v) - acceleration_rad_s2 * dt_s, 0.0)
        self._output(np.clip(self._q + self._v * dt_s, -POSITION_LIMIT_RAD, POSITION_LIMIT_RAD))
        if not self._v.any():
            self._begin(Status.IDLE)

    def _advance_plan(self, dt_s: float) -> None:
        target, fraction = self._plans[0]
        distance = target - self._start
        span = np.maximum(np.abs(distance), 1e-9)
        top_rate = float(np.min(self.speed_limit_rad_s * fraction / span))
        ramp = float(np.min(ACCELERATION_RAD_S2 / span))
        wanted = 0.0 if self.status is Status.PAUSE else min(top_rate, math.sqrt(2.0 * ramp * max(1.0 - self._s, 0.0)))
        self._s_rate = max(min(wanted, self._s_rate + ramp * dt_s), self._s_rate - 2.0 * ramp * dt_s, 0.0)
        self._s = min(self._s + self._s_rate * dt_s, 1.0)
        arrived = 1.0 - self._s < 1e-4
        self._v = np.zeros(DOF) if arrived else distance * self._s_rate
        self._output(target if arrived else self._start + distance * self._s)
        if arrived:
            self._plans.popleft()
            self._start, self._s, self._s_rate = target, 0.0, 0.0
            if not self._plans:
                self._begin(Status.IDLE)
                self.on_arrival()

    def _track(self, dt_s: float) -> None:
        assert self._follow_target is not None
        error = self._follow_target - self._q
        top = np.minimum(self.speed_limit_rad_s, np.sqrt(2.0 * ACCELERATION_RAD_S2 * np.abs(error)))
        wanted = np.sign(error) * np.minimum(top, np.abs(error) / dt_s)
        change = ACCELERATION_RAD_S2 * dt_s
        self._v = np.clip(wanted, self._v - change, self._v + change)
        self._output(self._q + self._v * dt_s)
        if np.all(np.abs(error) < 1e-6) and np.all(np.abs(self._v) < 1e-3):
            self._begin(Status.IDLE)
