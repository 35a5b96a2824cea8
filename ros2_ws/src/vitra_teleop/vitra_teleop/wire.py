"""The open format in which any tracker sends hands, one JSON object per UDP datagram or websocket message.

{"version": 1, "sequence": 17, "stamp_s": 1234.567,
 "hands": {"right": {"valid": true, "engage": true, "landmarks_m": [[x, y, z] * 21]}},
 "actions": ["save"]}

stamp_s      when the hand was seen, on the sender's clock (any origin, seconds)
sequence     counts up by one; older or repeated ones are dropped
hands        absent side = not tracked; per hand one of
               landmarks_m                21 points in the tracker's frame, metres, MediaPipe/OpenXR order wrist,
                                          thumb 4, index 4, middle 4, ring 4, little 4 (tip last)
               wrist + joints_rad         pose of the MANO wrist frame and 12 XHand joints in vendor order
               wrist + ergonomics_deg     pose and 20 glove angles: per finger thumb to little (spread, MCP bend,
                                          PIP bend, DIP bend), degrees, bending positive
               wrist                      pose alone: the fingers stay
             wrist = {"position_m": [x, y, z], "quaternion_xyzw": [x, y, z, w]}; with landmarks it is not needed
engage       the operator wants the robot to follow; it must go false and true again after tracking was lost
actions      any of start, save, discard, rerecord, stop; they count whatever the sequence number, and also when the
             hands of their message are refused
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from vitra_policy.action_space import SIDES, Side
from vitra_policy.transforms import make_pose, matrix_from_quaternion
from vitra_teleop.ergonomics import joints_from_ergonomics
from vitra_teleop.hands import Action, Array, HandFrame, TeleopError, TrackedHand
from vitra_teleop.landmarks import in_wrist_frame

VERSION = 1
MAX_BYTES = 65_507  # of a datagram
DEFAULT_PORT = 8765
MAX_DISTANCE_M = 10.0
"""A tracker that sees a hand farther from its origin is confused."""
_LARGEST = 2.0**53
_NOT_TRACKED = TrackedHand(False, False, np.eye(4))


class WireFormatError(TeleopError):
    """A message that is not of the format; the message names the field."""


def encode(
    sequence: int, stamp_s: float, hands: Mapping[str, Mapping[str, Any]], actions: tuple[str, ...] = ()
) -> bytes:
    """A message of plain values (lists or arrays).

    Args:
        sequence: Counts up.
        stamp_s: When the hands were seen.
        hands: Fields of each hand, by side.
        actions: Events such as `record_start`.
    """
    message = {"version": VERSION, "sequence": sequence, "stamp_s": stamp_s, "hands": hands, "actions": list(actions)}
    return json.dumps(message, default=_plain, separators=(",", ":")).encode()


def parse(data: bytes | str) -> dict[str, Any]:
    """The message as JSON has it.

    Raises:
        WireFormatError: no JSON object, or of another version.
    """
    if len(data) > MAX_BYTES:
        raise WireFormatError(f"A message has at most {MAX_BYTES} bytes, this one {len(data)}.")
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireFormatError(f"Not JSON: {error}.") from None
    if not isinstance(message, dict) or message.get("version") != VERSION:
        found = message.get("version") if isinstance(message, dict) else type(message).__name__
        raise WireFormatError(f"version must be {VERSION}, found {str(found)[:40]}.")
    return message


def actions_of(message: Mapping[str, Any]) -> tuple[Action, ...]:
    """What the message asks for, known words only: whatever else is wrong with it, a STOP in it counts."""
    actions = message.get("actions", [])
    if not isinstance(actions, list):
        return ()
    return tuple(Action(a) for a in actions if isinstance(a, str) and a in tuple(Action))


def decode(data: bytes | str) -> HandFrame:
    """The frame of a message, stamped on the sender's clock.

    Raises:
        WireFormatError: anything that is not as described above.
    """
    return frame_of(parse(data))


def frame_of(message: Mapping[str, Any]) -> HandFrame:
    """The frame of a parsed message.

    Raises:
        WireFormatError: anything that is not as described above.
    """
    hands = message.get("hands")
    if not isinstance(hands, dict) or not set(hands) <= set(SIDES):
        raise WireFormatError(f"hands must be an object with left and/or right, found {hands!r:.80}.")
    actions = message.get("actions", [])
    if not isinstance(actions, list) or not set(map(str, actions)) <= {a.value for a in Action}:
        raise WireFormatError(f"actions must be some of {', '.join(Action)}, found {actions!r:.80}.")
    return HandFrame(
        _number(message, "stamp_s"), int(_number(message, "sequence")),
        {side: _hand(side, hand) for side, hand in hands.items()}, tuple(Action(a) for a in actions),
    )  # fmt: skip


def _hand(side: Side, hand: Any) -> TrackedHand:
    if not isinstance(hand, dict):
        raise WireFormatError(f"hands.{side} must be an object, found {type(hand).__name__}.")
    if not _flag(hand, "valid", side):
        return _NOT_TRACKED
    engage = _flag(hand, "engage", side)
    if "landmarks_m" in hand:
        points = _near(_array(hand, "landmarks_m", (21, 3), side), side)
        try:
            pose, local = in_wrist_frame(points, side)
        except TeleopError as error:
            raise WireFormatError(f"hands.{side}: {error}") from None
        return TrackedHand(True, engage, pose, landmarks_m=local)
    pose = _pose(hand, side)
    if "joints_rad" in hand:
        return TrackedHand(True, engage, pose, joints_rad=_array(hand, "joints_rad", (12,), side))
    if "ergonomics_deg" in hand:
        angles = _array(hand, "ergonomics_deg", (20,), side)
        return TrackedHand(True, engage, pose, joints_rad=joints_from_ergonomics(angles))
    return TrackedHand(True, engage, pose)


def _flag(hand: Mapping[str, Any], key: str, side: Side) -> bool:
    """True or false and nothing else: a text like "no" would count as true."""
    value = hand.get(key, False)
    if not isinstance(value, bool):
        raise WireFormatError(f"hands.{side}: {key} must be true or false, found {value!r:.40}.")
    return value


def _pose(hand: Mapping[str, Any], side: Side) -> Array:
    wrist = hand.get("wrist")
    if not isinstance(wrist, dict):
        raise WireFormatError(f"hands.{side} needs landmarks_m or wrist; it has {', '.join(hand) or 'nothing'}.")
    quaternion = _array(wrist, "quaternion_xyzw", (4,), side)
    if not abs(np.linalg.norm(quaternion) - 1) <= 0.05:
        raise WireFormatError(f"hands.{side}.wrist.quaternion_xyzw must have length 1, found {quaternion.tolist()}.")
    return make_pose(_near(_array(wrist, "position_m", (3,), side), side), matrix_from_quaternion(quaternion))


def _near(points_m: Array, side: Side) -> Array:
    if np.abs(points_m).max() > MAX_DISTANCE_M:
        raise WireFormatError(
            f"hands.{side} is {np.abs(points_m).max():.3g} m from the tracker's origin, allowed {MAX_DISTANCE_M:g} m; "
            "are these millimetres?"
        )
    return points_m


def _array(values: Mapping[str, Any], key: str, shape: tuple[int, ...], side: Side) -> Array:
    try:
        array = np.asarray(values[key], dtype=np.float64)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise WireFormatError(f"hands.{side}: {key} must be numbers of shape {shape}.") from None
    if array.shape != shape or not np.isfinite(array).all():
        raise WireFormatError(f"hands.{side}: {key} must be finite numbers of shape {shape}, found {array.shape}.")
    return array


def _number(message: Mapping[str, Any], key: str) -> float:
    value = message.get(key)
    # Compared before anything converts it: JSON has integers of any length, floats have not.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST <= value <= _LARGEST:
        raise WireFormatError(f"{key} must be a number between -2^53 and 2^53.")
    return float(value)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return np.round(value, 6).tolist()
    raise TypeError(f"{type(value).__name__} cannot be sent")
