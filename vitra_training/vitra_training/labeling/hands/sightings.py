"""What is known of one hand from image to image."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class HandSource(IntEnum):
    """Where the landmarks of a frame come from."""

    NONE = 0
    """Nothing is known."""
    BRIDGED = 1
    """Not seen: carried over from neighbouring frames by the image's motion."""
    TRACKED = 2
    """The landmark network at the place where the hand was expected."""
    DETECTED = 3
    """The landmark network at a palm that the detector found in this frame."""


def palm_centre(points_px: Array) -> Array:
    """(2,) mean of wrist and knuckles.

    Args:
        points_px: (21, 2) landmarks.
    """
    centre: Array = points_px[[0, 5, 9, 13, 17]].mean(axis=0)
    return centre


@dataclass(frozen=True, slots=True)
class Seen:
    """A hand in one frame."""

    points_px: Array
    """(21, 2)."""
    shape_m: Array
    """(21, 3)."""
    presence: float
    right: float
    """0 to 1; 0.5 where it was not looked at."""
    sharpness: float
    source: HandSource
    unseen: int = 0
    """Frames since the network last saw it."""
    speed_px: float = 0.0
    """How far it moved since the last frame."""

    @property
    def centre_px(self) -> Array:
        """(2,) of the palm."""
        return palm_centre(self.points_px)

    @property
    def size_px(self) -> float:
        """Extent of the hand."""
        return float(max(np.ptp(self.points_px, axis=0)))


@dataclass(slots=True)
class Track:
    """One hand, as long as it could be followed without a break."""

    seen: dict[int, Seen] = field(default_factory=dict)
    """Frame -> what was seen; bridged frames included."""
    velocity_px: Array = field(default_factory=lambda: np.zeros(2))
    misses: int = 0
    unverified: int = 0
    """Frames since the detector found it, too."""
    unasked: int = 0
    """Frames since the detector was asked."""

    @property
    def confirmed(self) -> list[int]:
        """Frames in which the network saw it."""
        return [frame for frame, seen in self.seen.items() if seen.source >= HandSource.TRACKED]

    def add(self, frame: int, seen: Seen) -> None:
        """Append a frame, in the order of following."""
        self.seen[frame] = seen

    def trim(self) -> None:
        """Drop what was carried on at either end without being seen again."""
        frames = self.confirmed
        low, high = min(frames), max(frames)
        self.seen = {frame: seen for frame, seen in self.seen.items() if low <= frame <= high}
