"""Why the robot was stopped: one reason, and the first one stays; and what mends it."""

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
    THREAD_ENDED = "thread_ended"
    """A worker thread of a required node ended though nobody asked it to."""
    IMAGE_FROZEN = "image_frozen"
    """A camera delivers the same image again and again."""
    SECOND_SOURCE = "second_source"
    """Two sources of permits, commands or chunks, or two processes of one node's name."""
    DRIVER_FAULT = "driver_fault"
    """A driver reports a fault of its device."""
    DRIVER_LATCHED = "driver_latched"
    """A driver has stopped by itself (no permit, command or feedback for too long) and waits for a new epoch."""
    PERMIT_NOT_TAKEN = "permit_not_taken"
    """A driver does not obey the permit: it hears none, or obeys another supervisor."""
    FEEDBACK_LOST = "feedback_lost"
    """A device has not reported its joints."""
    COMMANDS_REFUSED = "commands_refused"
    """The guard of a driver keeps refusing what it is asked to do: limits are violated."""


_REARM = "then re-arm"
MENDS = {
    StopCause.OPERATOR_STOP: "When the robot may move again: re-arm.",
    StopCause.OPERATOR_LOST: f"Open the operator's console again, {_REARM}.",
    StopCause.HEARTBEAT_LOST: f"Launch starts a node again that ended; if it stays away, read its log, {_REARM}.",
    StopCause.NODE_INACTIVE: f"Activate it (ros2 lifecycle set NODE activate), {_REARM}.",
    StopCause.NODE_FAULT: f"Mend what it reports, {_REARM}.",
    StopCause.THREAD_ENDED: f"Restart the node (its log says why the thread ended), {_REARM}.",
    StopCause.IMAGE_FROZEN: f"Unplug and replug the camera, or restart its node, {_REARM}.",
    StopCause.LAUNCHER_LOST: "Launch again.",
    StopCause.SECOND_SOURCE: f"End one of the two (ros2 topic info -v TOPIC lists publishers), {_REARM}.",
    StopCause.DRIVER_FAULT: "Mend what it reports; faults that the controller keeps go by DRIVER/clear_errors "
    f"(std_srvs/srv/Trigger); {_REARM}.",
    StopCause.DRIVER_LATCHED: f"If it happens again, look at the machine's load (top) and network, {_REARM}.",
    StopCause.PERMIT_NOT_TAKEN: f"End other supervisors, restart the driver, {_REARM}.",
    StopCause.FEEDBACK_LOST: f"Check power and cable of the device and its driver's log, {_REARM}.",
    StopCause.COMMANDS_REFUSED: f"What commands the robot asks for more than it may: stop it, {_REARM}.",
}
"""The next step of the operator, for every cause."""


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

    @property
    def mend(self) -> str:
        """The operator's next step."""
        return MENDS[self.cause].replace("DRIVER/", f"{self.source}_driver/").replace("NODE", self.source)

    def __str__(self) -> str:
        return f"{self.cause} ({self.source}): {self.detail}" if self.detail else f"{self.cause} ({self.source})"
