"""Guard, motion gate, stop profile and limiter put together: what a driver sends at each tick.

The driver feeds permits, feedback and commands, and calls `tick` once per period and after each command. A missing
command never freezes the arm at speed: from the first period without one the setpoints decelerate, and a command that
comes back in time is caught up with from there, within the limits of velocity and acceleration. After the command
timeout the stop is final and the arm holds.

Every motion continues what the controller holds, which is what was sent last: load and contact keep the measured joints
away from it, and a motion that began where they were measured would leap there, and sink a little at every beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_safety.guard import CommandGuard, GuardReason, GuardSettings, PostureCheck, Refusal
from vitra_safety.motion_gate import FreshnessLimits, MotionGate, MotionState
from vitra_safety.setpoint_limiter import SetpointLimiter
from vitra_safety.stop_profile import StopProfile
from vitra_safety.time_budget import TimeBudget

Array = NDArray[np.float64]

STANDS_S = 0.05
"""A device that was sent nothing for so long stands at the last setpoint, whatever the velocity was there."""
_PLAUSIBLE_TURNS = 1.1
"""Measured positions beyond so many times the largest limit are no positions."""


class Beginning(IntEnum):
    """Where a setpoint's motion comes from."""

    NONE = 0
    """It continues the setpoint before."""
    MEASURED = 1
    """It begins where the device is measured."""
    HELD = 2
    """It begins at what the controller has held since before this process began."""


class SetpointStream:
    """The setpoints of one device; not thread-safe.

    Setpoints leave at the nominal rate on this machine's clock, at most one period early; a command that comes sooner
    waits for the next tick, and the newest waits alone.

    Args:
        settings: What commands must keep to.
        posture_checks: Checks of the whole posture, after all others.
        freshness: How old permit, commands and feedback may be.
        rest_error_rad: A device that rests farther from its last setpoint does not begin to move: something holds it.
    """

    def __init__(
        self,
        settings: GuardSettings,
        posture_checks: Sequence[PostureCheck] = (),
        freshness: FreshnessLimits | None = None,
        rest_error_rad: float = np.inf,
    ) -> None:
        self.rest_error_rad = rest_error_rad
        self.guard = CommandGuard(settings, posture_checks)
        self.gate = MotionGate(freshness)
        self._period_s = settings.period_s
        self._limits = settings.limits
        self._limiter = SetpointLimiter(settings.limits, settings.period_s, settings.rate_tolerance)
        self._frames = TimeBudget(settings.period_s)
        # A stop begins with the velocity there is, also where the guard's tolerance let it exceed the limit.
        velocity = settings.limits.velocity_rad_s * (1 + settings.rate_tolerance)
        self._stop_limits = replace(settings.limits, velocity_rad_s=velocity)
        largest_rad = np.maximum(np.abs(settings.limits.lower_rad), np.abs(settings.limits.upper_rad))
        self._plausible_rad = _PLAUSIBLE_TURNS * largest_rad + np.deg2rad(10.0)
        self._measured: Array | None = None
        self._held: Array | None = None
        self._setpoint: Array | None = None
        self._pending: Array | None = None
        self._stop: StopProfile | None = None
        self._stop_s = 0.0
        self._sent_s = np.inf
        self._forgets = False
        self._recalled = False
        self.begins = Beginning.NONE
        """Whether the setpoint of the last tick began a motion, and where."""

    @property
    def state(self) -> MotionState:
        """State of the gate after the last tick."""
        return self.gate.state

    @property
    def setpoint_rad(self) -> Array | None:
        """Setpoint sent last in this epoch, shape (dof,); None before the first."""
        return None if self._setpoint is None else self._setpoint.copy()

    @property
    def held_rad(self) -> Array | None:
        """What the device's controller holds: the setpoint sent last, shape (dof,); None where nobody can know."""
        return None if self._held is None else self._held.copy()

    @property
    def start_rad(self) -> Array | None:
        """Where the next motion begins: what is held, else what is measured, shape (dof,); None before feedback."""
        start = self._measured if self._held is None else self._held
        return None if start is None else start.copy()

    @property
    def rest_error_now_rad(self) -> float:
        """Largest distance of the measured joints from what is held; 0 where that is unknown."""
        if self._held is None or self._measured is None:
            return 0.0
        return float(np.abs(self._held - self._measured).max())

    @property
    def has_pending(self) -> bool:
        """Whether an accepted command waits for the next tick."""
        return self._pending is not None

    def recall(self, held_rad: ArrayLike, within_rad: float) -> bool:
        """The controller has held this since before this process began, shape (dof,); whether that can be.

        Something has moved a device that is measured farther from it than `within_rad`.
        """
        held = np.array(held_rad, dtype=np.float64)
        if self._measured is None or self._held is not None or self._pending is not None:
            return False
        if not np.abs(held - self._measured).max() <= within_rad:
            return False
        self._held, self._recalled = held, True
        self.guard.resync(held)
        return True

    def forget_held(self) -> None:
        """Something else has moved the device (its controller stopped it, a person led it): begin where it is.

        Takes effect when the device rests; a stop that is under way ends as it began.
        """
        self._forgets = True
        if self.gate.state in (MotionState.HOLDING, MotionState.LATCHED) and self._pending is None:
            self._forgets = False
            self._held = self._setpoint = None
            self._recalled = False
            if self._measured is not None:
                self.guard.resync(self._measured)

    def on_permit(self, epoch: int, allowed: bool, now_s: float, source: int = 0, age_s: float = 0.0) -> None:
        """A permit arrived; a new epoch re-arms the guard from what is held.

        Args:
            epoch: Of the arming it belongs to.
            allowed: Whether motion is allowed.
            now_s: Monotonic time of its arrival.
            source: Number of the publisher, to notice a second one.
            age_s: How old it was on arrival.
        """
        if allowed and epoch > self.gate.epoch:
            if self.start_rad is None:
                return  # nothing measured yet to start from; the permit is repeated
            if self.rest_error_now_rad > self.rest_error_rad:
                allowed = False  # it would begin with a leap; its driver reports the fault
        start = self.start_rad
        if self.gate.on_permit(epoch, allowed, now_s, source, age_s) and start is not None:
            self.guard.rearm(epoch, start)
            self._setpoint = self._pending = self._stop = None

    def on_feedback(self, position_rad: ArrayLike, now_s: float) -> None:
        """The device reported its joint positions, shape (dof,)."""
        position = np.array(position_rad, dtype=np.float64)
        if position.shape != (self._limits.dof,) or not (np.abs(position) <= self._plausible_rad).all():
            return  # no feedback is better than wrong feedback: it goes stale and stops the device
        self._measured = position
        if self._held is None and self._setpoint is None and self._pending is None:
            self.guard.resync(position)  # nothing was sent: the arm may still be moved by hand
        self.gate.on_feedback(now_s)

    def on_fault(self, detail: str) -> None:
        """The device reported a fault."""
        self.gate.on_fault(detail)

    def on_command(
        self, position_rad: ArrayLike, *, sequence: int, epoch: int, age_s: float, now_s: float, source: int = 0
    ) -> Refusal | None:
        """A command arrived: None if it will be sent at the next tick, else the refusal.

        Args:
            position_rad: Commanded joints (dof,).
            sequence: The sender's count.
            epoch: Of the permit that it goes by.
            age_s: How old it is by the sender's stamp.
            now_s: The receiver's clock.
            source: Who sent it.
        """
        if not self.gate.accepts_commands(now_s):
            return self.guard.refuse(GuardReason.NOT_PERMITTED, self.gate.explain(now_s))
        if self.gate.state is MotionState.HOLDING and self._pending is None:
            start = self.start_rad
            if start is not None:
                self.guard.resync(start)
        refusal = self.guard.check(
            position_rad, sequence=sequence, epoch=epoch, age_s=age_s, now_s=now_s, source=source
        )
        if refusal is None:
            if self.gate.state is MotionState.HOLDING and self._pending is None:
                self._limiter.rest_at(self.start_rad if self.start_rad is not None else self.guard.position_rad)
            self._pending = self.guard.position_rad
            self.gate.on_command(now_s)
        elif refusal.reason is GuardReason.WRONG_SOURCE:
            self.gate.on_second_commander(refusal.detail)
        return refusal

    def tick(self, now_s: float) -> Array | None:
        """The setpoint to send now, shape (dof,); None when nothing needs sending (the device holds by itself)."""
        if self._setpoint is not None and now_s - self._sent_s > STANDS_S:
            self._limiter.rest_at(self._setpoint)
            self._stop = None
        at_rest = self._setpoint is None or (self._stop is not None and self._stop.done(self._stop_s))
        before = self.gate.state
        state = self.gate.update(now_s, at_rest)
        if state is MotionState.MOVING:
            return self._send(now_s)
        self._pending = None
        if state is MotionState.STOPPING:
            return self._send(now_s)
        if before in (MotionState.STOPPING, MotionState.MOVING) and self._setpoint is not None:
            self._stop = None
            self.guard.resync(self._setpoint)
        if self._forgets:
            self.forget_held()
        return None

    def _send(self, now_s: float) -> Array | None:
        """One setpoint of one period, if a period has passed since the last one (or nearly so)."""
        if self._pending is None and self._setpoint is None:
            return None
        if self._frames.available_s(now_s) < self._period_s - 1e-9:
            return None
        self._frames.spend(self._period_s, now_s)
        if self._pending is not None:
            setpoint = self._limiter.follow(self._pending, self.guard.velocity_rad_s)
            self._pending = self._stop = None
        else:
            setpoint = self._decelerate()
        self.begins = Beginning.MEASURED if self._held is None else Beginning(2 * self._recalled)
        self._recalled = False
        self._setpoint = self._held = setpoint
        self._sent_s = now_s
        self.guard.sent(setpoint)
        return setpoint.copy()

    def _decelerate(self) -> Array:
        if self._stop is None:
            self._stop = StopProfile(self._limiter.position_rad, self._limiter.velocity_rad_s, self._stop_limits)
            self._stop_s = 0.0
        self._stop_s += self._period_s
        setpoint = self._stop.position_rad(self._stop_s)
        self._limiter.sent(setpoint)
        return setpoint
