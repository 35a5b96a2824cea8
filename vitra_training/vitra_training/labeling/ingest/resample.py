"""A video as it is, or rewritten upright and at a constant rate, decoded frame by frame in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.video import Image, VideoWriter, even_size
from vitra_training.labeling.errors import UnreadableVideoError
from vitra_training.labeling.ingest.lens import Undistorter
from vitra_training.labeling.ingest.probe import Probe

HIGHEST_FPS = 35.0
_GOP = 15


def working_rate(fps: float) -> float:
    """Frames per second to label at: the video's own, or a whole fraction of it near 30."""
    return fps if fps <= HIGHEST_FPS else fps / round(fps / 30)


def needs_rewriting(source: Probe) -> bool:
    """Whether the video must be rewritten before it can be labelled."""
    return not source.constant_rate or source.rotation_deg != 0 or source.fps > HIGHEST_FPS


def rewrite(
    source: Probe, target: Path, fps: float, straighten: Undistorter | None = None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Write an upright copy at a constant rate: at each tick the frame nearest in time.

    Args:
        source: the original.
        target: the new mp4.
        fps: its rate.
        straighten: takes the lens' bend out of every image, before it is turned upright.

    Returns:
        For every new frame (T,) the number of the original one, and (T,) whether a frame was there within a tick
        (otherwise an old one is repeated, and nothing may be learnt from it).

    Raises:
        UnreadableVideoError: no frame can be decoded.
    """
    ticks = max(int(np.floor(source.times_s[-1] * fps)) + 1, 1)
    numbers, near = np.zeros(ticks, dtype=np.int64), np.zeros(ticks, dtype=bool)
    quarter = source.rotation_deg // 90 % 4
    shape = (source.width_px, source.height_px) if quarter % 2 == 0 else (source.height_px, source.width_px)
    width, height = even_size(*shape)
    tick = 0
    last: tuple[int, float, Image] | None = None
    with VideoWriter(target, width, height, fps, gop=_GOP, crf=18) as writer:

        def emit(frame: tuple[int, float, Image]) -> None:
            nonlocal tick
            numbers[tick], near[tick] = frame[0], abs(frame[1] - tick / fps) <= 1.0 / fps
            writer.add(frame[2])
            tick += 1

        for number, time_s, rgb in decoded(source):
            rgb = rgb if straighten is None else straighten(rgb)
            upright = np.ascontiguousarray(np.rot90(rgb, -quarter)[:height, :width])
            here = (number, time_s, upright)
            while last is not None and tick < ticks and tick / fps < (last[1] + time_s) / 2:
                emit(last)
            last = here
        if last is None:
            raise UnreadableVideoError(source.path, "no frame could be decoded")
        while tick < ticks:
            emit(last)
    return numbers, near


def decoded(source: Probe) -> Iterator[tuple[int, float, Image]]:
    """(number, time, RGB) of every frame that can be decoded, in order; broken ones are passed over."""
    with av.open(str(source.path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        unit = float(stream.time_base or 1)
        start: int | None = None
        for frame in _frames(container, stream):
            if frame.pts is None or frame.is_corrupt:
                continue
            start = frame.pts if start is None else start
            time_s = (frame.pts - start) * unit
            yield _nearest(source, time_s), time_s, np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def _nearest(source: Probe, time_s: float) -> int:
    right = int(np.searchsorted(source.times_s, time_s))
    left = max(right - 1, 0)
    right = min(right, len(source.times_s) - 1)
    return left if time_s - source.times_s[left] <= source.times_s[right] - time_s else right


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            return  # the container itself ends here
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue
