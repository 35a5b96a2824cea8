"""Writes a bag from messages of another one: whole or not at all, and never over something else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vitra_policy.bag_storage import add_checksums, write_about
from vitra_training.bags.errors import BagExistsError

METADATA_NAME = "metadata.yaml"
UNKNOWN_HASH = "RIHS01_" + 64 * "0"


@dataclass(frozen=True, slots=True)
class Stream:
    """A topic with its type."""

    topic: str
    type: str
    definition: str
    """Text of the message definition."""
    qos: tuple[Any, ...] = ()


def write_bag(
    target: Path, streams: Mapping[int, Stream], messages: Iterable[tuple[int, int, bytes]], about: Mapping[str, str]
) -> int:
    """Write `(stream, time ns, data)` into a new bag; returns how many.

    Raises:
        BagExistsError: the place is taken.
    """
    if target.exists():
        raise BagExistsError(target)
    partial = unused(target.with_name(target.name + ".writing.partial"))
    writer = Writer(partial / target.name, version=9, storage_plugin=StoragePlugin.MCAP)
    for key, value in about.items():
        writer.set_custom_data(key, value)
    count = 0
    with writer:
        add_checksums(writer.storage)
        write_about(writer.storage, about)
        connections = {}
        for stream, time_ns, data in messages:
            if stream not in connections:
                one = streams[stream]
                connections[stream] = writer.add_connection(
                    one.topic, one.type, msgdef=one.definition, rihs01=type_hash(one), offered_qos_profiles=one.qos
                )
            writer.write(connections[stream], time_ns, data)
            count += 1
    (partial / target.name).rename(target)
    partial.rmdir()
    return count


def type_hash(stream: Stream) -> str:
    """RIHS01 hash of a stream's type; zeros when its definition cannot be read any more."""
    store = get_typestore(Stores.ROS2_JAZZY)
    try:
        types = get_types_from_msg(stream.definition, stream.type)
        store.register({name: fields for name, fields in types.items() if name not in store.fielddefs})
        return str(store.hash_rihs01(stream.type))
    except Exception:  # a damaged definition; the data are kept all the same
        return UNKNOWN_HASH


def unused(path: Path) -> Path:
    """The path, or with the first number that makes it new."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}_{number}")
    return candidate


def custom_data(bag: Path) -> dict[str, str]:
    """Texts about the recording in a complete bag's metadata; empty when there is none to read."""
    try:
        metadata = yaml.safe_load((bag / METADATA_NAME).read_text(encoding="utf-8"))
        return {str(k): str(v) for k, v in (metadata["rosbag2_bagfile_information"]["custom_data"] or {}).items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return {}


def move_to_originals(bag: Path) -> Path:
    """Put a bag that was replaced aside, into `originals/`."""
    place = unused(bag.parent / "originals" / bag.name)
    place.parent.mkdir(exist_ok=True)
    return bag.rename(place)
