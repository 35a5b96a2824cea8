"""May this device move now? A state machine over the freshness of permit, commands and feedback.

Pure; every method takes monotonic seconds. A driver reports what arrives and asks `update` once per tick:

    HOLDING   at rest; moves as soon as permit, command and feedback are fresh
    MOVING    obeying commands
    STOPPING  something ran out: decelerate along a `StopProfile` until at rest, then HOLDING again
    LATCHED   a fault, or something stayed away for `latch_s`: stay at rest until a permit of a newer epoch

Permits count from one supervisor at a time, and its epochs only rise: whoever else permits (or one that says first this
and then that) ends the motion by name.

Waiting in HOLDING never latches: the clock of `latch_s` runs from the moment that MOVING was lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MotionState(StrEnum):
    """What the driver does."""

    HOLDING = "holding"
    MOVING = "moving"
    STOPPING = "stopping"
    LATCHED = "latched"


class StopCause(StrEnum):
    """Why the device may not move; the first of a stop is kept."""

    PERMIT_MISSING = "permit_missing"
    PERMIT_DENIED = "permit_denied"
    FEEDBACK_MISSING = "feedback_missing"
    COMMAND_MISSING = "command_missing"
    SECOND_SUPERVISOR = "second_supervisor"
    SECOND_COMMANDER = "second_commander"
    FAULT = "fault"


_MAX_LEAD_S = 0.002
"""How far ahead of its receipt a permit may be stamped: clocks are read one after the other."""
_LATCHING = (StopCause.SECOND_SUPERVISOR, StopCause.SECOND_COMMANDER, StopCause.FAULT)
"""Causes that end in a latch however short they are."""


@dataclass(frozen=True, slots=True)
class FreshnessLimits:
    """How old each may be.

    Attributes:
        permit_s: The supervisor's permit.
        command_s: The last accepted command.
        feedback_s: The device's own feedback.
        latch_s: Time from the loss of motion after which only a new epoch helps.
        source_s: Silence of a supervisor after which another one may take its place, and time for which two of them
            are remembered.
    """

    permit_s: float = 0.1
    command_s: float = 0.1
    feedback_s: float = 0.05
    latch_s: float = 0.5
    source_s: float = 0.5


class MotionGate:
    """The state machine of one device."""

    def __init__(self, limits: FreshnessLimits | None = None) -> None:
        self.limits = limits or FreshnessLimits()
        self.state = MotionState.HOLDING
        self.epoch = 0
        self.cause: StopCause | None = None
        self.detail = ""
        self._allowed = False
        self._source: int | None = None
        self._source_s = self._conflict_s = float("-inf")
        self._source_epoch = 0
        self._permit_s = self._command_s = self._feedback_s = float("-inf")
        self._lost_s: float | None = None

    def on_permit(self, epoch: int, allowed: bool, now_s: float, source: int = 0, age_s: float = 0.0) -> bool:
        """A permit arrived.

        Args:
            epoch: Its arming epoch.
            allowed: Whether it allows motion.
            now_s: Monotonic time.
            source: Identity of the supervisor.
            age_s: Time since it was given; one that was on its way for too long permits nothing.

        Returns:
            True if it begins a new epoch with motion allowed: re-arm the guard from what is held.
        """
        if allowed and not -_MAX_LEAD_S <= age_s <= self.limits.permit_s:
            return False
        if conflict := self._conflict(epoch, allowed, now_s, source):
            self._conflict_s = now_s
            self._end(StopCause.SECOND_SUPERVISOR, conflict)
            return False
        if source != self._source:
            self._source, self._source_epoch = source, epoch
        self._source_s, self._source_epoch = now_s, max(self._source_epoch, epoch)
        begins = allowed and epoch > self.epoch
        if begins and (
            self.state in (MotionState.MOVING, MotionState.STOPPING) or now_s - self._conflict_s < self.limits.source_s
        ):
            # Come to rest first, or until there is one supervisor; the permit is repeated 50 times a second.
            self._allowed = False
            return False
        self._permit_s, self._allowed = now_s, allowed
        if begins:
            self.epoch = epoch
            self.state, self.cause, self.detail, self._lost_s = MotionState.HOLDING, None, "", None
            self._command_s = float("-inf")
        return begins

    def _conflict(self, epoch: int, allowed: bool, now_s: float, source: int) -> str:
        """Why this permit cannot come from the one supervisor there is; empty if it can."""
        if self._source is not None and source != self._source and now_s - self._source_s < self.limits.source_s:
            return f"permits of a second supervisor ({source:x} beside {self._source:x}); run only one"
        if source == self._source and epoch < self._source_epoch:
            return f"a permit of epoch {epoch} after one of {self._source_epoch}: a second supervisor; run only one"
        if allowed and epoch < self.epoch:
            return f"a permit of epoch {epoch}, which ended before epoch {self.epoch}; re-arm"
        return ""

    def on_feedback(self, now_s: float) -> None:
        """The device reported its joints."""
        self._feedback_s = now_s

    def on_command(self, now_s: float) -> None:
        """The guard accepted a command."""
        self._command_s = now_s

    def on_fault(self, detail: str) -> None:
        """The device reported a fault: stop if moving, and latch."""
        self._end(StopCause.FAULT, detail)

    def on_second_commander(self, detail: str) -> None:
        """Somebody else commands too: stop if moving, and latch."""
        self._end(StopCause.SECOND_COMMANDER, detail)

    def _end(self, cause: StopCause, detail: str) -> None:
        if self.state is MotionState.LATCHED:
            return
        self._begin_stop(cause, detail, None)
        in_motion = self.state in (MotionState.MOVING, MotionState.STOPPING)
        self.state = MotionState.STOPPING if in_motion else MotionState.LATCHED

    def accepts_commands(self, now_s: float) -> bool:
        """Whether a command arriving now may go to the guard."""
        moving_or_ready = self.state in (MotionState.HOLDING, MotionState.MOVING)
        return moving_or_ready and self._missing(now_s, commands=False) is None

    def explain(self, now_s: float) -> str:
        """Why the device may not move now, in words."""
        if self.state in (MotionState.STOPPING, MotionState.LATCHED):
            again = "; re-arm to move again" if self.state is MotionState.LATCHED else ""
            return f"{self.state} after {self.cause}: {self.detail}{again}"
        missing = self._missing(now_s, commands=True)
        return "may move" if missing is None else self._describe(missing, now_s)

    def feedback_age_s(self, now_s: float) -> float:
        """Time since the last feedback; infinite before the first, 0 if it came after the caller saw the clock."""
        return max(0.0, now_s - self._feedback_s)

    def update(self, now_s: float, at_rest: bool) -> MotionState:
        """The state for this tick.

        Args:
            now_s: Monotonic time.
            at_rest: Whether the stop profile has ended (ignored except in STOPPING).
        """
        missing = self._missing(now_s, commands=True)
        if self.state is MotionState.HOLDING and missing is None:
            self.state, self.cause, self.detail, self._lost_s = MotionState.MOVING, None, "", None
        elif self.state is MotionState.MOVING and missing is not None:
            self._begin_stop(missing, self._describe(missing, now_s), now_s)
            self.state = MotionState.STOPPING
        elif self.state is MotionState.STOPPING and at_rest:
            self.state = MotionState.LATCHED if self.cause in _LATCHING else MotionState.HOLDING
            self._command_s = float("-inf")
        if (
            self.state in (MotionState.HOLDING, MotionState.STOPPING)
            and self._lost_s is not None
            and now_s - self._lost_s >= self.limits.latch_s
            and (at_rest or self.state is MotionState.HOLDING)
        ):
            self.state = MotionState.LATCHED
        return self.state

    def _begin_stop(self, cause: StopCause, detail: str, now_s: float | None) -> None:
        if self.cause is None:
            self.cause, self.detail = cause, detail
        elif cause in _LATCHING and self.cause not in _LATCHING:
            self.cause, self.detail = cause, f"{detail} (first: {self.cause}, {self.detail})"
        if now_s is not None:
            self._lost_s = now_s

    def _missing(self, now_s: float, commands: bool) -> StopCause | None:
        if now_s - self._permit_s > self.limits.permit_s:
            return StopCause.PERMIT_MISSING
        if not self._allowed:
            return StopCause.PERMIT_DENIED
        if now_s - self._feedback_s > self.limits.feedback_s:
            return StopCause.FEEDBACK_MISSING
        if commands and now_s - self._command_s > self.limits.command_s:
            return StopCause.COMMAND_MISSING
        return None

    def _describe(self, cause: StopCause, now_s: float) -> str:
        limits = self.limits
        if cause is StopCause.PERMIT_DENIED:
            return "the supervisor gives no permit"
        what, since_s, allowed_s = {
            StopCause.PERMIT_MISSING: ("permit", self._permit_s, limits.permit_s),
            StopCause.FEEDBACK_MISSING: ("feedback", self._feedback_s, limits.feedback_s),
            StopCause.COMMAND_MISSING: ("command", self._command_s, limits.command_s),
        }[cause]
        age = f"{(now_s - since_s) * 1e3:.0f} ms ago" if since_s > float("-inf") else "never"
        return f"last {what} {age}, allowed {allowed_s * 1e3:.0f} ms"
