"""What every driver reports about its setpoint stream, in the words of DriverState."""

from __future__ import annotations

from enum import StrEnum

from vitra_safety.setpoint_stream import SetpointStream


class DriverStatus(StrEnum):
    """State of a driver, as in DriverState."""

    DISCONNECTED = "disconnected"
    HOLDING = "holding"
    MOVING = "moving"
    STOPPING = "stopping"
    LATCHED = "latched"
    FAULT = "fault"


class StreamReports:
    """Base of a driver: reports about its stream; all times are monotonic seconds.

    Args:
        stream: guard, gate and stop profile of the device.
    """

    def __init__(self, stream: SetpointStream) -> None:
        self._stream = stream

    def status_of(self, *, connected: bool, fault: str) -> DriverStatus:
        """State in one word.

        Args:
            connected: whether the device answers.
            fault: what is wrong with it, in words; empty when healthy.
        """
        if not connected:
            return DriverStatus.DISCONNECTED
        return DriverStatus.FAULT if fault else DriverStatus(self._stream.state.value)

    @property
    def stop_cause(self) -> str:
        """Why motion ended last, in words; empty while it has not."""
        gate = self._stream.gate
        return f"{gate.cause}: {gate.detail}" if gate.cause else ""

    @property
    def epoch(self) -> int:
        """Arming epoch whose commands are obeyed."""
        return self._stream.gate.epoch

    @property
    def accepted(self) -> int:
        """Commands that passed the guard."""
        return self._stream.guard.accepted

    @property
    def refused(self) -> int:
        """Commands that did not."""
        return sum(self._stream.guard.refused.values())

    @property
    def refused_by_kind(self) -> dict[str, int]:
        """Refused commands by reason."""
        return {reason.value: count for reason, count in self._stream.guard.refused.items()}

    @property
    def limit_violations(self) -> int:
        """Commands that asked for what no sound commander asks for."""
        return self._stream.guard.limit_violations

    @property
    def held_rad(self) -> list[float]:
        """What the device's controller holds; empty where nobody knows."""
        held = self._stream.held_rad
        return [] if held is None else held.tolist()

    @property
    def last_refusal(self) -> str:
        """Why, of the last refused command."""
        return str(self._stream.guard.last_refusal or "")

    def feedback_age_s(self, now_s: float) -> float:
        """Time since the last good feedback; infinite before the first."""
        return self._stream.gate.feedback_age_s(now_s)
