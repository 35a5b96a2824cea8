"""What our bags have beyond the rosbags library: a checksum per chunk, and text that survives a crash."""

from __future__ import annotations

from binascii import crc32
from collections.abc import Mapping
from io import BytesIO
from typing import Any

ABOUT_RECORD = "vitra"
"""Name of the MCAP metadata record that repeats the bag's custom data from its first second on."""

_CRC_OFFSET = 9 + 24
"""Within a chunk record: opcode and length (9), start, end and uncompressed size (24)."""
_METADATA = 0x0C


def add_checksums(storage: Any) -> None:
    """Make an open `rosbags` MCAP storage write the CRC-32 of every chunk (the library leaves it 0 = unchecked)."""
    close_chunk = storage.close_chunk

    def close_with_checksum() -> None:
        checksum, start = crc32(storage.chunk.bio.getbuffer()), storage.bio.tell()
        close_chunk()
        end = storage.bio.tell()
        storage.bio.seek(start + _CRC_OFFSET)
        storage.bio.write(checksum.to_bytes(4, "little"))
        storage.bio.seek(end)

    storage.close_chunk = close_with_checksum


def write_about(storage: Any, about: Mapping[str, str]) -> None:
    """Append a metadata record to an open `rosbags` MCAP storage and hand it to the operating system.

    `metadata.yaml`, where custom data live, is written only when a bag is complete; this record is in the file at once.
    """
    texts = b"".join(_text(key) + _text(value) for key, value in about.items())
    record = _text(ABOUT_RECORD) + len(texts).to_bytes(4, "little") + texts
    storage.bio.write(bytes([_METADATA]) + len(record).to_bytes(8, "little") + record)
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


def _text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(4, "little") + data
