"""What a check finds, how bad it is, and what a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from vitra_training.datasets.video_shape import VideoShape


class Level(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """A promise is broken; training would skip or learn garbage."""
    WARNING = "warning"
    """Suspicious, but usable."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise."""

    level: Level
    check: str
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: `run` yields a message for every way in which it is broken."""

    name: str
    run: Callable[[Any, VideoShape], Iterator[str]]
    level: Level = Level.ERROR
    by_frame: bool = False
    """What it finds concerns single frames, which the sampler leaves out one by one."""
    own_video: bool = False
    """It holds only where no other episode is in the same video."""
