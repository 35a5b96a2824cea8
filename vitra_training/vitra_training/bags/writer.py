"""Writes a bag from messages of another one: whole or not at all, and never over something else."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vitra_policy.bag_metadata import METADATA_NAME, settle_texts
from vitra_policy.bag_storage import prepare_storage, write_about
from vitra_training.bags.errors import BagExistsError, BagWriteError, InsideBagError
from vitra_training.bags.find import ORIGINALS, is_cut_off

UNKNOWN_HASH = "RIHS01_" + 64 * "0"
WRITING = ".writing.partial"
"""Ending of a folder in which a bag is being written."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A topic with its type."""

    topic: str
    type: str
    definition: str
    """Text of the message definition."""
    qos: tuple[Any, ...] = ()


def stream_of(connection: Any) -> Stream:
    """The stream of a reader's connection."""
    qos = tuple(connection.ext.offered_qos_profiles)
    return Stream(connection.topic, connection.msgtype, connection.msgdef.data, qos)


def write_bag(
    target: Path, streams: Mapping[int, Stream], messages: Iterable[tuple[int, int, bytes]], about: Mapping[str, str]
) -> int:
    """Write `(stream, time ns, data)` into a new bag; returns how many. Nothing is left of one that fails.

    Args:
        target: The new folder.
        streams: Topic, type and QoS of each number.
        messages: In order of arrival.
        about: Texts kept in the metadata.

    Raises:
        BagExistsError: the place is taken.
        InsideBagError: it is in another bag.
        BagWriteError: the disk refuses it.
    """
    if target.exists():
        raise BagExistsError(target)
    refuse_inside_bag(target)
    partial = unused(target.with_name(target.name + WRITING))
    try:
        count = _write(partial / target.name, streams, messages, about)
        (partial / target.name).rename(target)
    except OSError as cause:
        raise BagWriteError(target, cause) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return count


def refuse_inside_bag(target: Path) -> None:
    """What is written into a bag would be taken for a part of it, or for another demonstration.

    Raises:
        InsideBagError: the target is a bag, or in one.
    """
    place = target.resolve()
    for folder in (place, *place.parents):
        if (folder / METADATA_NAME).is_file() or is_cut_off(folder):
            raise InsideBagError(target, folder)


def _write(
    path: Path, streams: Mapping[int, Stream], messages: Iterable[tuple[int, int, bytes]], about: Mapping[str, str]
) -> int:
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    for key, value in about.items():
        writer.set_custom_data(key, value)
    count = 0
    writer.open()
    try:
        prepare_storage(writer.storage)
        write_about(writer.storage, about)
        connections: dict[tuple[str, str], Any] = {}
        for number, time_ns, data in messages:
            stream = streams[number]
            name = stream.topic, stream.type  # two numbers of one topic become one
            if name not in connections:
                connections[name] = writer.add_connection(
                    *name, msgdef=stream.definition, rihs01=type_hash(stream), offered_qos_profiles=stream.qos
                )
            writer.write(connections[name], time_ns, data)
            count += 1
    except BaseException:
        with contextlib.suppress(OSError):  # closing the writer would write more, perhaps onto a full disk
            writer.storage.bio.close()  # type: ignore[union-attr]
        raise
    writer.close()
    settle_texts(path, about)
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


def move_to_originals(bag: Path) -> Path:
    """Put a bag that was replaced aside, into `originals/`."""
    place = unused(bag.parent / ORIGINALS / bag.name)
    place.parent.mkdir(exist_ok=True)
    return bag.rename(place)
