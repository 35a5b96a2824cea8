"""What promises ask of a video: its size, rate and length, whether it is written already or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class VideoShape(Protocol):
    """Size, rate and length of a video; a `VideoReader` is one."""

    @property
    def width(self) -> int:
        """Pixels."""

    @property
    def height(self) -> int:
        """Pixels."""

    @property
    def fps(self) -> float:
        """Frames per second."""

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class PlannedVideo:
    """A video that is not written yet."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    fps: float
    """Frames per second."""
    frames: int
    """How many."""

    def __len__(self) -> int:
        return self.frames
