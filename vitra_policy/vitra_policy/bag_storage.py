"""What our bags have beyond the rosbags library: checksums, text that survives a crash, a more patient reader."""

from __future__ import annotations

import contextlib
import fcntl
from binascii import crc32
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO

from vitra_policy.cdr import deserialize

ABOUT_RECORD = "vitra"
"""Name of the MCAP metadata record that repeats the bag's custom data from its first second on."""

_CRC_OFFSET = 9 + 24
"""Within a chunk record: opcode and length (9), start, end and uncompressed size (24)."""
_MAGIC = b"\x89MCAP0\r\n"
_FOOTER, _STATISTICS, _METADATA, _METADATA_INDEX, _SUMMARY_OFFSET = 0x02, 0x0B, 0x0C, 0x0D, 0x0E
_FOOTER_BYTES = 9 + 20 + len(_MAGIC)
_METADATA_COUNT = slice(18, 22)
"""Within a statistics record: after the counts of messages (8), schemas (2), channels and attachments (4 each)."""
_FIRST_TIME = 26
"""Within a statistics record: after the counts of metadata records and chunks (4 each), the first log time."""


def open_bag(path: Path) -> Any:
    """A `rosbags` reader of one bag, to be used in `with`; it reads messages as rclpy writes them.

    Types that the bag does not define are those of ROS 2 Jazzy.

    Raises:
        AnyReaderError: no bag.
    """
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import Stores, get_typestore

    class Reader(AnyReader):
        def _deser_ros2(self, rawdata: bytes, typ: str) -> object:
            return deserialize(self.typestore, rawdata, typ)

    return Reader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY))


def prepare_storage(storage: Any) -> None:
    """Make an open `rosbags` MCAP storage write the CRC-32 of every chunk and index the records of `write_about`.

    (The library leaves the checksum 0 = unchecked, and indexes one metadata record only, its own.) The file is locked
    for as long as it is written, also against a kill: see `is_being_written`.
    """
    with contextlib.suppress(OSError):  # some network file systems have no locks
        fcntl.flock(storage.bio, fcntl.LOCK_EX | fcntl.LOCK_NB)
    close_chunk, close, path = storage.close_chunk, storage.close, storage.path
    storage.about_records = []

    def close_with_checksum() -> None:
        checksum, start = crc32(storage.chunk.bio.getbuffer()), storage.bio.tell()
        close_chunk()
        end = storage.bio.tell()
        storage.bio.seek(start + _CRC_OFFSET)
        storage.bio.write(checksum.to_bytes(4, "little"))
        storage.bio.seek(end)

    def close_with_index(*args: Any) -> None:
        close(*args)
        _index_metadata(path, storage.about_records)

    storage.close_chunk, storage.close = close_with_checksum, close_with_index


def is_being_written(file: Path) -> bool:
    """Whether a living process of this machine writes into an MCAP file of ours."""
    with file.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def write_about(storage: Any, about: Mapping[str, str]) -> None:
    """Append a metadata record to an open `rosbags` MCAP storage and hand it to the operating system.

    `metadata.yaml`, where custom data live, is written only when a bag is complete; this record is in the file at once.
    """
    texts = b"".join(_text(key) + _text(value) for key, value in about.items())
    record = _record(_METADATA, _text(ABOUT_RECORD) + _u32(len(texts)) + texts)
    storage.about_records.append((storage.bio.tell(), len(record)))
    storage.bio.write(record)
    storage.bio.flush()


def parse_about(record: bytes) -> dict[str, str]:
    """Contents of a metadata record written by `write_about`; empty for records of others, or broken ones."""
    source = BytesIO(record)

    def text() -> str:
        return source.read(int.from_bytes(source.read(4), "little")).decode()

    try:
        if text() != ABOUT_RECORD:
            return {}
        end = int.from_bytes(source.read(4), "little") + source.tell()
        about = {}
        while source.tell() < min(end, len(record)):
            key = text()
            about[key] = text()
    except UnicodeDecodeError:
        return {}
    return about


@dataclass(frozen=True, slots=True)
class Summary:
    """What the end of a complete MCAP file says of the file."""

    messages: int
    begin_ns: int
    """Log time of its first message."""
    about: dict[str, str]
    """The last record of `write_about`."""


def summary_of(path: Path) -> Summary | None:
    """The summary of an MCAP file; None where it has none: cut off, damaged, or no MCAP file.

    Args:
        path: The file; only its end and its metadata records are read.
    """
    try:
        with path.open("rb") as file:
            _, footer_at, records = _summary(file)
            statistics = [body for kind, body in records if kind == _STATISTICS]
            places = [body for kind, body in records if kind == _METADATA_INDEX]
            about: dict[str, str] = {}
            for at, size in sorted((_int(place, 0), _int(place, 8)) for place in places):
                file.seek(at)
                about = parse_about(file.read(min(size, footer_at))[9:]) or about
            return Summary(_int(statistics[0], 0), _int(statistics[0], _FIRST_TIME), about) if statistics else None
    except (OSError, ValueError):
        return None


def _summary(file: BinaryIO) -> tuple[int, int, list[tuple[int, bytes]]]:
    """Where the summary of an open MCAP file begins and ends, and its records."""
    file.seek(-_FOOTER_BYTES, SEEK_END)
    footer_at = file.tell()
    footer = file.read(_FOOTER_BYTES)
    begin = _int(footer, 9)
    if not footer.endswith(_MAGIC) or not 0 < begin <= footer_at:
        raise ValueError("no summary")
    file.seek(begin)
    return begin, footer_at, list(_records(file.read(footer_at - begin)))


def _index_metadata(path: Path, places: list[tuple[int, int]]) -> None:
    """Write the summary of a complete MCAP file anew with an index of further metadata records (MCAP specification)."""
    with path.open("r+b") as file:
        begin, _, records = _summary(file)
        records = [record for record in records if record[0] != _SUMMARY_OFFSET]
        index = [(_METADATA_INDEX, _u64(at) + _u64(size) + _text(ABOUT_RECORD)) for at, size in places]
        after = max((n for n, (kind, _) in enumerate(records) if kind == _METADATA_INDEX), default=-1) + 1
        records[after:after] = index
        summary, offsets = b"", b""
        for kind in dict.fromkeys(kind for kind, _ in records):
            group = b"".join(_record(k, _counted(k, body, len(places))) for k, body in records if k == kind)
            offsets += _record(_SUMMARY_OFFSET, bytes([kind]) + _u64(begin + len(summary)) + _u64(len(group)))
            summary += group
        footer = _record(_FOOTER, _u64(begin) + _u64(begin + len(summary)) + _u32(0))
        file.seek(begin)
        file.truncate()
        file.write(summary + offsets + footer + _MAGIC)


def _counted(kind: int, body: bytes, more: int) -> bytes:
    """A record; in the statistics there are more metadata records."""
    if kind != _STATISTICS:
        return body
    count = int.from_bytes(body[_METADATA_COUNT], "little") + more
    return body[: _METADATA_COUNT.start] + _u32(count) + body[_METADATA_COUNT.stop :]


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        size = int.from_bytes(data[position + 1 : position + 9], "little")
        yield data[position], data[position + 9 : position + 9 + size]
        position += 9 + size


def _record(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + _u64(len(body)) + body


def _int(body: bytes, offset: int) -> int:
    """The 64-bit number at a place of a record."""
    return int.from_bytes(body[offset : offset + 8], "little")


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _text(value: str) -> bytes:
    data = value.encode()
    return _u32(len(data)) + data
