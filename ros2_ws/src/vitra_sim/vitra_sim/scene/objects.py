"""Things on the table: what kinds there are, how big they are and where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    JUG = "jug"
    PAN = "pan"
    DRILL = "drill"
    BEAKER = "beaker"
    SCRAPER = "scraper"


COMMON_KINDS = (Kind.CUBE, Kind.CAN, Kind.BOTTLE, Kind.BALL, Kind.MUG)
"""Kinds that are put into the box, and that stand around as distractors; the others are tools, and what is poured."""

RARE_KINDS = (Kind.EGG, Kind.CARTON, Kind.JAR, Kind.SPOOL)
"""Kinds that no demonstration shows: the unseen categories."""
PLACEABLE_KINDS = COMMON_KINDS + RARE_KINDS

UPRIGHT_HANDLES = (Kind.BRUSH, Kind.SCRAPER)
"""Tools that stand on a wide head; the hand closes along it."""
SIDE_HANDLES = (Kind.HAMMER, Kind.JUG, Kind.PAN, Kind.DRILL)
"""Tools with a handle along x, and the rest of them beyond its +x end; the hand closes across it."""
VESSELS = (Kind.CUP, Kind.BEAKER)
"""What balls are poured out of."""

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
    Kind.JUG: (0.020, 0.011, 0.048),
    Kind.PAN: (0.055, 0.012, 0.032),
    Kind.DRILL: (0.065, 0.014, 0.032),
    Kind.BEAKER: (0.031, 0.031, 0.050),
    Kind.SCRAPER: (0.014, 0.017, 0.065),
}
"""Half extents of the graspable body, object axes, z up: a mug's handle, the head of a brush along x, and what a tool
has beyond the +x end of its handle stick out further. z is always the height of the centre above what it stands on."""

MUG_HANDLE_M = 0.028
BRUSH_HEAD_HALF_M = (0.065, 0.014, 0.016)
HAMMER_HEAD_HALF_M = (0.022, 0.040, 0.032)
HAMMER_END_HALF_M = (0.008, 0.020, 0.032)
JUG_RADIUS_M, JUG_GAP_M = 0.040, 0.034
PAN_RADIUS_M, PAN_HALF_HEIGHT_M = 0.055, 0.018
DRILL_BODY_HALF_M = (0.024, 0.052, 0.032)
DRILL_BATTERY_HALF_M = (0.012, 0.030, 0.032)
SCRAPER_BLADE_HALF_M = (0.062, 0.012, 0.026)


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
            Kind.SCRAPER: SCRAPER_BLADE_HALF_M[0] - x,
            Kind.HAMMER: 2 * HAMMER_HEAD_HALF_M[0],
            Kind.JUG: JUG_GAP_M + 2 * JUG_RADIUS_M,
            Kind.PAN: 2 * PAN_RADIUS_M,
            Kind.DRILL: 2 * DRILL_BODY_HALF_M[0],
        }
        return x + beyond_m.get(self.kind, 0.0)

    @property
    def discs_m(self) -> NDArray[np.float64]:
        """Discs on the table that cover it closely: (n, 2), place along its x axis and radius."""
        x, y, _ = self.half_extents_m
        if self.kind in UPRIGHT_HANDLES:
            return np.array([(at, 0.022) for at in (-0.045, -0.015, 0.015, 0.045)])
        beyond = {
            Kind.HAMMER: (x + HAMMER_HEAD_HALF_M[0], 0.046),
            Kind.JUG: (x + JUG_GAP_M + JUG_RADIUS_M, JUG_RADIUS_M + 0.006),
            Kind.PAN: (x + PAN_RADIUS_M, PAN_RADIUS_M + 0.003),
            Kind.DRILL: (x + DRILL_BODY_HALF_M[0], 0.075),
        }
        if self.kind not in beyond:
            return np.array([(0.0, self.footprint_radius_m)])
        return np.array([(-x, 0.032), (0.0, y + 0.015), (0.6 * x, y + 0.010), beyond[self.kind]])


@dataclass(frozen=True, slots=True)
class PlacedObject:
    """An object standing on the table at `position_m` (its centre, in base_link), turned by `yaw_rad`."""

    spec: ObjectSpec
    position_m: tuple[float, float, float]
    yaw_rad: float

    @property
    def discs_m(self) -> NDArray[np.float64]:
        """Discs on the table that cover it: (n, 3), centre in base_link and radius."""
        along, radius = self.spec.discs_m.T
        x, y, _ = self.position_m
        return np.stack([x + along * np.cos(self.yaw_rad), y + along * np.sin(self.yaw_rad), radius], axis=1)

    def distance_m(self, xy_m: ArrayLike) -> float:
        """From a point on the table (2,) to its edge; negative inside.

        Args:
            xy_m: The point, base_link.
        """
        discs = self.discs_m
        return float((np.linalg.norm(discs[:, :2] - np.asarray(xy_m), axis=1) - discs[:, 2]).min())

    def gap_m(self, other: PlacedObject) -> float:
        """Free space between this and another object, edge to edge."""
        return min(self.distance_m(disc[:2]) - float(disc[2]) for disc in other.discs_m)


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
