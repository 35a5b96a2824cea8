"""Guard, motion gate and stop profile put together: what a driver sends at each tick.

The driver feeds permits, feedback and commands, and calls `tick` once per period. A missing command never freezes the
arm at speed: from the first tick without one the setpoints decelerate (one tick late, that is some microradians), and a
command that comes back in time continues from there. After the command timeout the stop is final and the arm holds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_safety.guard import CommandGuard, GuardReason, GuardSettings, PostureCheck, Refusal
from vitra_safety.motion_gate import FreshnessLimits, MotionGate, MotionState
from vitra_safety.stop_profile import StopProfile

Array = NDArray[np.float64]


class SetpointStream:
    """The setpoints of one device; not thread-safe.

    Args:
        settings: What commands must keep to.
        posture_checks: Checks of the whole posture, after all others.
        freshness: How old permit, commands and feedback may be.
        rest_error_rad: A device that rests farther from its last setpoint begins again there or not at all: its
            controller still holds the setpoint, and one at the measured positions would be a leap.
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
        self._measured: Array | None = None
        self._setpoint: Array | None = None
        self._pending: Array | None = None
        self._stop: StopProfile | None = None
        self._stop_began_s = 0.0

    @property
    def state(self) -> MotionState:
        """State of the gate after the last tick."""
        return self.gate.state

    @property
    def setpoint_rad(self) -> Array | None:
        """Setpoint sent last, shape (dof,); None before the first."""
        return None if self._setpoint is None else self._setpoint.copy()

    def on_permit(self, epoch: int, allowed: bool, now_s: float) -> None:
        """A permit arrived; a new epoch re-arms the guard from the measured positions."""
        if self._measured is None and allowed and epoch > self.gate.epoch:
            return  # nothing measured yet to start from; the permit is repeated
        if self.gate.on_permit(epoch, allowed, now_s) and self._measured is not None:
            self.guard.rearm(epoch, self._measured)
            self._setpoint = self._pending = self._stop = None

    def on_feedback(self, position_rad: ArrayLike, now_s: float) -> None:
        """The device reported its joint positions, shape (dof,)."""
        position = np.array(position_rad, dtype=np.float64)
        if position.shape != (self._limits.dof,) or not np.isfinite(position).all():
            return  # no feedback is better than wrong feedback: it goes stale and stops the device
        self._measured = position
        if self._setpoint is None and self._pending is None:
            self.guard.resync(position)  # nothing sent in this epoch: the arm may still be moved by hand
        self.gate.on_feedback(now_s)

    def on_fault(self, detail: str) -> None:
        """The device reported a fault."""
        self.gate.on_fault(detail)

    def on_command(
        self, position_rad: ArrayLike, *, sequence: int, epoch: int, age_s: float, now_s: float
    ) -> Refusal | None:
        """A command arrived: None if it will be sent at the next tick, else the refusal."""
        if not self.gate.accepts_commands(now_s):
            return self.guard.refuse(GuardReason.NOT_PERMITTED, self.gate.explain(now_s))
        if self.gate.state is MotionState.HOLDING and self._setpoint is not None:
            self.guard.resync(self._standing(position_rad))
        refusal = self.guard.check(position_rad, sequence=sequence, epoch=epoch, age_s=age_s, now_s=now_s)
        if refusal is None:
            self._pending = self.guard.position_rad
            self.gate.on_command(now_s)
        return refusal

    def _standing(self, position_rad: ArrayLike) -> Array:
        """Where a device at rest stands: as measured or as last told, whichever the command begins at.

        Contact keeps the two apart: an arm that sags begins where it is, a hand that grasps where it was told.
        """
        assert self._setpoint is not None
        command = np.asarray(position_rad, dtype=np.float64)
        if self._measured is None or command.shape != self._measured.shape or not np.isfinite(command).all():
            return self._setpoint
        if np.abs(self._measured - self._setpoint).max() > self.rest_error_rad:
            return self._setpoint
        nearer = np.abs(command - self._measured).max() < np.abs(command - self._setpoint).max()
        return self._measured if nearer else self._setpoint

    def tick(self, now_s: float) -> Array | None:
        """The setpoint to send now, shape (dof,); None when nothing needs sending (the device holds by itself)."""
        at_rest = self._setpoint is None or (
            # Judged by the setpoint already sent: the last one of the stop must go out too.
            self._stop is not None and self._stop.done(now_s - self._period_s - self._stop_began_s)
        )
        before = self.gate.state
        state = self.gate.update(now_s, at_rest)
        if state is MotionState.MOVING:
            if self._pending is not None:
                self._setpoint, self._pending, self._stop = self._pending, None, None
                return self._setpoint.copy()
            return self._decelerate(now_s)
        self._pending = None
        if state is MotionState.STOPPING:
            return self._decelerate(now_s)
        if before in (MotionState.STOPPING, MotionState.MOVING) and self._setpoint is not None:
            self._stop = None
            self.guard.resync(self._setpoint)
        return None

    def _decelerate(self, now_s: float) -> Array | None:
        if self._setpoint is None:
            return None
        if self._stop is None:
            self._stop = StopProfile(self._setpoint, self.guard.velocity_rad_s, self._limits)
            self._stop_began_s = now_s - self._period_s
        self._setpoint = self._stop.position_rad(now_s - self._stop_began_s)
        self.guard.sent(self._setpoint)
        return self._setpoint.copy()
