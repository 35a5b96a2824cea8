"""Frames of a camera as evenly spaced slots: a lost image leaves an empty one, so that time is never compressed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_training.bags.errors import CameraGapError
from vitra_training.bags.streams import usual_period_s
from vitra_training.datasets.episode import Array, IntArray

LONGEST_FILL_S = 2.0
"""A longer gap is no lost image but two recordings."""
_FOLLOW = 0.1
"""Share of a frame's deviation that moves the slots after it: drift is followed, jitter is not."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Slots of one episode."""

    times_s: Array
    """(S,) capture time of each slot's image; between its neighbours where it has none."""
    images: IntArray
    """(S,) number of the image in the bag; -1 where there is none."""

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(S,) slots with an image."""
        return self.images >= 0


def timeline(path: Path, times_s: Array) -> Timeline:
    """Slots for images captured at increasing times; of two within one period the first is kept.

    Args:
        path: Of the bag, for the error.
        times_s: (n,) of the images.

    Raises:
        CameraGapError: the camera was silent for longer than can be filled.
    """
    period_s = usual_period_s(times_s)
    if period_s <= 0:
        return Timeline(times_s, np.arange(len(times_s)))
    slots, images, expected_s = [0], [0], float(times_s[0])
    for number, time_s in enumerate(times_s[1:], 1):
        steps = round((float(time_s) - expected_s) / period_s)
        if steps < 1:
            continue
        if (gap_s := float(time_s - times_s[images[-1]])) > LONGEST_FILL_S:
            raise CameraGapError(path, gap_s, float(times_s[images[-1]] - times_s[0]))
        due_s = expected_s + steps * period_s
        expected_s = due_s + _FOLLOW * (float(time_s) - due_s)
        slots.append(slots[-1] + steps)
        images.append(number)
    of_slot = np.full(slots[-1] + 1, -1, dtype=np.int64)
    of_slot[slots] = images
    return Timeline(np.interp(np.arange(len(of_slot)), slots, times_s[images]), of_slot)
