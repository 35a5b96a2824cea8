"""One bag on disk: written as `<name>.partial/`, renamed to `<name>/` when it is complete."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml
from rosbags.interfaces import Connection, Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys.store import Typestore

from vitra_policy.bag_metadata import METADATA_NAME, settle_texts, write_metadata
from vitra_policy.bag_storage import prepare_storage, write_about
from vitra_policy.errors import VitraError
from vitra_recorder.topics import Delivery
from vitra_runtime.threads import WatchedThread

PARTIAL = ".partial"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_UNSPECIFIED = QosTime(0, 0)


class BagError(VitraError):
    """A bag that cannot be created, written or finished."""


class BagWriter:
    """A rosbag2 (MCAP, version 9) that appears under its name only when it is complete. Used from one thread.

    Args:
        folder: where bags go; made if absent.
        name: name of the bag.
        typestore: definitions of every type that will be written.
        custom_data: text about the run, kept in the bag's metadata.

    Raises:
        BagError: the name is taken or no name, or the folder cannot be written.
    """

    def __init__(self, folder: Path, name: str, typestore: Typestore, custom_data: Mapping[str, str]) -> None:
        if not _NAME.fullmatch(name) or name.endswith(PARTIAL):
            raise BagError(f"'{name}' is no name for a bag: use letters, digits and . _ + -, not ending in {PARTIAL}.")
        self.path = folder / name
        self._partial = folder / (name + PARTIAL)
        for taken in (self.path, self._partial):
            if taken.exists():
                raise BagError(f"{taken} exists already and is not overwritten. Choose another name or move it away.")
        self._typestore = typestore
        self._connections: dict[tuple[str, str], Connection] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # The file inside is named after its folder, so the folder has its final name from the beginning.
            self._writer = Writer(self._partial / name, version=9, storage_plugin=StoragePlugin.MCAP)
            for key, value in custom_data.items():
                self._writer.set_custom_data(key, value)
            self._writer.open()
            prepare_storage(self._writer.storage)
            write_about(self._writer.storage, custom_data)
        except OSError as error:
            raise BagError(f"Cannot record into {folder}: {error}. Choose another one.") from error

    def write(self, topic: str, message_type: str, delivery: Delivery, stamp_ns: int, data: bytes) -> None:
        """Append a serialised message.

        Args:
            topic: Name of the topic.
            message_type: ROS type, `package/msg/Name`.
            delivery: QoS it was offered with; kept in the bag.
            stamp_ns: When it arrived, ROS time.
            data: The message, CDR.

        Raises:
            BagError: the disk refuses it.
        """
        connection = self._connections.get((topic, message_type))
        try:
            if connection is None:
                connection = self._connections[topic, message_type] = self._writer.add_connection(
                    topic, message_type, typestore=self._typestore, offered_qos_profiles=[_qos(delivery)]
                )
            self._writer.write(connection, stamp_ns, data)
        except OSError as error:
            raise BagError(f"Cannot write to {self._partial}: {error}.") from error

    def checkpoint(self) -> None:
        """Hand everything written so far to the operating system, so that a crash of this process loses none of it.

        Raises:
            BagError: the disk refuses it.
        """
        storage = self._writer.storage
        try:
            if storage.chunk.msgs:  # type: ignore[union-attr]
                storage.close_chunk()  # type: ignore[union-attr]
            storage.bio.flush()  # type: ignore[union-attr]
        except OSError as error:
            raise BagError(f"Cannot write to {self._partial}: {error}.") from error

    def finish(self, destination: Path | None = None, more_data: Mapping[str, str] | None = None) -> Path:
        """Complete the bag and give it its name; returns where it is.

        Args:
            destination: another place for it, on the same disk.
            more_data: text that was not known at the beginning.

        Raises:
            BagError: the disk refuses it, or the place is taken; what was written stays under `<name>.partial`.
        """
        target = destination or self.path
        try:
            for key, value in (more_data or {}).items():
                self._writer.set_custom_data(key, value)
            if more_data:
                write_about(self._writer.storage, self._writer.custom_data)
            self._writer.close()
            settle_texts(self._partial / self.path.name, self._writer.custom_data)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(self._partial / self.path.name, target)  # fails on a bag that is there: it is not empty
            self._partial.rmdir()
            # On a busy disk this takes many seconds, and nobody should have to wait for it to save an episode.
            WatchedThread(_sync, name="bag-sync", should_run=None, args=(target,)).start()
        except OSError as error:
            raise BagError(f"Cannot finish the bag: {error}. What was written is in {self._partial}.") from error
        return target

    def abandon(self) -> Path:
        """Close without completing, after an error; returns where the remains are."""
        storage = self._writer.storage
        if storage is not None:
            with contextlib.suppress(OSError):  # the disk is full: the remains are what was written before
                storage.abort()
        return self._partial


def note_outcome(bag: Path, outcome: str, reason: str) -> None:
    """Write an operator's late decision into a complete bag's metadata.

    Args:
        bag: Folder of the bag.
        outcome: What was decided.
        reason: Why, in the operator's words.

    Raises:
        BagError: the disk refuses it.
    """
    file = bag / METADATA_NAME
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        content["rosbag2_bagfile_information"]["custom_data"] |= {"outcome": outcome, "discard_reason": reason}
        write_metadata(file, content)
    except OSError as error:
        raise BagError(f"Cannot write the outcome into {file}: {error}.") from error


def _sync(folder: Path) -> None:
    """Ask for a finished bag to be on the disk itself, soon, in case the power is cut."""
    with contextlib.suppress(OSError):  # it may have been moved or removed meanwhile
        for file in folder.iterdir():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())


def unused(path: Path) -> Path:
    """The path itself, or with the first number that makes it one where no bag is or was begun."""
    candidate, number = path, 1
    while candidate.exists() or candidate.with_name(candidate.name + PARTIAL).exists():
        number += 1
        candidate = path.with_name(f"{path.name}_{number}")
    return candidate


def leftovers(folder: Path) -> list[Path]:
    """Bags in a folder that were cut off."""
    return sorted(path for path in folder.glob(f"*{PARTIAL}") if path.is_dir()) if folder.is_dir() else []


def free_bytes(folder: Path) -> int:
    """Free space of the disk that holds a folder, which need not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _qos(delivery: Delivery) -> Qos:
    reliable = delivery is not Delivery.SENSOR
    latched = delivery is Delivery.LATCHED
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=1 if latched else 10,
        reliability=QosReliability.RELIABLE if reliable else QosReliability.BEST_EFFORT,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=_UNSPECIFIED,
        lifespan=_UNSPECIFIED,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=_UNSPECIFIED,
        avoid_ros_namespace_conventions=False,
    )
