"""What the safety supervisor has heard from nodes and drivers, and since when it has heard nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum

from vitra_control.stop_reason import StopCause


class BeatState(IntEnum):
    """State of a node in its heartbeat (values of vitra_msgs/Heartbeat)."""

    INACTIVE = 0
    ACTIVE = 1
    FAULT = 2


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What a driver last said about its device."""

    state: str
    fault: str
    feedback_age_s: float
    violations: int
    last_refusal: str = ""
    epoch: int = 0
    stop_cause: str = ""
    """Why it last stopped by itself."""


@dataclass(slots=True)
class Beat:
    """The last heartbeat of a node."""

    received_s: float
    state: BeatState
    detail: str
    cause: StopCause = StopCause.NODE_FAULT
    ended: bool = False
    excused_until_s: float | None = None


@dataclass(slots=True)
class Device:
    """A driver's last state, and its violations of limits in the time that counts."""

    received_s: float
    report: DeviceReport
    violations: deque[tuple[float, int]] = field(default_factory=deque)
    excused_until_s: float | None = None

    def violated_lately(self) -> int:
        """Violations since the oldest report in the window; a driver that restarted counts from zero again."""
        return max(0, self.report.violations - self.violations[0][1]) if self.violations else 0


def cause_of_latch(stop_cause: str) -> StopCause:
    """The supervisor's word for why a driver has latched (`vitra_safety.motion_gate.StopCause`: detail)."""
    if stop_cause.startswith("fault"):
        return StopCause.DRIVER_FAULT
    return StopCause.SECOND_SOURCE if stop_cause.startswith("second_") else StopCause.DRIVER_LATCHED


def silence(heard: Beat | Device | None, now_s: float) -> float | None:
    """For how long nothing has come; None where nothing ever came."""
    return None if heard is None else now_s - heard.received_s


def no_word(what: str, silent_s: float | None, allowed_s: float) -> str:
    """Says how long something has stayed away.

    Args:
        what: Stayed away.
        silent_s: For so long; None: it never came.
        allowed_s: How long it may.
    """
    return f"no {what} yet" if silent_s is None else f"no {what} for {silent_s:.2f} s, allowed {allowed_s:g} s"
