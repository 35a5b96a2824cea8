"""From subscription to disk without ever making the subscriber wait: a bounded queue and a writer thread."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from vitra_policy.errors import VitraError
from vitra_recorder.bag import BagWriter, free_bytes
from vitra_recorder.images import Compressed, compress, compress_video
from vitra_recorder.topics import Kind, Topic
from vitra_recorder.video import VideoEncoder
from vitra_runtime.scheduling import leave_realtime
from vitra_runtime.threads import WatchedThread

_CHECKPOINT_S = 0.5
_SMALL_RESERVE_BYTES = 8 * 2**20


class ImageFormat(StrEnum):
    """How a kind of image is recorded."""

    COMPRESSED = "compressed"
    LOSSLESS = "lossless"
    H264 = "h264"
    RAW = "raw"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """See the node's parameters of the same names."""

    color: ImageFormat = ImageFormat.COMPRESSED
    depth: ImageFormat = ImageFormat.COMPRESSED
    jpeg_quality: int = 90
    video_crf: int = 20
    queue_bytes: int = 128 * 2**20
    min_free_bytes: int = 10**9


@dataclass(slots=True)
class Statistics:
    """What became of the messages of a recording."""

    written: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    bytes_written: int = 0
    deepest_queue_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Item:
    topic: Topic
    name: str
    stamp_ns: int
    data: bytes
    held: bool


class RecordingPipeline:
    """Writes one bag; `put` never blocks.

    When the disk cannot keep up, images are dropped first: small messages have a reserve of their own. When it is
    nearly full the recording is ended with what there is.

    Args:
        bag: open bag, owned from now on.
        settings: formats and limits.
        on_failure: told, in the writer thread, that the recording has ended by itself and why.
    """

    def __init__(self, bag: BagWriter, settings: PipelineSettings, on_failure: Callable[[str], None]) -> None:
        self._bag, self._settings, self._on_failure = bag, settings, on_failure
        self.statistics = Statistics()
        self._encoders: dict[str, VideoEncoder] = {}
        self._items: deque[_Item] = deque()
        self._queued_bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._destination: Path | None = None
        self._more_data: Mapping[str, str] = {}
        self._result: Path | None = None
        self._failure = ""
        self._thread = WatchedThread(
            self._write_all, name="bag-writer", should_run=lambda: not (self._closing or self._failure)
        )
        self._thread.start()

    def put(self, topic: Topic, name: str, stamp_ns: int, data: bytes, held: bool = False) -> None:
        """Queue a serialised message.

        Args:
            topic: what it is.
            name: full name of its topic.
            stamp_ns: when it was received.
            data: the message.
            held: it was in memory before, in the bounds of the pre-roll, so the queue's do not apply.
        """
        if self._format(topic) is ImageFormat.NONE:
            return
        limit = self._settings.queue_bytes + (_SMALL_RESERVE_BYTES if topic.kind is Kind.PLAIN else 0)
        with self._changed:
            if self._closing or self._failure or (not held and self._queued_bytes + len(data) > limit):
                self.statistics.dropped[name] += 1
                return
            self._items.append(_Item(topic, name, stamp_ns, data, held))
            self._queued_bytes += 0 if held else len(data)
            self.statistics.deepest_queue_bytes = max(self.statistics.deepest_queue_bytes, self._queued_bytes)
            self._changed.notify()

    def finish(self, destination: Path | None = None, more_data: Mapping[str, str] | None = None) -> Path:
        """Write what is queued, complete the bag, and return where it is; see `begin_finish` and `result`."""
        self.begin_finish(destination, more_data)
        return self.result()

    def begin_finish(self, destination: Path | None = None, more_data: Mapping[str, str] | None = None) -> None:
        """Take nothing more, write what is queued, and complete the bag; does not wait for it.

        Args:
            destination: another place for the bag than its own name, on the same disk.
            more_data: text for the bag that was not known at the beginning.
        """
        with self._changed:
            self._closing, self._destination, self._more_data = True, destination, more_data or {}
            self._changed.notify()

    @property
    def is_done(self) -> bool:
        """Whether nothing more will be written."""
        return not self._thread.is_alive()

    @property
    def ended_by_itself(self) -> str:
        """Why the recording ended before it was told to, if it did, with a complete bag."""
        return self._failure if self._result is not None else ""

    def result(self) -> Path:
        """Where the complete bag is; waits for it.

        Raises:
            VitraError: the recording had failed, or cannot be completed.
        """
        self._thread.join()
        if self._result is None:
            raise VitraError(self._failure)
        return self._result

    def _write_all(self) -> None:
        leave_realtime()
        try:
            reason = self._pump()
            if reason:  # nobody has judged it, whatever becomes of it
                self._result = self._bag.finish(None, {"outcome": "unjudged", "ended": reason})
            else:
                self._result = self._bag.finish(self._destination, self._more_data)
        except Exception as error:  # a VitraError, or a bug: either way the remains must be named
            remains = self._bag.abandon()
            self._end(f"{error} The recording stopped; what was written is in {remains}.")
            return
        if reason:
            self._end(f"{reason} The recording was ended; it is complete up to then in {self._result}.")

    def _end(self, failure: str) -> None:
        with self._changed:
            self._failure = failure
        self._on_failure(failure)

    def _pump(self) -> str:
        """Write until told to stop; returns why it stopped by itself, or nothing."""
        next_checkpoint_s = time.monotonic() + _CHECKPOINT_S
        while True:
            with self._changed:
                if not self._items and not self._closing:
                    self._changed.wait(_CHECKPOINT_S)
                items, self._items = self._items, deque()
                closing = self._closing
            for item in items:
                self._write(item)
                with self._changed:
                    self._queued_bytes -= 0 if item.held else len(item.data)
            if closing and not items:
                return ""
            if time.monotonic() >= next_checkpoint_s:
                self._bag.checkpoint()
                next_checkpoint_s = time.monotonic() + _CHECKPOINT_S
                free = free_bytes(self._bag.path.parent)
                if free < self._settings.min_free_bytes:
                    return f"Only {free / 1e9:.2f} GB are free at {self._bag.path.parent}."

    def _write(self, item: _Item) -> None:
        name, message_type, data = item.name, item.topic.type, item.data
        if item.topic.kind is not Kind.PLAIN and self._format(item.topic) is not ImageFormat.RAW:
            try:
                image = self._compress(item)
            except VitraError:
                self.statistics.dropped[name] += 1
                return
            name, message_type, data = name + image.suffix, image.type, image.data
        self._bag.write(name, message_type, item.topic.delivery, item.stamp_ns, data)
        self.statistics.written[name] += 1
        self.statistics.bytes_written += len(data)

    def _compress(self, item: _Item) -> Compressed:
        wanted = self._format(item.topic)
        if wanted is ImageFormat.H264:
            encoder = self._encoders.setdefault(item.name, VideoEncoder(self._settings.video_crf))
            return compress_video(encoder, item.data)
        quality = self._settings.jpeg_quality if wanted is ImageFormat.COMPRESSED else None
        return compress(item.topic.kind, item.data, quality)

    def _format(self, topic: Topic) -> ImageFormat:
        if topic.kind is Kind.PLAIN:
            return ImageFormat.RAW
        return self._settings.color if topic.kind is Kind.COLOR else self._settings.depth
