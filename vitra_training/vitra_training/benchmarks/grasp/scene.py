"""What a scene of the benchmark is, once read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import CameraIntrinsics

Array = NDArray[np.float64]

VERSION = 1
"""Of the folder's format."""
INDEX = "benchmark.json"
CAMERA, DEPTH = "camera.json", "depth.png"
IMAGES = ("rgb.png", "rgb.jpg")


@dataclass(frozen=True, slots=True, eq=False)
class GraspObject:
    """Something that can be picked up."""

    name: str
    """Its id: names its files."""
    caption: str
    """As an instruction calls it, without an article: 'red cup'."""
    points_m: Array
    """(N, 3) its surface in the camera frame."""

    @property
    def centre_m(self) -> Array:
        """Mean (3,) of its points."""
        return np.asarray(self.points_m.mean(axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One image with depth and the objects in it."""

    name: str
    group: str
    """Such as 'seen' or 'unseen'; figures are given for each."""
    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    depth_mm: NDArray[np.uint16]
    """(H, W) along the optical axis; 0: unknown."""
    camera: CameraIntrinsics
    objects: tuple[GraspObject, ...]


@dataclass(frozen=True, slots=True)
class SceneEntry:
    """A scene as the index of a folder names it."""

    name: str
    group: str
    captions: tuple[tuple[str, str], ...]
    """(id, caption) of each object."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A folder of scenes."""

    root: Path
    entries: tuple[SceneEntry, ...]

    @property
    def objects(self) -> int:
        """Objects in all scenes."""
        return sum(len(entry.captions) for entry in self.entries)
