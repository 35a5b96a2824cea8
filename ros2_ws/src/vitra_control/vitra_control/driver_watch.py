"""Drivers that stop by themselves, as the executor hears of it: the first word counts."""

from __future__ import annotations

from dataclasses import dataclass

from vitra_safety.motion_gate import StopCause

_LATE = tuple(str(cause) for cause in (StopCause.PERMIT_MISSING, StopCause.FEEDBACK_MISSING, StopCause.COMMAND_MISSING))
_MOVING, _STOPPING, _HOLDING, _LATCHED = "moving", "stopping", "holding", "latched"


@dataclass(frozen=True, slots=True)
class Interruption:
    """Why setpoints are to cease and begin anew.

    Attributes:
        why: In words.
        is_late: Something only came too late (a permit, feedback, a command), as on a machine with too little time;
            nothing was wrong with what was asked of the arm.
    """

    why: str
    is_late: bool = False


@dataclass(slots=True)
class _Heard:
    state: str
    refused: int


class DriverWatch:
    """Turns driver states into interruptions of the setpoints; written by one thread, read by another.

    A driver that holds before the first setpoint reaches it is no interruption; one that stops, or holds or latches
    after it was moving, or holds and refuses, is.
    """

    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}
        self._interruption: Interruption | None = None

    def see(self, device: str, state: str, stop_cause: str, refused: int, last_refusal: str) -> None:
        """What a driver says of itself.

        Args:
            device: Name of the driver's device.
            state: Its state.
            stop_cause: Why it stopped, as it says.
            refused: How many commands it has refused.
            last_refusal: Why the last of them.
        """
        before = self._heard.get(device, _Heard(state, refused))
        self._heard[device] = _Heard(state, refused)
        is_late = state != _LATCHED and stop_cause.startswith(_LATE)
        cause = stop_cause or "cause not said"
        if state == _STOPPING and before.state != _STOPPING:
            self._interrupt(Interruption(f"{device} is stopping by itself: {cause}", is_late))
        elif state in (_HOLDING, _LATCHED) and before.state == _MOVING:
            self._interrupt(Interruption(f"{device} has stopped by itself: {cause}", is_late))
        elif state == _HOLDING and refused > before.refused:
            self._interrupt(Interruption(f"{device} has stopped and refuses: {last_refusal}"))

    def take(self) -> Interruption | None:
        """Why setpoints are to cease and begin anew, once; None: they are not."""
        interruption, self._interruption = self._interruption, None
        return interruption

    def _interrupt(self, interruption: Interruption) -> None:
        """Of two that nobody has taken yet, one that is more than late counts."""
        if self._interruption is None or self._interruption.is_late:
            self._interruption = interruption
