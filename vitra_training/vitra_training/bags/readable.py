"""Of what was recovered from a damaged bag, the part that every reader takes; what is left out is named."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from typing import Any

from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from vitra_policy.cdr import deserialize
from vitra_training.bags.mcap_recovery import Channel, Damage, DamageKind, Message, Recovery, Schema
from vitra_training.bags.writer import Stream

_TOPIC = re.compile(r"/[A-Za-z0-9_/~]{1,250}")
_TYPE = re.compile(r"[A-Za-z]\w*/msg/[A-Za-z]\w*")
_LONGEST_NS = 24 * 3600 * 10**9
"""Messages further than this from the middle one have a damaged time."""


def readable(found: Recovery) -> tuple[dict[int, Stream], list[Message], list[Damage]]:
    """Streams whose type is known, their messages that fit it in order of time, and what had to be left out."""
    damages: list[Damage] = []
    streams, store = {}, get_typestore(Stores.ROS2_JAZZY)
    for number, channel in found.channels.items():
        try:
            streams[number] = _stream(channel, found.schemas.get(channel.schema), store)
        except Exception as cause:  # parsers raise nearly anything on damaged text
            damages.append(Damage(DamageKind.BROKEN_TEXT, 0, f"{channel.topic!r:.80} cannot be read: {cause!s:.100}"))
    times = [message.log_time_ns for message in found.messages]
    middle_ns = statistics.median_low(times) if times else 0
    refused: Counter[tuple[DamageKind, str]] = Counter()
    messages = []
    for message in found.messages:
        stream = streams.get(message.channel)
        if stream is None:
            continue
        if abs(message.log_time_ns - middle_ns) > _LONGEST_NS:
            refused[DamageKind.IMPOSSIBLE_TIME, stream.topic] += 1
        elif not _fits(message, stream, store):
            refused[DamageKind.BROKEN_MESSAGE, stream.topic] += 1
        else:
            messages.append(message)
    damages += [Damage(kind, 0, f"{count} of {topic} are left out") for (kind, topic), count in refused.items()]
    return streams, messages, damages


def clean_texts(about: dict[str, str]) -> dict[str, str]:
    """Texts without characters that no metadata file may hold."""
    return {_clean(key): _clean(value) for key, value in about.items() if _clean(key)}


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def _fits(message: Message, stream: Stream, store: Any) -> bool:
    try:
        deserialize(store, message.data, stream.type)
    except SerdeError:
        return False
    return True


def _stream(channel: Channel, schema: Schema | None, store: Any) -> Stream:
    """A stream with a definition that makes sense; types that the store lacks are added to it."""
    if schema is None:
        raise ValueError("its type is lost")
    if not _TOPIC.fullmatch(channel.topic) or not _TYPE.fullmatch(schema.name) or channel.encoding != "cdr":
        raise ValueError(f"no topic of a type: {schema.name!r:.60}, {channel.encoding!r:.20}")
    if schema.name not in store.fielddefs:  # the text of a known one may be damaged
        idl = schema.encoding == "ros2idl"
        types = get_types_from_idl(schema.text) if idl else get_types_from_msg(schema.text, schema.name)
        store.register({name: fields for name, fields in types.items() if name not in store.fielddefs})
    store.get_msgdef(schema.name)
    text, _ = store.generate_msgdef(schema.name, ros_version=2)
    return Stream(channel.topic, schema.name, text, _qos(channel))


def _qos(channel: Channel) -> tuple[object, ...]:
    from rosbags.rosbag2.storage_mcap import get_qos

    try:
        return tuple(get_qos(channel.metadata))
    except Exception:  # the text may be damaged; the offered QoS is a courtesy
        return ()
