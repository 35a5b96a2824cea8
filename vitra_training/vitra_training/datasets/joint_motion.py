"""When joints move, whatever noise their encoders have: judged by a smoothed path, not by samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.episode import Array

WINDOW_S, ARM_RAD, HAND_RAD = 0.2, 0.004, 0.02
"""A joint that turns so much moves, within a window or since it rested: one of an arm, one of a hand."""
VISIBLE_RAD = 0.02
"""An arm that turns so much within a window is seen to move."""
_SMOOTH_S = 0.2
"""Means over so long: of 200 Hz and noise of 2 mrad remain 0.3 mrad; what moves for longer keeps its speed."""
_NOISES = 7.0
"""A turn is also so many standard deviations of the noise that is left: an hour of 14 joints at 200 Hz holds none."""
_MOST_NOISE_RAD = 0.01
"""No encoder is noisier; at a few frames per second what moves to and fro would look like noise."""
_OF_MEDIAN = 0.6745 * np.sqrt(6.0)
"""Median of the absolute second difference of white noise, in its standard deviations."""


def largest_turn(positions: NDArray[np.floating[Any]], before: NDArray[np.intp]) -> Array:
    """Largest turn of any joint (rad) from one row to another; joint by joint, for an hour of rows is large."""
    turned = np.zeros(len(before))
    for joint in positions.T:
        np.maximum(turned, np.abs(joint[-len(before) :] - joint[before]), out=turned)
    return turned


def noise_rad(joint: Array) -> float:
    """Standard deviation of a joint's noise from sample to sample; how it moves, which is smooth, hardly counts.

    Args:
        joint: (N,) rad.
    """
    bends = np.abs(np.diff(joint, 2))
    return float(np.median(bends)) / _OF_MEDIAN if len(bends) else 0.0


def turns(stamps: Array, positions: NDArray[np.floating[Any]], window_s: float, least_rad: float) -> NDArray[np.bool_]:
    """(N,) rows at which any joint turned by more than a threshold since a window before.

    Args:
        stamps: (N,) s.
        positions: (N, J) rad.
        window_s: Length of the window.
        least_rad: The threshold.
    """
    stamps = _increasing(stamps)
    before = np.searchsorted(stamps, stamps - window_s)
    turned = np.zeros(len(stamps), dtype=bool)
    for path, noise in _paths(stamps, positions):
        turned |= np.abs(path - path[before]) > max(least_rad, noise)
    return turned


def motion_span(stamps: Array, positions: NDArray[np.floating[Any]], least_rad: float) -> tuple[float, float] | None:
    """First and last stamp (s) at which any joint moves, or is not where it rests at that end; None if none does.

    Slow motion adds up: inserting a peg at 5 mm/s is none within any short window.

    Args:
        stamps: (N,) s.
        positions: (N, J) rad.
        least_rad: A joint that turns so much moves, however long it takes.
    """
    if len(stamps) < 2:
        return None
    stamps = _increasing(stamps)
    before = np.searchsorted(stamps, stamps - WINDOW_S)
    # Not the ends themselves: means are of half as many samples there.
    first = min(int(np.searchsorted(stamps, stamps[0] + _SMOOTH_S / 2)), len(stamps) - 1)
    last = min(int(np.searchsorted(stamps, stamps[-1] - _SMOOTH_S / 2)), len(stamps) - 1)
    rows: list[int] = []
    for path, noise in _paths(stamps, positions):
        least = max(least_rad, noise)
        turned = np.flatnonzero(np.abs(path - path[before]) > least)
        left = np.flatnonzero(np.abs(path - path[first]) > least)
        away = np.flatnonzero(np.abs(path - path[last]) > least)
        rows += [*turned[:1], *turned[-1:], *left[:1], *away[-1:]]
    return (float(stamps[min(rows)]), float(stamps[max(rows)])) if rows else None


def excursions_rad(stamps: Array, positions: NDArray[np.floating[Any]], spans: Sequence[tuple[float, float]]) -> Array:
    """(S,) how far the joint that turns the most gets within each span (rad); what noise can do counts as nothing.

    Args:
        stamps: (N,) s.
        positions: (N, J) rad.
        spans: S times (begin, end) s.
    """
    found = np.zeros(len(spans))
    if len(stamps) < 2 or not spans:
        return found
    stamps = _increasing(stamps)
    rows = [slice(*np.searchsorted(stamps, span)) for span in spans]
    for path, noise in _paths(stamps, positions):
        gone = np.array([np.ptp(path[row]) if row.stop > row.start else 0.0 for row in rows])
        np.maximum(found, np.where(gone > noise, gone, 0.0), out=found)
    return found


def _increasing(stamps: Array) -> Array:
    """(N,) s without steps back, which are an error of their own; what comes after one waits for its time."""
    return np.asarray(np.maximum.accumulate(stamps))


def _paths(stamps: Array, positions: NDArray[np.floating[Any]]) -> Iterator[tuple[Array, float]]:
    """Per joint its smoothed path (N,) rad, and the turn (rad) that is surely none of the noise that is left in it."""
    first = np.searchsorted(stamps, stamps - _SMOOTH_S / 2)
    last = np.searchsorted(stamps, stamps + _SMOOTH_S / 2, side="right")
    count = last - first
    remains = float(np.sqrt(2.0 / np.median(count)))
    for joint in positions.T:
        finite = np.where(np.isfinite(joint), joint, 0.0)
        sums = np.concatenate([[0.0], np.cumsum(finite - finite[0], dtype=np.float64)])
        means = (sums[last] - sums[first]) / count
        yield means, _NOISES * remains * min(noise_rad(finite), _MOST_NOISE_RAD)
