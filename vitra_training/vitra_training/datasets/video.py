"""Reading any frame of a video by number, and writing videos whose frames are quick to reach."""

from __future__ import annotations

from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.errors import BrokenFileError, FrameMissingError, VariableFrameRateError

Image = NDArray[np.uint8]

_RATE_TOLERANCE = 0.25  # of a frame; containers round time stamps to their own clock


class VideoReader:
    """Random access to the frames of one video, by frame number in presentation order.

    Frame numbers map to time stamps by a table read from the container without decoding, so edit lists, B-frames and
    odd start times do not shift frames. A request just after the last one decodes on instead of seeking.

    Raises:
        BrokenFileError: not a video, or truncated.
        VariableFrameRateError: frames are not equally spaced.
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
        self.fps = self._measure_rate()
        self._decoded: Any = None
        self._position = -1
        self._frames: Any = None

    def __len__(self) -> int:
        return len(self._pts)

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Release the file and the decoder."""
        self._frames = self._decoded = None
        self._container.close()

    def frame(self, number: int) -> Any:
        """The decoded `av.VideoFrame` of a frame number.

        Raises:
            FrameMissingError: beyond the end, or the bitstream is broken there.
        """
        if not 0 <= number < len(self._pts):
            raise FrameMissingError(self.path, number, len(self._pts))
        if number == self._position:
            return self._decoded
        try:
            return self._decode(number)
        except (av.FFmpegError, StopIteration, ValueError):
            self._position, self._frames = -1, None
            raise FrameMissingError(self.path, number, len(self._pts)) from None

    def rgb(self, number: int, reduce: int = 1) -> Image:
        """Frame as (H, W, 3) RGB, optionally shrunk `reduce` times by area averaging while colours are converted."""
        frame = self.frame(number)
        if reduce <= 1:
            return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
        width, height = max(frame.width // reduce, 1), max(frame.height // reduce, 1)
        small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
        return np.asarray(small.to_ndarray(), dtype=np.uint8)

    def _decode(self, number: int) -> Any:
        ahead = self._frames is not None and self._position < number
        if not ahead or self._key_before[number] > self._position:
            self._container.seek(int(self._pts[self._key_before[number]]), stream=self._stream, backward=True)
            self._frames = self._container.decode(self._stream)
        while True:
            frame = next(self._frames)
            if frame.pts == self._pts[number]:
                self._decoded, self._position = frame, number
                return frame
            if frame.pts is not None and frame.pts > self._pts[number]:
                raise ValueError("the frame is missing from the bitstream")

    def _measure_rate(self) -> float:
        if len(self._pts) < 2:
            return float(self._stream.average_rate or 30)
        gaps = np.diff(self._pts)
        typical = float(np.median(gaps))
        if typical <= 0 or np.abs(gaps - typical).max() > max(_RATE_TOLERANCE * typical, 1.0):
            unit = float(self._stream.time_base or 1)
            raise VariableFrameRateError(self.path, float(gaps.min()) * unit, float(gaps.max()) * unit)
        nominal = self._stream.average_rate
        measured = 1.0 / (float(np.mean(gaps)) * float(self._stream.time_base or 1))
        return float(nominal) if nominal and abs(float(nominal) / measured - 1) < 0.01 else measured


def _time_stamps(container: Any, stream: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Presentation time stamps in order, and which are of key frames.

    Without reordered frames the container's index has them, which costs nothing; otherwise every packet is visited
    (not decoded). The index holds decoding times: they start before the first picture if frames are reordered. That of
    WebM names key frames only.
    """
    index = [(entry.timestamp, entry.is_keyframe) for entry in getattr(stream, "index_entries", ()) or ()]
    complete = bool(index) and len(index) == stream.frames and index[0][0] == stream.start_time
    if not complete or stream.codec_context.has_b_frames:
        index = sorted((p.pts, p.is_keyframe) for p in container.demux(stream) if p.pts is not None)
    return np.array([pts for pts, _ in index], dtype=np.int64), np.array([key for _, key in index], dtype=bool)


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

    def __init__(
        self, path: Path, width: int, height: int, fps: float, gop: int = 2, crf: int = 21, preset: str = "veryfast"
    ) -> None:
        self.path, self.count, self.bytes_written = path, 0, 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._partial = path.with_suffix(".partial.mp4")
        self._container = av.open(str(self._partial), "w")
        rate = Fraction(fps).limit_denominator(1001)
        options = {"crf": str(crf), "preset": preset, "g": str(gop), "bf": "0", "sc_threshold": "0"}
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
            self._container.close()
            self._partial.unlink(missing_ok=True)

    def add(self, rgb: Image) -> int:
        """Append an (H, W, 3) RGB frame; returns its frame number."""
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")):
            self._container.mux(packet)
            self.bytes_written += packet.size
        self.count += 1
        return self.count - 1

    def close(self) -> Path:
        """Flush the encoder and put the file in place."""
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()
        self._partial.replace(self.path)
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
    """A size for the encoder: both even, the short side at most `short_side_max`, the aspect kept closely."""
    scale = 1.0 if short_side_max is None else min(1.0, short_side_max / min(width, height))
    return max(round(width * scale / 2) * 2, 2), max(round(height * scale / 2) * 2, 2)
