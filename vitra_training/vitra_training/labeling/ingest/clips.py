"""Overlapping clips of a video, short enough for trackers to stay accurate (paper: 20 seconds)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Array = NDArray[np.float64]


def cut_clips(frames: int, fps: float, length_s: float = 20.0, overlap_s: float = 2.0) -> IntArray:
    """(N, 2) first and end frame of clips that cover a video; neighbours share `overlap_s`.

    All clips have the same length except where the video is shorter; the last one starts earlier rather than being a
    short remainder.

    Args:
        frames: Length of the video.
        fps: Its rate.
        length_s: Of a clip.
        overlap_s: What neighbours share.
    """
    length = max(round(length_s * fps), 2)
    step = max(length - round(overlap_s * fps), 1)
    if frames <= length:
        return np.array([[0, frames]], dtype=np.int64)
    starts = list(range(0, frames - length, step)) + [frames - length]
    return np.array([[start, start + length] for start in starts], dtype=np.int64)


def blend_weights(clips: IntArray, frames: int) -> list[Array]:
    """For every clip (T,) how much it counts at each of its frames; over all clips the weights of a frame sum to 1.

    In an overlap the weight moves linearly from the earlier to the later clip, so nothing jumps at a seam.
    """
    raw = []
    for number, (start, end) in enumerate(clips):
        time = np.arange(start, end, dtype=np.float64)
        weight = np.ones(end - start)
        if number > 0 and (before := clips[number - 1][1]) > start:
            weight = np.minimum(weight, (time - start + 1) / (before - start + 1))
        if number + 1 < len(clips) and (after := clips[number + 1][0]) < end:
            weight = np.minimum(weight, (end - time) / (end - after + 1))
        raw.append(weight)
    total = np.zeros(frames)
    for (start, end), weight in zip(clips, raw, strict=True):
        total[start:end] += weight
    return [weight / total[start:end] for (start, end), weight in zip(clips, raw, strict=True)]
