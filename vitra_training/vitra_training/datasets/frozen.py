"""Which images stood while the robot turned: judged alike in bags and in data sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.episode import Array
from vitra_training.datasets.joint_motion import excursions_rad
from vitra_training.datasets.limits import Limits

CODED = "; where nothing that it sees moves, or all too faintly, a video stands as well: look at it"
"""Coding drops the noise of a camera and what is small, so the video of a good camera may repeat bit by bit."""


def frozen(
    same_s: Sequence[tuple[float, float]],
    tracks: Iterable[tuple[Array, NDArray[np.floating[Any]], bool]],
    begin_s: float,
    limits: Limits,
) -> Iterator[str]:
    """Spans of one image in which an arm or its fingers turned so much in all that it must be seen, however slowly.

    Args:
        same_s: (first, last) time (s) of spans that show one image.
        tracks: Of each arm and hand the stamps (N,) s, positions (N, J) rad, and whether it is an arm.
        begin_s: Of the episode, in the time of the stamps.
        limits: From when on it is too much.
    """
    # Images may be late against joints, so what turns at the very ends of a span may be of other images.
    late_s = limits.frozen_s / 2
    long = [(first, last) for first, last in same_s if last - first > limits.frozen_s]
    within = [(first + late_s, last - late_s) for first, last in long]
    shares, turned = np.zeros(len(long)), np.zeros(len(long))
    for stamps, positions, is_arm in tracks:
        gone = excursions_rad(stamps, positions, within)
        share = gone / (limits.frozen_arm_rad if is_arm else limits.frozen_hand_rad)
        turned = np.where(share > shares, gone, turned)
        shares = np.maximum(shares, share)
    for (first, last), most, rad in zip(long, shares, turned, strict=True):
        if most > 1.0:
            yield (
                f"the same image for {last - first:.1f} s at {first - begin_s:.1f} s while the robot moves "
                f"(a joint by {rad:.2f} rad)"
            )
