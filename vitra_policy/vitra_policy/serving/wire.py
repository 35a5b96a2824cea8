"""Messages between policy client and server: msgpack maps with numpy arrays inside, nothing executable.

The bytes are those of openpi's client protocol: an array is a map with the byte keys ``__ndarray__`` (true), ``data``
(C order), ``dtype`` (numpy type string) and ``shape``; a numpy scalar has ``__npgeneric__``, ``data`` and ``dtype``.
A connection starts with one metadata map from the server; then every request map is answered by one map, or by a text
frame that says what went wrong.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np

from vitra_policy.errors import VitraError
from vitra_policy.policies.bounds import check_asked, check_camera
from vitra_policy.policies.policy import ActionChunk, CommittedPrefix, Observation, PolicyMetadata
from vitra_policy.serving.elements import ELEMENTS_MAX, Elements, encode
from vitra_policy.serving.elements import MAX_MESSAGE_BYTES as MAX_MESSAGE_BYTES
from vitra_policy.serving.elements import WireError as WireError

PROTOCOL = "vitra-policy"
PROTOCOL_VERSION = 1
DEFAULT_PORT = 8000
_CONTROL = "__ctrl__"
_ACKNOWLEDGE = "__ack__"
_EXTRA = "extras/"


class HandshakeError(VitraError):
    """The other side speaks another protocol, or another version of it."""


def pack(message: Mapping[str, Any]) -> bytes:
    """Bytes of a map of plain values, numpy arrays and scalars.

    Raises:
        WireError: a value that cannot travel (object, void and complex arrays; arbitrary objects), or too large.
    """
    try:
        packed: bytes = msgpack.packb(dict(message), default=encode)
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError(f"Cannot send this message: {error}") from error
    check_length(packed)
    return packed


def unpack(data: bytes | bytearray | memoryview) -> dict[str, Any]:
    """The map in the bytes; arrays are read-only views of them.

    Raises:
        WireError: not a msgpack map, too large, or an array whose type, shape and data do not belong together.
    """
    check_length(data)
    try:
        count = Elements()
        message = msgpack.unpackb(
            data,
            object_hook=count.of_map,
            list_hook=count.of_list,
            strict_map_key=True,
            max_array_len=ELEMENTS_MAX,
            max_map_len=ELEMENTS_MAX,
        )
    except WireError:
        raise
    except Exception as error:  # msgpack raises a dozen unrelated types for bad bytes
        raise WireError(f"Not a msgpack message: {type(error).__name__}: {error}") from error
    if not isinstance(message, dict):
        raise WireError(f"A message must be a map, got {type(message).__name__}.")
    return message


def metadata_message(metadata: PolicyMetadata) -> dict[str, Any]:
    """The first frame of a connection."""
    return {"protocol": PROTOCOL, "protocol_version": PROTOCOL_VERSION, **dataclasses.asdict(metadata)}


def metadata_from_message(message: Mapping[str, Any]) -> PolicyMetadata:
    """Metadata of a server.

    Raises:
        HandshakeError: not a server of ours, or of another protocol version.
    """
    if message.get("protocol") != PROTOCOL:
        raise HandshakeError(
            f"The server does not introduce itself as a {PROTOCOL} server (it sent {sorted(map(str, message))}). "
            "Serve the policy with 'vitra-policy serve', or name the foreign server's terms: mapping=openpi-generic, "
            "another one of docs/neighbours.md, or a file of your own."
        )
    if message.get("protocol_version") != PROTOCOL_VERSION:
        raise HandshakeError(
            f"The server speaks protocol version {message.get('protocol_version')}, this side {PROTOCOL_VERSION}. "
            "Install the same release on both machines."
        )
    values = {f.name: message[f.name] for f in dataclasses.fields(PolicyMetadata) if f.name in message}
    try:
        return PolicyMetadata(**{**values, "needs_extras": tuple(values.get("needs_extras", ()))})
    except TypeError as error:
        raise HandshakeError(f"The server's metadata is incomplete: {error}.") from error


def observation_message(observation: Observation) -> dict[str, Any]:
    """Request of an observation; keys follow openpi's habit (flat, ``prompt`` for the instruction)."""
    message: dict[str, Any] = {
        "stamp_s": observation.stamp_s,
        "prompt": observation.instruction,
        "intrinsics": observation.intrinsics,
        "fov_rad": observation.fov_rad,
        "state": observation.state,
        "state_valid": observation.state_valid,
        "hands": observation.hands,
    }
    if observation.image is not None:
        message["image"] = observation.image
    if observation.committed is not None:
        message["committed/actions"] = observation.committed.actions
        message["committed/valid"] = observation.committed.valid
    return message | {_EXTRA + name: value for name, value in observation.extras.items()}


def is_observation(message: Mapping[str, Any]) -> bool:
    """Whether a request is made in our own terms, complete or not."""
    return any(key in message for key in ("state_valid", "hands", "stamp_s"))


def observation_from_message(message: Mapping[str, Any]) -> Observation:
    """Observation of a request.

    Raises:
        WireError: a key is missing.
        InvalidObservationError: an array of the wrong shape or type, or a value that cannot be.
    """
    try:
        committed = None
        if "committed/actions" in message:
            committed = CommittedPrefix(message["committed/actions"], message["committed/valid"])
        image = message.get("image")
        if image is not None and not isinstance(image, np.ndarray):
            raise WireError(f"'image' must be an array, got {type(image).__name__}.")
        seen = Observation(
            stamp_s=message["stamp_s"],
            instruction=message["prompt"],
            image=image,
            intrinsics=message["intrinsics"],
            fov_rad=message["fov_rad"],
            state=message["state"],
            state_valid=message["state_valid"],
            hands=message["hands"],
            committed=committed,
            extras={key[len(_EXTRA) :]: value for key, value in message.items() if key.startswith(_EXTRA)},
        )
        check_asked(seen.instruction, seen.hands)
        check_camera(seen.image, seen.intrinsics, seen.fov_rad)
        return seen
    except KeyError as error:
        raise WireError(f"The request lacks {error}; it has {sorted(map(str, message))}.") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError(f"The request is malformed: {error}.") from error


def chunk_message(chunk: ActionChunk) -> dict[str, Any]:
    """Answer to an observation; ``actions`` is where openpi's clients look for it."""
    return {
        "actions": chunk.actions,
        "valid": chunk.valid,
        "step_s": chunk.step_s,
        "policy_id": chunk.policy_id,
        "timing": {stage: float(seconds) for stage, seconds in chunk.timing.items()},
        "done": chunk.done,
        "committed_steps": chunk.committed_steps,
    }


def chunk_from_message(message: Mapping[str, Any]) -> ActionChunk:
    """Chunk of an answer.

    Raises:
        WireError: a key is missing or malformed.
        InvalidChunkError: actions that must not reach the robot.
    """
    try:
        return ActionChunk(
            actions=message["actions"],
            valid=message["valid"],
            step_s=float(message["step_s"]),
            policy_id=str(message["policy_id"]),
            timing=_timing(message.get("timing", {})),
            done=_flag(message.get("done", False)),
            committed_steps=int(message.get("committed_steps", 0)),
        )
    except KeyError as error:
        raise WireError(f"The answer lacks {error}; it has {sorted(map(str, message))}.") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise WireError(f"The answer is malformed: {error}.") from error


def served_s(message: Mapping[str, Any]) -> float:
    """Seconds that a server says it took for an answer; 0 where it says nothing.

    Raises:
        WireError: something else than milliseconds.
    """
    timing = message.get("server_timing")
    said = timing.get("infer_ms", 0.0) if isinstance(timing, Mapping) else 0.0
    try:
        spent_s = float(said) * 1e-3
    except (TypeError, ValueError, OverflowError):
        spent_s = math.nan
    if not 0 <= spent_s < math.inf:
        raise WireError(f"server_timing/infer_ms must be milliseconds, got {reprlib.repr(said)}.")
    return spent_s


def control_message(command: str) -> dict[str, str]:
    """A request that is no observation: ``reset``."""
    return {_CONTROL: command}


def control_of(message: Mapping[str, Any]) -> str | None:
    """The command of a control message, None for an observation."""
    return str(message[_CONTROL]) if _CONTROL in message else None


def acknowledgement(command: str) -> dict[str, str]:
    """The answer to a control message."""
    return {_ACKNOWLEDGE: command}


def check_length(data: bytes | bytearray | memoryview) -> None:
    """Refuse a message that is too large before it is read.

    Args:
        data: as it travels.

    Raises:
        WireError: more than `MAX_MESSAGE_BYTES`.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise WireError(
            f"Message of {len(data)} bytes; at most {MAX_MESSAGE_BYTES} are accepted, which an RGB image of 3840x2160 "
            "px (4K) fits into. Send a smaller image; networks see 448 px or fewer."
        )


def _flag(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"done must be true or false, got {value!r:.40}")
    return bool(value)


def _timing(stages: Any) -> dict[str, float]:
    spent = {str(stage): float(seconds) for stage, seconds in stages.items()}
    if not all(math.isfinite(seconds) for seconds in spent.values()):
        raise ValueError("timing must be finite seconds by stage")
    return spent
