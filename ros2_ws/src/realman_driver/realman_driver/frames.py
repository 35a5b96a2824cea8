"""The packets between the driver and the child process that holds the SDK (SOCK_SEQPACKET, one frame per packet)."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from vitra_safety.setpoint_stream import Beginning

MAX_FRAME_BYTES = 8192
_MAX_ERRORS = 8
_MAX_SENT = 4

_SETPOINT = struct.Struct("<cQdB7d")
_REQUEST = struct.Struct("<cIB")
_ACK = struct.Struct("<cIi")
_FEEDBACK = struct.Struct(f"<cqdQib7f7f7HB{_MAX_ERRORS}iB{_MAX_SENT}d")


class Operation(IntEnum):
    """Blocking SDK calls that the driver may ask for. There is deliberately no emergency stop: see the README."""

    STOP = 1
    SLOW_STOP = 2
    CLEAR_ERRORS = 3


class EventKind(IntEnum):
    """What the child reports besides feedback and acknowledgements."""

    CONNECTED = 1
    FAILED = 2
    """Could not connect or configure; the child ends."""
    LOST = 3
    """The connection broke; the child ends."""


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """How the child connects and what it sets on the controller.

    Attributes:
        arm_ip: Controller address; also the filter of the state push.
        tcp_port: Controller port.
        udp_ip: Address of this machine for the state push; empty takes the one that routes to the arm.
        udp_port: Port for the state push, one per arm on a machine.
        udp_cycle_ms: Period of the push, a multiple of 5.
        collision_stage: 0 (off) .. 8 (most sensitive).
        line_speed_m_s: The controller's own limit of the tool speed.
        avoid_singularity: The controller's singularity avoidance for Cartesian motion.
        follow: High follow of the pass-through.
        reply_timeout_ms: How long the SDK waits for an answer.
        arm_type: What the arm must say it is, e.g. `RM_75`.
        force_type: Its force sensor variant, `6F` or `B`; it decides the length of the last link.
    """

    arm_ip: str
    tcp_port: int = 8080
    udp_ip: str = ""
    udp_port: int = 8089
    udp_cycle_ms: int = 5
    collision_stage: int = 5
    line_speed_m_s: float = 0.25
    avoid_singularity: bool = False
    follow: bool = True
    reply_timeout_ms: int = 500
    arm_type: str = "RM_75"
    force_type: str = "6F"


@dataclass(frozen=True, slots=True)
class Feedback:
    """One state push of the arm.

    Attributes:
        stamp_ns: ROS (wall) time of reception [ns].
        time_s: Monotonic time of reception [s], the same clock in both processes.
        handled: Number of the last setpoint given to the SDK.
        return_code: What the SDK said to it.
        status: The vendor's motion state (0 idle, 9 stop, 10 slow stop, ...).
        position_deg: 7 joint positions [deg].
        current_ma: 7 drive currents [mA].
        joint_errors: 7 flag words.
        enabled: Bit n-1 tells whether joint n is enabled.
        system_errors: Error codes in force, without zeros.
        sent_s: When the setpoints since the last feedback were given to the SDK [s, monotonic], newest few.
    """

    stamp_ns: int
    time_s: float
    handled: int
    return_code: int
    status: int
    position_deg: tuple[float, ...]
    current_ma: tuple[float, ...]
    joint_errors: tuple[int, ...]
    enabled: int
    system_errors: tuple[int, ...]
    sent_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Ack:
    """An operation ended with the SDK's return value."""

    request: int
    return_code: int


@dataclass(frozen=True, slots=True)
class Event:
    """Connected (detail: the arm's identity) or the end of the connection (detail: why)."""

    kind: EventKind
    detail: str


@dataclass(frozen=True, slots=True)
class Setpoint:
    """Joint positions to stream.

    Attributes:
        number: Counts up by one.
        judged_s: When the guard passed it [s, monotonic, the same clock in both processes].
        begins: Whether a motion begins here, and where; otherwise it continues the setpoint before.
        position_rad: 7 joint positions.
    """

    number: int
    judged_s: float
    begins: Beginning
    position_rad: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """An operation to carry out."""

    request: int
    operation: Operation


def pack_setpoint(number: int, judged_s: float, begins: Beginning, position_rad: Sequence[float]) -> bytes:
    """A setpoint for the child; arguments as in `Setpoint`.

    Args:
        number: Counts up.
        judged_s: When it was judged, on the monotonic clock.
        begins: Whether a motion begins with it.
        position_rad: Joints (7,).
    """
    return _SETPOINT.pack(b"S", number, judged_s, begins, *position_rad)


def pack_request(request: int, operation: Operation) -> bytes:
    """An operation for the child."""
    return _REQUEST.pack(b"R", request, operation)


def pack_config(config: LinkConfig) -> bytes:
    """The first frame of a child's life."""
    return json.dumps(asdict(config)).encode()


def unpack_config(frame: bytes) -> LinkConfig:
    """Inverse of `pack_config`."""
    return LinkConfig(**json.loads(frame))


def unpack_order(frame: bytes) -> Setpoint | Request:
    """A frame that the child received."""
    if frame[:1] == b"S":
        _, number, judged_s, begins, *position_rad = _SETPOINT.unpack(frame)
        return Setpoint(number, judged_s, Beginning(begins), tuple(position_rad))
    _, request, operation = _REQUEST.unpack(frame)
    return Request(request, Operation(operation))


def pack_ack(request: int, return_code: int) -> bytes:
    """An operation's end, for the driver."""
    return _ACK.pack(b"A", request, return_code)


def pack_event(kind: EventKind, detail: str) -> bytes:
    """An event for the driver."""
    return b"E" + json.dumps([int(kind), detail[: MAX_FRAME_BYTES // 4]]).encode()


def pack_feedback(feedback: Feedback) -> bytes:
    """A state push for the driver; of errors and sent times only as many as fit."""
    f = feedback
    errors = (list(f.system_errors) + [0] * _MAX_ERRORS)[:_MAX_ERRORS]
    sent = list(f.sent_s)[-_MAX_SENT:]
    head = (b"F", f.stamp_ns, f.time_s, f.handled, f.return_code, f.status)
    tail = (*f.joint_errors, f.enabled, *errors, len(sent), *sent, *(0.0 for _ in range(_MAX_SENT - len(sent))))
    return _FEEDBACK.pack(*head, *f.position_deg, *f.current_ma, *tail)


def unpack_report(frame: bytes) -> Feedback | Ack | Event:
    """A frame that the driver received."""
    kind = frame[:1]
    if kind == b"F":
        f: tuple[Any, ...] = _FEEDBACK.unpack(frame)
        errors = tuple(code for code in f[28 : 28 + _MAX_ERRORS] if code)
        first = 28 + _MAX_ERRORS
        sent = f[first + 1 : first + 1 + f[first]]
        return Feedback(f[1], f[2], f[3], f[4], f[5], f[6:13], f[13:20], f[20:27], f[27], errors, sent)
    if kind == b"A":
        return Ack(*_ACK.unpack(frame)[1:])
    number, detail = json.loads(frame[1:])
    return Event(EventKind(number), detail)
