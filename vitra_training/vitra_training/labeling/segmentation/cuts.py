"""Atomic actions: cuts where the smoothed wrist is slowest (paper, section III-B)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SegmentationConfig:
    """Where motions are cut; all lengths in seconds, so that they hold at any frame rate."""

    smoothing_s: float = 0.12
    """Standard deviation of the Gaussian over the wrist's path."""
    half_window_s: float = 0.35
    """A cut is slower than everything this far before and after it."""
    dip: float = 0.6
    """A cut's speed is at most this share of the fastest motion between it and each of its neighbours."""
    moving_m_s: float = 0.05
    """What never gets faster is no action."""
    shortest_s: float = 0.4
    """Shorter pieces are joined to the neighbour with which they form the slower cut."""
    longest_s: float = 6.0
    """Longer pieces are cut at their slowest inner frame."""


@dataclass(frozen=True, slots=True)
class Segmented:
    """The cuts of one stretch of a hand's path."""

    speed_m_s: Array
    """(T,) of the smoothed wrist."""
    cuts: tuple[int, ...]
    """Inner cuts."""
    segments: tuple[tuple[int, int], ...]
    """First frame and end of each action; stretches without motion are left out."""


def segment(wrist_m: Array, fps: float, config: SegmentationConfig | None = None) -> Segmented:
    """Cut one unbroken path.

    Args:
        wrist_m: (T, 3) in the world.
        fps: frames per second.
        config: parameters.
    """
    c = config or SegmentationConfig()
    frames = len(wrist_m)
    if frames < 3:
        return Segmented(np.zeros(frames), (), ())
    speed = smooth_speed(wrist_m, fps, c.smoothing_s)
    half = max(round(c.half_window_s * fps), 1)
    # At both ends the window is cut off; a minimum must have frames on both sides to be one.
    lowest = minimum_filter1d(speed, 2 * half + 1, mode="nearest")
    candidates = _one_per_plateau(np.flatnonzero(speed <= lowest), half)
    cuts = [t for t in candidates if half // 2 < t < frames - 1 - half // 2]
    cuts = _deep(cuts, speed, c.dip)
    cuts = _long_enough(cuts, speed, round(c.shortest_s * fps))
    cuts = _short_enough(cuts, speed, round(c.longest_s * fps), half)
    bounds = [0, *cuts, frames]
    pieces = [(a, b) for a, b in zip(bounds[:-1], bounds[1:], strict=True) if speed[a:b].max() >= c.moving_m_s]
    return Segmented(speed, tuple(cuts), tuple(pieces))


def smooth_speed(wrist_m: Array, fps: float, smoothing_s: float) -> Array:
    """(T,) m/s of a path after a Gaussian filter.

    Args:
        wrist_m: (T, 3).
        fps: Rate of the frames.
        smoothing_s: Standard deviation of the filter.
    """
    smooth = gaussian_filter1d(wrist_m, max(smoothing_s * fps, 1e-3), axis=0, mode="nearest")
    return np.asarray(np.linalg.norm(np.gradient(smooth, 1 / fps, axis=0), axis=1))


def _one_per_plateau(candidates: NDArray[np.intp], half: int) -> list[int]:
    groups: list[list[int]] = []
    for t in candidates.tolist():
        if groups and t - groups[-1][-1] <= max(half // 2, 1):
            groups[-1].append(t)
        else:
            groups.append([t])
    return [int(np.median(group)) for group in groups]


def _deep(cuts: list[int], speed: Array, dip: float) -> list[int]:
    """Drop cuts that are not clearly slower than what lies around, the shallowest first."""
    kept = list(cuts)
    while kept:
        bounds = [0, *kept, len(speed)]
        depth = [
            speed[t] / max(min(speed[bounds[n] : t + 1].max(), speed[t : bounds[n + 2]].max()), 1e-9)
            for n, t in enumerate(kept)
        ]
        worst = int(np.argmax(depth))
        if depth[worst] <= dip:
            break
        kept.pop(worst)
    return kept


def _long_enough(cuts: list[int], speed: Array, shortest: int) -> list[int]:
    kept = list(cuts)
    while kept:
        bounds = [0, *kept, len(speed)]
        lengths = np.diff(bounds)
        piece = int(np.argmin(lengths))
        if lengths[piece] >= shortest:
            break
        sides = [n for n in (piece - 1, piece) if 0 <= n < len(kept)]
        kept.pop(max(sides, key=lambda n: speed[kept[n]]))
    return kept


def _short_enough(cuts: list[int], speed: Array, longest: int, half: int) -> list[int]:
    todo, done = [0, *cuts, len(speed)], []
    while len(todo) > 1:
        a, b = todo[0], todo[1]
        if b - a > longest and b - a > 2 * half + 2:
            todo.insert(1, a + half + int(np.argmin(speed[a + half : b - half])))
            continue
        done.append(a)
        todo.pop(0)
    return [t for t in done if t > 0]
