"""Finding one hand among the ports: port names change at every replug, the hand itself says which it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vitra_policy.errors import VitraError
from vitra_runtime.exclusive import DeviceBusyError, DeviceLock
from xhand_driver.codes import describe
from xhand_driver.errors import HandNotFoundError

_ROUNDS = 3
_PAUSE_S = 0.2
_TYPES = {"L": "left", "R": "right"}


@dataclass(frozen=True, slots=True)
class PortSettings:
    """Where to look.

    Attributes:
        side: `left` or `right`.
        protocol: `RS485` or `EtherCAT`.
        port_name: The only port to try; empty tries all.
        baud_rate: Of RS485.
        serial_number: The only hand to take, as the calibration says; empty takes any of that side.
    """

    side: str
    protocol: str = "RS485"
    port_name: str = ""
    baud_rate: int = 3_000_000
    serial_number: str = ""


@dataclass(frozen=True, slots=True)
class FoundHand:
    """An open connection to the wanted hand, and the lock that keeps other drivers from its port."""

    control: Any
    hand_id: int
    port: str
    serial_number: str
    lock: DeviceLock

    def close(self) -> None:
        """Close the port and give it back."""
        try:
            self.control.close_device()
        finally:
            self.lock.release()


def find_hand(
    make_control: Callable[[], Any], settings: PortSettings, pause: Callable[[float], None] = time.sleep
) -> FoundHand:
    """Open the port that holds the wanted hand.

    A port that another driver is looking at is tried again a moment later, so that two drivers may start together.

    Args:
        make_control: Makes an `XHandControl`.
        settings: Where to look.
        pause: How to wait [s].

    Raises:
        HandNotFoundError: saying what is on every port.
    """
    ports = [settings.port_name] if settings.port_name else list(make_control().enumerate_devices(settings.protocol))
    # The two sides start from opposite ends, or they would wait for each other's look at the same port.
    pending = ports if settings.side == "left" else ports[::-1]
    seen: dict[str, str] = {}
    for attempt in range(_ROUNDS):
        if attempt and pending:
            pause(_PAUSE_S)
        busy = []
        for port in pending:
            try:
                lock = DeviceLock(f"xhand-{port}")
            except DeviceBusyError as error:
                seen[port] = str(error)
                busy.append(port)
                continue
            found = _look(make_control(), port, settings, lock, seen)
            if found is not None:
                return found
        pending = busy
    if not seen and settings.protocol == "RS485":
        raise HandNotFoundError(f"No {settings.side} XHand found by RS485: there is no serial port (yet).")
    listing = "; ".join(f"{port}: {what}" for port, what in seen.items()) or "no ports at all"
    raise HandNotFoundError(
        f"No {settings.side} XHand found by {settings.protocol}. Seen: {listing}. Check the hand's power and cable; "
        + (
            "the user must be in the group that owns the port (dialout)."
            if settings.protocol == "RS485"
            else "EtherCAT needs raw sockets: `sudo setcap cap_net_raw+ep` on the Python binary."
        )
    )


def _look(control: Any, port: str, settings: PortSettings, lock: DeviceLock, seen: dict[str, str]) -> FoundHand | None:
    keep = False
    try:
        if settings.protocol == "EtherCAT":
            error = control.open_ethercat(port)
        else:
            error = control.open_serial(port, settings.baud_rate)
        if error.error_code != 0:
            seen[port] = describe(error.error_code, error.error_message)
            return None
        seen[port] = "no hand answers"
        for hand_id in control.list_hands_id():
            error, letter = control.get_hand_type(hand_id)
            side = _TYPES.get(str(letter).strip()[:1].upper(), "unknown")
            seen[port] = f"{side} hand" if error.error_code == 0 else describe(error.error_code, error.error_message)
            if side == settings.side:
                _, serial_number = control.get_serial_number(hand_id)
                if settings.serial_number and str(serial_number) != settings.serial_number:
                    seen[port] = (
                        f"{side} hand {serial_number}, but the calibration was made with {settings.serial_number}"
                    )
                    continue
                keep = True
                return FoundHand(control, hand_id, port, str(serial_number), lock)
        return None
    except VitraError:
        raise
    except Exception as error:  # the SDK is foreign code; whatever it raises means: not this port
        seen[port] = f"{type(error).__name__}: {error}"
        return None
    finally:
        if not keep:
            try:
                control.close_device()
            finally:
                lock.release()
