"""Faults of the device doubles by name, so that a running graph can be made to suffer them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vitra_policy.errors import UnknownNameError


class FaultSwitches:
    """Turns the on/off faults of several devices on and off, named `device.fault` (e.g. `right_arm.udp_silent`).

    Args:
        devices: fault object of each device by name; its boolean attributes are the switches.
    """

    def __init__(self, devices: Mapping[str, Any]) -> None:
        self._switches = {
            f"{device}.{fault}": (faults, fault)
            for device, faults in devices.items()
            for fault, value in vars(faults).items()
            if isinstance(value, bool)
        }

    @property
    def names(self) -> list[str]:
        """Every switch, sorted."""
        return sorted(self._switches)

    def set(self, active: Iterable[str]) -> None:
        """Exactly these faults from now on; empty strings are skipped.

        Raises:
            UnknownNameError: no such device or fault; nothing was changed.
        """
        wanted = {name for name in active if name}
        for name in wanted:
            if name not in self._switches:
                raise UnknownNameError("fault", name, self._switches)
        for name, (faults, fault) in self._switches.items():
            setattr(faults, fault, name in wanted)
