"""Return values, system errors and joint error flags of the vendor in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

RETURN_CODES = {
    0: "ok",
    1: "the controller refused",
    -1: "the data could not be sent",
    -2: "no answer in time",
    -3: "the answer could not be parsed",
    -4: "not supported by this controller",
    -5: "timed out",
}

SYSTEM_ERRORS = {
    0x1001: "joint communication lost",
    0x1002: "target beyond a joint limit",
    0x1003: "target unreachable or singular",
    0x1004: "real-time kernel communication lost",
    0x1005: "joint bus communication lost",
    0x1006: "planning kernel error",
    0x1007: "joint overspeed",
    0x1008: "end interface not connected",
    0x1009: "overspeed limit",
    0x100A: "acceleration limit exceeded",
    0x100B: "joint brake not released",
    0x100C: "overspeed while dragged",
    0x100D: "collision detected",
    0x1010: "joint disabled",
    0x1012: "self-collision",
    0x1013: "electronic fence",
    0x1014: "soft limit",
    0x5003: "controller too hot",
    0x5005: "controller over-current",
    0x5007: "controller over-voltage",
    0x5008: "controller under-voltage",
}

JOINT_FLAGS = {
    0x0001: "motor control",
    0x0002: "over-voltage",
    0x0004: "under-voltage",
    0x0008: "too hot",
    0x0010: "start failed",
    0x0020: "encoder",
    0x0040: "over-current",
    0x0080: "software",
    0x0200: "position limit",
    0x0800: "tracking",
    0x2000: "brake",
    0x4000: "step too large",
    0x8000: "multi-turn counter",
}
_FRAME_LOSS = 0xF000


def describe_return(call: str, code: int) -> str:
    """What an SDK call's return value means, e.g. `rm_set_arm_stop returned -2 (no answer in time)`."""
    return f"{call} returned {code} ({RETURN_CODES.get(code, 'unknown')})"


def describe_errors(system: Iterable[int], joints: Sequence[int]) -> str:
    """System errors and joint flags in words; empty when healthy."""
    words = [f"{SYSTEM_ERRORS.get(code, 'unknown error')} (0x{code:04X})" for code in system if code]
    for joint, flags in enumerate(joints, 1):
        if flags == _FRAME_LOSS:
            words.append(f"joint {joint}: frames lost (0xF000)")
        elif flags:
            named = [name for bit, name in JOINT_FLAGS.items() if flags & bit] or ["unknown error"]
            words.append(f"joint {joint}: {', '.join(named)} (0x{flags:04X})")
    return "; ".join(words)
