"""Reads what is readable of an MCAP file that was cut off or damaged, and says in words what is not.

The format is read from its beginning, record by record, without any index. Where a record makes no sense, the next
chunk is looked for, and whole messages are looked for in what lies between. The checksum of a chunk tells whether
something in it changed; its messages are kept all the same, and the damage is reported.
"""

from __future__ import annotations

import mmap
from binascii import crc32
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import TypeAlias

from vitra_policy.bag_storage import parse_about

MAGIC = b"\x89MCAP0\r\n"
_HEADER, _FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _INDEX, _METADATA, _DATA_END = 1, 2, 3, 4, 5, 6, 7, 12, 15
_U16, _U32, _U64 = Struct("<H"), Struct("<I"), Struct("<Q")
_MESSAGE_HEAD, _CHUNK_HEAD = Struct("<HIQQ"), Struct("<QQQI")
_RECORD = 9  # opcode and length
_LARGEST_OTHER = 64 * 2**20
Buffer: TypeAlias = bytes | memoryview | mmap.mmap


class DamageKind(StrEnum):
    """Named causes."""

    NOT_MCAP = "not an MCAP file"
    TRUNCATED = "cut off"
    CHECKSUM = "checksum mismatch"
    BROKEN_RECORD = "broken record"
    UNKNOWN_CHANNEL = "message of an unknown channel"
    BROKEN_TEXT = "broken channel or schema"
    BROKEN_MESSAGE = "message that does not fit its type"
    IMPOSSIBLE_TIME = "message of another time"
    UNREADABLE = "not readable as a bag"
    MISSING_PART = "missing part"
    CONTRADICTION = "contradicting texts"


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong."""

    kind: DamageKind
    offset: int
    """Where in the file, bytes."""
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}{f' at byte {self.offset}' if self.offset else ''}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Schema:
    """A message type."""

    name: str
    encoding: str
    text: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic."""

    schema: int
    topic: str
    encoding: str
    metadata: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One whole message."""

    channel: int
    log_time_ns: int
    data: bytes | memoryview
    """A view into the file where it was not compressed."""


@dataclass(slots=True)
class Recovery:
    """Everything that was found."""

    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)
    complete: bool = False
    """The file was finished: footer and closing magic are there."""


def recover(path: Path) -> Recovery:
    """Everything readable in an MCAP file; never raises for damage, only `OSError` when it cannot be opened."""
    if path.stat().st_size == 0:
        return Recovery(damages=[Damage(DamageKind.NOT_MCAP, 0, "the file is empty")])
    with path.open("rb") as file:  # messages are views into the map, which lives as long as they do
        return _Reader(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)).run()


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data, self._found = data, Recovery()
        self._pending: list[
            tuple[int, int]
        ] = []  # regions of the file to look for messages in, once channels are known

    def run(self) -> Recovery:
        found, data = self._found, self._data
        if data[: len(MAGIC)] != MAGIC:
            found.damages.append(Damage(DamageKind.NOT_MCAP, 0, "the file does not begin as one"))
        found.complete = data[-len(MAGIC) :] == MAGIC and len(data) > 2 * len(MAGIC)
        self._walk(len(MAGIC), len(data))
        known = [m for m in found.messages if m.channel in found.channels]
        if unknown := len(found.messages) - len(known):
            found.damages.append(Damage(DamageKind.UNKNOWN_CHANNEL, 0, f"{unknown} messages belong to no known topic"))
        times = sorted(message.log_time_ns for message in known)
        found.messages = known
        for begin, end in self._pending:
            self._search(begin, end, (times[0], times[-1]) if times else None)
        found.messages.sort(key=lambda message: message.log_time_ns)
        if not found.complete:
            found.damages.append(Damage(DamageKind.TRUNCATED, len(data), "the file ends without its index"))
        return found

    def _walk(self, position: int, end: int) -> None:
        data = self._data
        while position < end:
            if data[position : position + len(MAGIC)] == MAGIC and end - position == len(MAGIC):
                return
            size = self._record_size(position, end)
            if size is None:
                following = self._next_chunk(position + 1, end)
                if following < end or self._found.complete:
                    detail = f"{following - position} bytes make no sense"
                    self._found.damages.append(Damage(DamageKind.BROKEN_RECORD, position, detail))
                self._pending.append((position, following))
                position = following
                continue
            self._take(data[position], position + _RECORD, size)
            position += _RECORD + size

    def _record_size(self, position: int, end: int) -> int | None:
        """Length of a plausible record that lies whole in the file."""
        if end - position < _RECORD:
            return None
        opcode, size = self._data[position], _U64.unpack_from(self._data, position + 1)[0]
        if not 1 <= opcode <= _DATA_END or size > end - position - _RECORD:
            return None
        if opcode == _CHUNK:
            return size if self._is_chunk(position, size) else None
        if opcode == _INDEX:
            return size if size >= 6 and (size - 6) % 16 == 0 else None
        if opcode == _DATA_END:
            return size if size == 4 else None
        return size if size <= _LARGEST_OTHER else None

    def _is_chunk(self, position: int, size: int) -> bool:
        if size < 40:
            return False
        start, stop, raw, _ = _CHUNK_HEAD.unpack_from(self._data, position + _RECORD)
        name = _U32.unpack_from(self._data, position + _RECORD + 28)[0]
        if name > 4 or start > stop:
            return False
        stored = _U64.unpack_from(self._data, position + _RECORD + 32 + name)[0]
        return bool(40 + name + stored == size and (name or raw == stored))

    def _next_chunk(self, position: int, end: int) -> int:
        """Where the next whole chunk, or the end of the data, begins."""
        data_end = bytes([_DATA_END]) + _U64.pack(4)
        stop = self._data.find(data_end, position)
        stop = end if stop < 0 else stop
        while (position := self._data.find(bytes([_CHUNK]), position, stop)) >= 0:
            if stop - position >= _RECORD + 40:
                size = _U64.unpack_from(self._data, position + 1)[0]
                if size <= stop - position - _RECORD and self._is_chunk(position, size):
                    return position
            position += 1
        return stop

    def _take(self, opcode: int, begin: int, size: int) -> None:
        record = self._data[begin : begin + size] if opcode != _CHUNK else b""
        if opcode == _CHUNK:
            self._chunk(begin, size)
        elif opcode in (_SCHEMA, _CHANNEL):
            self._definition(opcode, record, begin, trusted=False)
        elif opcode == _MESSAGE and size >= _MESSAGE_HEAD.size:
            self._message(record)
        elif opcode == _METADATA:
            self._found.about.update(parse_about(record))

    def _chunk(self, begin: int, size: int) -> None:
        _, _, raw_size, checksum = _CHUNK_HEAD.unpack_from(self._data, begin)
        name_length = _U32.unpack_from(self._data, begin + 28)[0]
        name = self._data[begin + 32 : begin + 32 + name_length].decode(errors="replace")
        body: bytes | memoryview = memoryview(self._data)[begin + 40 + name_length : begin + size]
        if name:
            try:
                body = _decompress(name, bytes(body), raw_size)
            except Exception as error:  # every codec has errors of its own
                self._damage(DamageKind.BROKEN_RECORD, begin, f"a chunk cannot be decompressed ({error})")
                return
        intact = not checksum or crc32(body) == checksum
        count = len(self._found.messages)
        whole = self._body(body, begin, trusted=bool(checksum) and intact)
        if not intact or not whole:
            kept = len(self._found.messages) - count
            self._damage(
                DamageKind.CHECKSUM if not intact else DamageKind.BROKEN_RECORD, begin,
                f"a chunk of {len(body)} bytes changed; its {kept} readable messages are kept, one may be wrong",
            )  # fmt: skip

    def _body(self, body: bytes | memoryview, offset: int, trusted: bool) -> bool:
        """Records of a chunk; False when one did not fit and the rest had to be searched."""
        position, end = 0, len(body)
        whole = True
        while position < end:
            if end - position >= _RECORD:
                opcode, size = body[position], _U64.unpack_from(body, position + 1)[0]
                fits = opcode in (_SCHEMA, _CHANNEL, _MESSAGE) and size <= end - position - _RECORD
                if fits and (opcode != _MESSAGE or size >= _MESSAGE_HEAD.size):
                    record = body[position + _RECORD : position + _RECORD + size]
                    if opcode == _MESSAGE:
                        self._message(record)
                    else:
                        self._definition(opcode, record, offset, trusted)
                    position += _RECORD + size
                    continue
            whole, body = False, bytes(body)
            position = _next_message(body, position + 1, self._found.channels, self._around())
        return whole

    def _around(self) -> tuple[int, int] | None:
        messages = self._found.messages
        return (messages[0].log_time_ns, messages[-1].log_time_ns) if messages else None

    def _search(self, begin: int, end: int, times: tuple[int, int] | None) -> None:
        """Whole messages in a region whose structure is lost, e.g. the last chunk of a file that was cut off."""
        region = self._data[begin:end]
        for opcode, position, size in _definitions(region):
            self._definition(opcode, region[position + _RECORD : position + _RECORD + size], begin, trusted=False)
        position = _next_message(region, 0, self._found.channels, times)
        while position < len(region):
            size = _U64.unpack_from(region, position + 1)[0]
            self._message(region[position + _RECORD : position + _RECORD + size])
            position = _next_message(region, position + _RECORD + size, self._found.channels, times)

    def _message(self, record: bytes | memoryview) -> None:
        channel, _, log_time_ns, _ = _MESSAGE_HEAD.unpack_from(record)
        self._found.messages.append(Message(channel, log_time_ns, record[_MESSAGE_HEAD.size :]))

    def _definition(self, opcode: int, record: bytes | memoryview, offset: int, trusted: bool) -> None:
        record = bytes(record)
        try:
            if opcode == _SCHEMA:
                number, (name, encoding, text), _ = _U16.unpack_from(record)[0], *_texts(record, 2, 3)
                schema = Schema(name, encoding, text)
                self._found.schemas[number] = schema if trusted else self._found.schemas.get(number, schema)
            else:
                number, of = _U16.unpack_from(record)[0], _U16.unpack_from(record, 2)[0]
                (topic, encoding), rest = _texts(record, 4, 2)
                channel = Channel(of, topic, encoding, record[rest + 4 :])
                self._found.channels[number] = channel if trusted else self._found.channels.get(number, channel)
        except (ValueError, StructError) as error:
            self._damage(DamageKind.BROKEN_TEXT, offset, str(error))

    def _damage(self, kind: DamageKind, offset: int, detail: str) -> None:
        self._found.damages.append(Damage(kind, offset, detail))


def _texts(record: bytes, position: int, count: int) -> tuple[list[str], int]:
    texts = []
    for _ in range(count):
        size = _U32.unpack_from(record, position)[0]
        text = record[position + 4 : position + 4 + size]
        if len(text) != size:
            raise ValueError("a text is longer than its record")
        texts.append(text.decode())
        position += 4 + size
    return texts, position


def _definitions(region: bytes) -> Iterator[tuple[int, int, int]]:
    """Schemas and channels in a region, as (opcode, position, size)."""
    for opcode, least, most in ((_SCHEMA, 20, 100_000), (_CHANNEL, 12, 10_000)):
        position = -1
        while (position := region.find(bytes([opcode]), position + 1)) >= 0:
            if len(region) - position < _RECORD + least:
                break
            size = _U64.unpack_from(region, position + 1)[0]
            if not least <= size <= min(most, len(region) - position - _RECORD):
                continue
            record = region[position + _RECORD : position + _RECORD + size]
            try:
                texts, end = _texts(record, 2 if opcode == _SCHEMA else 4, 3 if opcode == _SCHEMA else 2)
            except (ValueError, StructError):
                continue
            if (opcode == _SCHEMA and end == size and texts[1] in ("ros2msg", "ros2idl")) or (
                opcode == _CHANNEL and texts[1] == "cdr" and texts[0].startswith("/")
            ):
                yield opcode, position, size


def _next_message(
    region: bytes, position: int, channels: dict[int, Channel], times: tuple[int, int] | None, slack_ns: int = 10**10
) -> int:
    """Where the next plausible whole message begins; the region's length if there is none."""
    end = len(region)
    while (position := region.find(bytes([_MESSAGE]), position)) >= 0:
        if end - position < _RECORD + _MESSAGE_HEAD.size:
            break
        size = _U64.unpack_from(region, position + 1)[0]
        if _MESSAGE_HEAD.size <= size <= end - position - _RECORD:
            channel, _, log_ns, publish_ns = _MESSAGE_HEAD.unpack_from(region, position + _RECORD)
            near = times is None or times[0] - slack_ns <= log_ns <= times[1] + slack_ns
            if channel in channels and near and abs(log_ns - publish_ns) < slack_ns:
                return position
        position += 1
    return end


def _decompress(name: str, body: bytes, size: int) -> bytes:
    from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

    return DECOMPRESSORS[name](body, size)
