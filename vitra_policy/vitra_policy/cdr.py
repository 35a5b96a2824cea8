"""Messages of bags in CDR, as rclpy writes them: with bytes behind their end where an array of doubles is empty."""

from __future__ import annotations

import struct
from typing import Any

_ENCAPSULATION_BYTES = 4
_MOST_BEHIND = 64
"""Bytes behind a message's end. The middleware reserves room for the alignment of arrays that turn out to be empty."""


def deserialize(typestore: Any, raw: bytes | memoryview, kind: str) -> Any:
    """The message of a type in a `rosbags` type store, whose own method refuses more than three bytes behind the end.

    Args:
        typestore: The `rosbags` type store.
        raw: The message, CDR.
        kind: Its type, `package/msg/Name`.

    Raises:
        SerdeError: the bytes are no message of this type.
    """
    from rosbags.serde import SerdeError

    if len(raw) < _ENCAPSULATION_BYTES or bytes(raw[:2]) not in (b"\0\0", b"\0\1"):
        raise SerdeError("Invalid or unsupported CDR encapsulation.")
    definition = typestore.get_msgdef(kind)
    read = definition.deserialize_cdr_le if raw[1] & 1 else definition.deserialize_cdr_be
    try:
        message, end = read(raw[_ENCAPSULATION_BYTES:], 0, definition.cls, typestore)
    except (struct.error, UnicodeDecodeError, ValueError, IndexError) as error:
        raise SerdeError(f"Could not deserialize {kind!r}: {error}") from error
    if end + _ENCAPSULATION_BYTES + _MOST_BEHIND < len(raw):
        raise SerdeError(f"CDR message size mismatch for {kind!r}.")
    return message
