"""Cuts a bag to a span of time, explicitly: into a new bag that says what was cut."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from vitra_policy.bag_storage import open_bag
from vitra_policy.camera_messages.video import VIDEO_TYPE, base_topic, is_key_frame
from vitra_policy.command_options import OptionValueError
from vitra_training.bags.errors import ContradictoryBagError, EmptyTrimError
from vitra_training.bags.own_account import own_account
from vitra_training.bags.streams import CAMERA, LATCHED, read_streams
from vitra_training.bags.writer import stream_of, write_bag
from vitra_training.datasets.names import text_of

_NS = 1_000_000_000
_ROUNDING_S = 0.005
"""Lengths are printed with two decimals, so that much beyond the end is the end."""


def trim_bag(path: Path, target: Path, begin_s: float, end_s: float) -> int:
    """Keep what arrived from `begin_s` to `end_s`, seconds from the beginning; returns the number of messages.

    A cut within a video is moved back to its key frame, at most half a second.

    Args:
        path: The bag.
        target: The new one.
        begin_s: First moment kept.
        end_s: Last moment kept.

    Raises:
        EmptyTrimError: no image would be left.
        BagExistsError: the target is there.
        BrokenFileError: the bag cannot be read.
        ContradictoryBagError: its metadata and its files say different things.
    """
    account = own_account(path)
    if account.contradictions:  # the new bag would say one thing only, perhaps that a discarded one is saved
        raise ContradictoryBagError(path, account.contradictions)
    bag = read_streams(path)
    first_ns, last_ns = (bag.begin_ns + round(at_s * _NS) for at_s in (begin_s, end_s))
    frames = bag.streams[CAMERA].arrivals_ns.read() if CAMERA in bag.streams else np.zeros(0)
    if end_s <= begin_s or not ((first_ns <= frames) & (frames <= last_ns)).any():
        raise EmptyTrimError(path, begin_s, end_s, bag.end_s - bag.begin_s)
    first_ns = _key_frame_before(path, first_ns)
    begin_s = (first_ns - bag.begin_ns) / _NS
    words = f"{datetime.now(UTC).isoformat()}: kept {begin_s:.3f} s to {end_s:.3f} s of {text_of(path.name)}"
    about = {**account.texts, "trimmed": words}
    with open_bag(path) as reader:
        streams = {c.id: stream_of(c) for c in reader.connections}
        return write_bag(target, streams, _kept(reader, first_ns, last_ns), about)


def check_span(path: Path, begin_s: float, end_s: float, duration_s: float) -> None:
    """Refuse a span that is not within a bag, rather than cut another one than was asked for.

    Args:
        path: The bag.
        begin_s: First moment kept, from the beginning of the bag.
        end_s: Last moment kept.
        duration_s: Length of the bag.

    Raises:
        OptionValueError: names the moment that is wrong and the bounds.
    """
    if not 0 <= begin_s < duration_s:
        allowed = f"at least 0 and less than {duration_s:.2f}, the length of {path} in seconds"
        raise OptionValueError("begin_s", begin_s, allowed)
    if not begin_s < end_s <= duration_s + _ROUNDING_S:
        allowed = f"greater than --begin-s {begin_s:g} and at most {duration_s:.2f}, the length of {path} in seconds"
        raise OptionValueError("end_s", end_s, allowed)


def _key_frame_before(path: Path, first_ns: int) -> int:
    """Arrival of the last key frame not after a time; that time if the images are no video."""
    found_ns = first_ns
    with open_bag(path) as reader:
        videos = [c for c in reader.connections if c.msgtype == VIDEO_TYPE and base_topic(c.topic) == CAMERA]
        for connection, time_ns, raw in reader.messages(connections=videos) if videos else ():
            if time_ns > first_ns:
                break
            message: Any = reader.deserialize(raw, connection.msgtype)
            if is_key_frame(message.data):
                found_ns = time_ns
    return found_ns


def _kept(reader: Any, first_ns: int, last_ns: int) -> Iterator[tuple[int, int, bytes]]:
    """Messages of the span, the last latched ones before it put at its beginning."""
    latched: dict[tuple[int, bytes], bytes] = {}
    opened = False
    for connection, time_ns, raw in reader.messages():
        if time_ns > last_ns:
            return
        if time_ns >= first_ns:
            if not opened:
                opened = True
                yield from ((number, first_ns, data) for (number, _), data in latched.items())
            yield connection.id, time_ns, raw
        elif connection.topic.endswith(LATCHED):
            several = connection.topic.endswith("tf_static")  # each publisher of frames has latched its own
            latched[connection.id, _content(reader, connection, raw) if several else b""] = bytes(raw)


def _content(reader: Any, connection: Any, raw: bytes) -> bytes:
    """A message written anew: bytes that only fill gaps between its fields are random."""
    kind = connection.msgtype
    return bytes(reader.typestore.serialize_cdr(reader.deserialize(raw, kind), kind))
