"""What to render; apart from the renderer, so that a command line can name it where no simulator is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GenerateOptions:
    """What is rendered."""

    scenes: int = 20
    """How many; every other one has objects of kinds that no generated training data hold."""
    seed: int = 0
    """The same seed gives the same scenes."""
    objects: int = 6
    """At most so many in a scene."""
    width_px: int = 640
    height_px: int = 480
    fov_deg: tuple[float, float] = (70.0, 95.0)
    """Range of the horizontal field of view."""


@dataclass(frozen=True, slots=True)
class StudyOptions:
    """What goes into a study."""

    items: int = 20
    """At most so many objects, drawn at random."""
    seed: int = 0
    """Of the draw."""
