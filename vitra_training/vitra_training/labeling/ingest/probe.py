"""What a video file holds, found without decoding it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from vitra_training.labeling.errors import NoImageError, TooShortError, TooSlowError, UnreadableVideoError

LEAST_FRAMES = 8
LEAST_FPS = 8.0
"""Something-Something's 12 frames/s must pass; at 4 a reaching hand moves by its own length from frame to frame."""
_JITTER = 0.25
"""Share of a frame's time by which stamps may be off and the rate still count as constant."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A video stream as its container describes it."""

    path: Path
    width_px: int
    height_px: int
    """As stored, before the rotation."""
    rotation_deg: int
    """Clockwise quarter turns, in degrees, that a player applies."""
    times_s: NDArray[np.float64]
    """(N,) presentation time of every stored frame, in order, from the first on."""
    constant_rate: bool
    fps: float
    """Typical rate: one over the median gap."""


def probe(path: Path) -> Probe:
    """Read a container's index.

    Raises:
        InputError: not a video, sound only, too short, or too few frames per second.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
                raise NoImageError(path, kinds)
            stream = container.streams.video[0]
            codec = stream.codec_context
            width, height, unit = codec.width, codec.height, float(stream.time_base or 1)
            stamps = sorted(_stamps(container, stream))
            rotation = _rotation(container, stream)
    except (av.FFmpegError, OSError, ValueError) as cause:
        raise UnreadableVideoError(path, cause) from None
    if len(stamps) < LEAST_FRAMES or not width or not height:
        raise TooShortError(path, len(stamps), LEAST_FRAMES)
    times = (np.array(stamps, dtype=np.float64) - stamps[0]) * unit
    gaps = np.diff(times)
    typical = float(np.median(gaps))
    if typical <= 0:
        raise UnreadableVideoError(path, "time stamps stand still")
    if 1 / typical < LEAST_FPS:
        raise TooSlowError(path, 1 / typical, LEAST_FPS)
    constant = bool(np.abs(gaps - typical).max() <= max(_JITTER * typical, unit))
    fps = (len(times) - 1) / float(times[-1]) if constant else 1 / typical
    return Probe(path, width, height, rotation, times, constant, fps)


def _stamps(container: Any, stream: Any) -> list[int]:
    found = []
    try:
        for packet in container.demux(stream):
            if packet.pts is not None and packet.size:
                found.append(packet.pts)
    except av.FFmpegError:
        if not found:
            raise
    return found  # a file cut off in the middle keeps what comes before


def _rotation(container: Any, stream: Any) -> int:
    """Quarter turns from the display matrix, which the first decoded frame carries."""
    try:
        container.seek(0, stream=stream)
        frame = next(container.decode(stream))
    except (av.FFmpegError, StopIteration):
        return 0
    # FFmpeg counts counter-clockwise.
    return int(-round(getattr(frame, "rotation", 0) / 90) * 90) % 360
