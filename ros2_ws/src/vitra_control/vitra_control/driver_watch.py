"""Drivers that stop by themselves, as the executor hears of it: the first word counts."""

from __future__ import annotations

from dataclasses import dataclass

_MOVING, _STOPPING, _HOLDING, _LATCHED = "moving", "stopping", "holding", "latched"


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
        self._interruption = ""

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
        if state == _STOPPING and before.state != _STOPPING:
            self._interruption = f"{device} is stopping by itself: {stop_cause or 'cause not said'}"
        elif state in (_HOLDING, _LATCHED) and before.state == _MOVING:
            self._interruption = f"{device} has stopped by itself: {stop_cause or 'cause not said'}"
        elif state == _HOLDING and refused > before.refused:
            self._interruption = f"{device} has stopped and refuses: {last_refusal}"

    def take(self) -> str:
        """Why setpoints are to cease and begin anew, once; empty: they are not."""
        interruption, self._interruption = self._interruption, ""
        return interruption
