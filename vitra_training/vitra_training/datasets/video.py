"""Reading any frame of a video by number, and writing videos whose frames are quick to reach."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.errors import BrokenFileError, FrameMissingError, VariableFrameRateError

Image = NDArray[np.uint8]

_RATE_TOLERANCE = 0.25  # of a frame; containers round time stamps to their own clock
_BREAKS_MAX = 0.05
"""Share of irregular gaps up to which frames were dropped; beyond it the rate itself varies."""
_SEEKS_LATE, _SEEK_BACK_S = ("mpegts", "mpeg"), 2.0
"""Containers without an index: a search by time stamps may end after the image that was asked for."""
_VP8_SHOWN, _VP8 = 0x10, "vp8"
_STAMP = np.dtype([("pts", np.int64), ("key", np.bool_)])

PART_FRAMES = 2000
"""Frames of each part of a video cut into `{name}_part1.mp4`, `{name}_part2.mp4`, ... (docs/data.md: VITRA-1M)."""
ANY_PART = "_part*"


class VideoReader:
    """Random access to the frames of one video, by frame number in presentation order.

    A path that ends in `_part*.mp4` is a video in parts of 2000 frames: frame numbers run through all of them, and
    parts that are not there are missing frames.

    Raises:
        BrokenFileError: not a video, or truncated.
        VariableFrameRateError: frames are not equally spaced, beyond a few that were dropped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._paths = _parts_of(path)
        self._files: dict[int, _VideoFile] = {}
        last = max(self._paths)
        first = self._file(min(self._paths))
        self._length = last * PART_FRAMES + len(self._file(last))
        self.width, self.height, self.fps = first.width, first.height, first.fps

    def __len__(self) -> int:
        return self._length

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Release files and decoders."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def frame(self, number: int) -> Any:
        """The decoded `av.VideoFrame` of a frame number.

        Raises:
            FrameMissingError: beyond the end, or the bitstream is broken there.
        """
        part, within = divmod(number, PART_FRAMES) if len(self._paths) > 1 or 0 not in self._paths else (0, number)
        try:
            if not 0 <= number < len(self) or part not in self._paths:
                raise ValueError("there is no such frame")
            return self._file(part).frame(within)
        except (av.FFmpegError, StopIteration, ValueError):
            raise FrameMissingError(self.path, number, len(self)) from None

    def rgb(self, number: int, reduce: int = 1) -> Image:
        """Frame as (H, W, 3) RGB, optionally shrunk `reduce` times by area averaging while colours are converted."""
        frame = self.frame(number)
        if reduce <= 1:
            return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
        width, height = max(frame.width // reduce, 1), max(frame.height // reduce, 1)
        small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
        return np.asarray(small.to_ndarray(), dtype=np.uint8)

    def regular(self, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(T - 1,) whether the time from each of T frames to the next is that of the others: nothing was dropped."""
        gaps = np.diff(frames)
        if not len(gaps):
            return np.zeros(0, dtype=bool)
        fine = np.asarray(gaps == np.median(gaps))
        for part in np.unique(frames // PART_FRAMES) if len(self._paths) > 1 else [min(self._paths)]:
            if int(part) in self._paths:
                offset = int(part) * PART_FRAMES if len(self._paths) > 1 else 0
                for dropped in self._file(int(part)).breaks + offset:
                    fine &= (dropped < frames[:-1]) | (dropped >= frames[1:])
        return fine

    def _file(self, part: int) -> _VideoFile:
        if part not in self._files:
            self._files[part] = _VideoFile(self._paths[part])
        return self._files[part]


class _VideoFile:
    """Random access to one file.

    Frame numbers map to time stamps by a table read from the container without decoding, so edit lists, B-frames and
    odd start times do not shift frames. A request just after the last one decodes on instead of seeking.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._container = av.open(str(path))
            self._stream = self._container.streams.video[0]
            self._stream.codec_context.thread_count = 1  # workers are processes; more threads only add delay
            self._pts, is_key = _time_stamps(self._container, self._stream)
        except (av.FFmpegError, IndexError, OSError, ValueError) as cause:
            raise BrokenFileError(path, "video", cause) from None
        if not len(self._pts):
            raise BrokenFileError(path, "video", "it has no frames")
        self._key_before = np.maximum.accumulate(np.where(is_key, np.arange(len(is_key)), 0))
        self.width: int = self._stream.codec_context.width
        self.height: int = self._stream.codec_context.height
        self.fps, self.breaks = self._measure_rate()
        self._decoded: Any = None
        self._position = -1
        self._frames: Any = None

    def __len__(self) -> int:
        return len(self._pts)

    def close(self) -> None:
        """Release the file and the decoder."""
        self._frames = self._decoded = None
        self._container.close()

    def frame(self, number: int) -> Any:
        """The decoded frame of a number; raises what PyAV raises, or ValueError where the bitstream lacks it."""
        if number == self._position:
            return self._decoded
        try:
            return self._decode(number)
        except (av.FFmpegError, StopIteration, ValueError):
            self._position, self._frames = -1, None
            raise

    def _decode(self, number: int) -> Any:
        if not 0 <= number < len(self):
            raise ValueError("the frame is beyond the end")
        key, here = int(self._key_before[number]), self._position if self._frames is not None else -1
        if here >= number or here < key:
            back = _SEEK_BACK_S if self._container.format.name in _SEEKS_LATE else 0.0
            to = int(self._pts[key]) - round(back / float(self._stream.time_base or 1))
            self._container.seek(to, stream=self._stream, backward=True)
            self._frames = self._container.decode(self._stream)
        while True:
            frame = next(self._frames)
            if frame.pts == self._pts[number]:
                self._decoded, self._position = frame, number
                return frame
            if frame.pts is not None and frame.pts > self._pts[number]:
                raise ValueError("the frame is missing from the bitstream")

    def _measure_rate(self) -> tuple[float, NDArray[np.int64]]:
        """Frames per second, and the frames after which some were dropped."""
        if len(self._pts) < 2:
            return float(self._stream.average_rate or 30), np.zeros(0, dtype=np.int64)
        gaps, unit = np.diff(self._pts), float(self._stream.time_base or 1)
        typical = float(np.median(gaps))
        irregular = np.abs(gaps - typical) > max(_RATE_TOLERANCE * typical, 1.0)
        if typical <= 0 or irregular.mean() > _BREAKS_MAX:
            raise VariableFrameRateError(self.path, float(gaps.min()) * unit, float(gaps.max()) * unit)
        nominal, measured = self._stream.average_rate, 1.0 / (float(gaps[~irregular].mean()) * unit)
        fps = float(nominal) if nominal and abs(float(nominal) / measured - 1) < 0.01 else measured
        return fps, np.flatnonzero(irregular)


def _parts_of(path: Path) -> dict[int, Path]:
    """Files of a video by part number from 0; a video that is not in parts is part 0.

    Raises:
        BrokenFileError: none of the parts is there.
    """
    if not path.stem.endswith(ANY_PART):
        return {0: path}
    name = path.stem.removesuffix(ANY_PART)
    found = {}
    for file in path.parent.glob(f"{escape(name)}_part*{path.suffix}"):
        number = file.stem.removeprefix(f"{name}_part")
        if number.isdecimal() and int(number) > 0:
            found[int(number) - 1] = file
    if not found:
        raise BrokenFileError(path, "video", "it has no part")
    return found


def _time_stamps(container: Any, stream: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Presentation time stamps in order, and which are of key frames.

    The index of a whole mp4 has every frame, which costs nothing; other containers index key frames only, or nothing,
    so every packet is visited (not decoded). The index holds decoding times: they start before the first image if
    frames are reordered. VP8 hides reference frames in packets of their own, which are not images.
    """
    entries = getattr(stream, "index_entries", ()) or ()
    index = np.fromiter(((entry.timestamp, entry.is_keyframe) for entry in entries), _STAMP, len(entries))
    whole = "mp4" in container.format.name and len(index) == stream.frames and not stream.codec_context.has_b_frames
    if not whole or not len(index) or index["pts"][0] != stream.start_time:
        packets = (p for p in container.demux(stream) if p.pts is not None)
        if stream.codec_context.name == _VP8:
            packets = (p for p in packets if p.size and bytes(p)[0] & _VP8_SHOWN)
        index = np.fromiter(((p.pts, p.is_keyframe) for p in packets), _STAMP)
        index.sort(order=("pts", "key"))
    return index["pts"].copy(), index["key"].copy()


class VideoWriter:
    """An H.264 mp4 without B-frames and with a key frame every `gop` frames; it appears whole or not at all.

    Args:
        path: where the finished file goes.
        width: even.
        height: even.
        fps: frames per second.
        gop: frames from one key frame to the next; small is quick to reach and larger on disk.
        crf: x264 quality, lower is better.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float, gop: int = 2, crf: int = 21) -> None:
        self.path, self.count, self.bytes_written = path, 0, 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._partial = path.with_suffix(".partial.mp4")
        self._container = av.open(str(self._partial), "w")
        rate = Fraction(fps).limit_denominator(1001)
        options = {"crf": str(crf), "preset": "veryfast", "g": str(gop), "bf": "0", "sc_threshold": "0"}
        options["tune"] = "fastdecode"  # halves decoding time for some 7 % more bytes
        self._stream = self._container.add_stream("libx264", rate=rate, options=options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.thread_count = 1

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            self.abort()

    def add(self, rgb: Image) -> int:
        """Append an (H, W, 3) RGB frame; returns its frame number."""
        with self._named():
            for packet in self._stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")):
                self._container.mux(packet)
                self.bytes_written += packet.size
        self.count += 1
        return self.count - 1

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Errors of the disk name the file, which libraries do not always do."""
        try:
            yield
        except OSError as error:
            if error.filename:
                raise
            raise OSError(error.errno, error.strerror, str(self._partial)) from error

    def abort(self) -> None:
        """Give up: nothing is left of the video."""
        with contextlib.suppress(av.FFmpegError, OSError):  # a full disk refuses the trailer too
            self._container.close()
        self._partial.unlink(missing_ok=True)

    def close(self) -> Path:
        """Flush the encoder and put the file in place; nothing is left of one that the disk refuses."""
        try:
            with self._named():
                for packet in self._stream.encode():
                    self._container.mux(packet)
                self._container.close()
            self._partial.replace(self.path)
        except BaseException:
            self.abort()
            raise
        return self.path


class VideoPool:
    """Open readers of the most recently used videos, one pool per process."""

    def __init__(self, capacity: int = 32) -> None:
        self._capacity = capacity
        self._readers: OrderedDict[Path, VideoReader] = OrderedDict()

    def get(self, path: Path) -> VideoReader:
        """The reader of a video, opened on first use."""
        if (reader := self._readers.get(path)) is not None:
            self._readers.move_to_end(path)
            return reader
        reader = self._readers[path] = VideoReader(path)
        if len(self._readers) > self._capacity:
            self._readers.popitem(last=False)[1].close()
        return reader

    def close(self) -> None:
        """Close every reader."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()


def even_size(width: int, height: int, short_side_max: int | None = None) -> tuple[int, int]:
    """A size for the encoder: both even, the short side at most `short_side_max`, the aspect kept closely.

    Args:
        width: Pixels.
        height: Pixels.
        short_side_max: Pixels; None: as it is.
    """
    scale = 1.0 if short_side_max is None else min(1.0, short_side_max / min(width, height))
    return max(round(width * scale / 2) * 2, 2), max(round(height * scale / 2) * 2, 2)
