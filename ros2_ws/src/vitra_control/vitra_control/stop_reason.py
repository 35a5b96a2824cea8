"""Why the robot was stopped: one reason, and the first one stays."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StopCause(StrEnum):
    """What stops the robot."""

    OPERATOR_STOP = "operator_stop"
    """Somebody called the stop service."""
    OPERATOR_LOST = "operator_lost"
    """The operator's sign of life stayed away."""
    LAUNCHER_LOST = "launcher_lost"
    """The program that started the graph ended, or its terminal; nobody looks after the nodes any more."""
    HEARTBEAT_LOST = "heartbeat_lost"
    """A required node died or hangs."""
    NODE_INACTIVE = "node_inactive"
    """A required node lives but is not active."""
    NODE_FAULT = "node_fault"
    """A required node reports a fault."""
    DRIVER_FAULT = "driver_fault"
    """A driver reports a fault of its device."""
    DRIVER_LATCHED = "driver_latched"
    """A driver has stopped by itself (no permit, command or feedback for too long) and waits for a new epoch."""
    FEEDBACK_LOST = "feedback_lost"
    """A device has not reported its joints."""
    COMMANDS_REFUSED = "commands_refused"
    """The guard of a driver keeps refusing what it is asked to do."""


@dataclass(frozen=True, slots=True)
class StopReason:
    """One stop.

    Attributes:
        cause: What kind of thing happened.
        source: The node, device or person it came from.
        detail: The rest, in words.
        time_s: When, on the supervisor's monotonic clock.
    """

    cause: StopCause
    source: str
    detail: str
    time_s: float

    def __str__(self) -> str:
        return f"{self.cause} ({self.source}): {self.detail}" if self.detail else f"{self.cause} ({self.source})"
