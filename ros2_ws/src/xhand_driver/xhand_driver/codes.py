"""The hand's error codes in words, and what the driver makes of each."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """What a code means for motion."""

    OK = "ok"
    TOLERATED = "tolerated"
    CONTACT = "contact"
    LINK = "link"
    FAULT = "fault"


_OK, _TOLERATED, _CONTACT, _LINK, _FAULT = Severity

CODES: dict[int, tuple[str, Severity]] = {
    0: ("no error", _OK),
    1501001: ("no hand with this id answers", _LINK),
    1501002: ("the hand does not know the command", _FAULT),
    1501003: ("communication with the hand failed", _LINK),
    1501004: ("a message of the wrong length came back", _LINK),
    1501005: ("no parameters stored in the hand", _FAULT),
    1501006: ("the hand is busy", _LINK),
    1501018: ("a fingertip's total force is missing", _TOLERATED),
    1501019: ("a fingertip's force distribution is missing", _TOLERATED),
    1501020: ("a fingertip's temperature is missing", _TOLERATED),
    1501021: ("fingertip calibration failed", _FAULT),
    1501022: ("fingertip sensor error", _FAULT),
    1501023: ("fingertip sensor error", _FAULT),
    1501024: ("fingertip sensor error", _FAULT),
    1501026: ("a joint did not initialise", _FAULT),
    1501028: ("a joint is too hot", _FAULT),
    1501029: ("wrong motion mode", _FAULT),
    1501030: ("a position beyond the joint's range", _FAULT),
    1501032: ("a joint board does not answer", _FAULT),
    1501034: ("a joint's position sensor gives no sense", _FAULT),
    1501035: ("current protection: a finger presses on something", _CONTACT),
    1501037: ("wrong device id", _LINK),
    1501038: ("the port is not open", _LINK),
    1501039: ("the port cannot be opened", _LINK),
    1501040: ("EtherCAT process data lost", _LINK),
    1501041: ("EtherCAT service data lost", _LINK),
    1501050: ("the serial port failed", _LINK),
    1501051: ("the hand's firmware is too old for this SDK", _FAULT),
    1501067: ("the mode is not valid", _FAULT),
    1501070: ("a damaged message (checksum)", _TOLERATED),
    1501080: ("a current sensor could not be zeroed", _FAULT),
    1501081: ("this hand has no force mode", _FAULT),
}
"""Meaning and severity of every code known. Tolerated codes come with good joint states; a wrong joint state would not
be finite and is refused on its own."""


def severity(code: int) -> Severity:
    """What the driver makes of a code; unknown ones are faults."""
    return CODES[code][1] if code in CODES else Severity.FAULT


def describe(code: int, vendor_message: str = "") -> str:
    """The code in words, with what the SDK says about it."""
    words = CODES[code][0] if code in CODES else "unknown code"
    said = f"; the SDK says: {vendor_message}" if vendor_message and code != 0 else ""
    return f"{words} (code {code}{said})"
