"""Things on the table: what kinds there are, how big they are and where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Rgba = tuple[float, float, float, float]

COLOURS: dict[str, Rgba] = {
    "red": (0.80, 0.12, 0.10, 1.0),
    "green": (0.15, 0.60, 0.22, 1.0),
    "blue": (0.12, 0.30, 0.78, 1.0),
    "yellow": (0.92, 0.76, 0.12, 1.0),
    "orange": (0.93, 0.48, 0.10, 1.0),
    "purple": (0.48, 0.22, 0.62, 1.0),
    "white": (0.92, 0.92, 0.90, 1.0),
    "pink": (0.93, 0.45, 0.62, 1.0),
    "black": (0.10, 0.10, 0.11, 1.0),
    "brown": (0.42, 0.26, 0.14, 1.0),
    "turquoise": (0.10, 0.62, 0.62, 1.0),
}


class Kind(StrEnum):
    """Shapes of objects that a hand can pick up."""

    CUBE = "cube"
    CAN = "can"
    BOTTLE = "bottle"
    BALL = "ball"
    MUG = "mug"
    CUP = "cup"
    BRUSH = "brush"
    HAMMER = "hammer"
    MARBLE = "marble"
    EGG = "egg"
    CARTON = "carton"
    JAR = "jar"
    SPOOL = "spool"


COMMON_KINDS = (Kind.CUBE, Kind.CAN, Kind.BOTTLE, Kind.BALL, Kind.MUG)
"""Kinds that are put into the box, and that stand around as distractors; the others are tools, and what is poured."""

RARE_KINDS = (Kind.EGG, Kind.CARTON, Kind.JAR, Kind.SPOOL)
"""Kinds that no demonstration shows: the unseen categories."""
PLACEABLE_KINDS = COMMON_KINDS + RARE_KINDS

NOMINAL_HALF_EXTENTS_M: dict[Kind, tuple[float, float, float]] = {
    Kind.CUBE: (0.026, 0.026, 0.028),
    Kind.CAN: (0.030, 0.030, 0.050),
    Kind.BOTTLE: (0.029, 0.029, 0.075),
    Kind.BALL: (0.031, 0.031, 0.031),
    Kind.MUG: (0.034, 0.034, 0.042),
    Kind.CUP: (0.033, 0.033, 0.045),
    Kind.BRUSH: (0.014, 0.014, 0.065),
    Kind.HAMMER: (0.075, 0.014, 0.032),
    Kind.MARBLE: (0.009, 0.009, 0.009),
    Kind.EGG: (0.028, 0.028, 0.036),
    Kind.CARTON: (0.024, 0.024, 0.060),
    Kind.JAR: (0.032, 0.032, 0.038),
    Kind.SPOOL: (0.030, 0.030, 0.036),
}
"""Half extents of the graspable body, object axes, z up: a mug's handle, a brush's head along x and a hammer's head
beyond +x stick out further. z is always the height of the centre above what the object stands on."""

MUG_HANDLE_M = 0.028
BRUSH_HEAD_HALF_M = (0.065, 0.014, 0.016)
HAMMER_HEAD_HALF_M = (0.022, 0.040, 0.032)
HAMMER_END_HALF_M = (0.008, 0.020, 0.032)


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """One movable object.

    Attributes:
        name: Unique in the scene, e.g. `red_cube`.
        kind: Its shape.
        half_extents_m: Half extents of its body along its own axes.
        rgba: Its colour.
    """

    name: str
    kind: Kind
    half_extents_m: tuple[float, float, float]
    rgba: Rgba

    @property
    def footprint_radius_m(self) -> float:
        """Radius of a disc on the table that surely covers it."""
        x, y, _ = self.half_extents_m
        if self.kind in (Kind.CUBE, Kind.CARTON):
            return float(np.hypot(x, y))
        beyond_m = {
            Kind.MUG: MUG_HANDLE_M,
            Kind.BRUSH: BRUSH_HEAD_HALF_M[0] - x,
            Kind.HAMMER: 2 * HAMMER_HEAD_HALF_M[0],
        }
        return x + beyond_m.get(self.kind, 0.0)


@dataclass(frozen=True, slots=True)
class PlacedObject:
    """An object standing on the table at `position_m` (its centre, in base_link), turned by `yaw_rad`."""

    spec: ObjectSpec
    position_m: tuple[float, float, float]
    yaw_rad: float


def half_extents(kind: Kind, scale: float) -> tuple[float, float, float]:
    """Nominal half extents of a kind, times `scale`."""
    x, y, z = np.asarray(NOMINAL_HALF_EXTENTS_M[kind]) * scale
    return float(x), float(y), float(z)


def yaw_pose(position_m: tuple[float, float, float], yaw_rad: float) -> NDArray[np.float64]:
    """`base_from_object` (4, 4) of an upright object."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    pose = np.eye(4)
    pose[:2, :2] = [[c, -s], [s, c]]
    pose[:3, 3] = position_m
    return pose
