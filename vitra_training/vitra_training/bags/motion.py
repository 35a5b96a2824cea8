"""When the joints of a bag move, whatever noise their encoders have: judged by a smoothed path, not by samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_training.bags.streams import BagStreams, joint_track
from vitra_training.datasets.episode import Array

_SMOOTH_S = 0.2
"""Means over so long: of 200 Hz and noise of 2 mrad remain 0.3 mrad; what moves for longer keeps its speed."""
_NOISES = 7.0
"""A turn is also so many standard deviations of the noise that is left: an hour of 14 joints at 200 Hz holds none."""
_OF_MEDIAN = 0.6745 * np.sqrt(6.0)
"""Median of the absolute second difference of white noise, in its standard deviations."""


def moving(
    bag: BagStreams, window_s: float = 0.2, arm_rad: float = 0.004, hand_rad: float = 0.02
) -> dict[str, NDArray[Any]]:
    """Per joint stream the times (s) around which a joint turned by more than a threshold within a window.

    Args:
        bag: The streams.
        window_s: Length of the window.
        arm_rad: Threshold of arm joints.
        hand_rad: Threshold of hand joints.
    """
    times = {}
    for topic in bag.joints:
        stamps, positions = joint_track(bag, topic)
        if len(stamps) > 1:
            least_rad = arm_rad if "arm" in topic else hand_rad
            times[topic] = stamps[_turns(stamps, positions, window_s, least_rad)]
    return times


def largest_turn(positions: NDArray[np.float32], before: NDArray[np.intp]) -> Array:
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


def _turns(stamps: Array, positions: NDArray[np.float32], window_s: float, least_rad: float) -> NDArray[np.bool_]:
    """Rows at which any joint turned by more than a threshold since a window before."""
    before = np.searchsorted(stamps, stamps - window_s)
    first = np.searchsorted(stamps, stamps - _SMOOTH_S / 2)
    # Stamps that step back are an error of their own; a mean needs a sample all the same.
    last = np.maximum(np.searchsorted(stamps, stamps + _SMOOTH_S / 2, side="right"), first + 1)
    count = np.minimum(last, len(stamps)) - first
    remains = float(np.sqrt(2.0 / np.median(count)))
    turned = np.zeros(len(stamps), dtype=bool)
    for joint in positions.T:
        finite = np.where(np.isfinite(joint), joint, 0.0)
        sums = np.concatenate([[0.0], np.cumsum(finite - finite[0], dtype=np.float64)])
        means = (sums[np.minimum(last, len(stamps))] - sums[first]) / count
        turned |= np.abs(means - means[before]) > max(least_rad, _NOISES * remains * noise_rad(finite))
    return turned
