"""The table, its zones, and the box that is fixed to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitra_policy.action_space import Side
from vitra_sim.scene.objects import ObjectSpec, PlacedObject, Rgba

TABLE_HEIGHT_M = 0.75
TABLE_CENTRE_M = (0.60, 0.0)
TABLE_HALF_EXTENTS_M = (0.36, 0.60, 0.02)

_SETTLE_GAP_M = 0.0005


@dataclass(frozen=True, slots=True)
class Zone:
    """A rectangle on the table, in base_link."""

    x_m: tuple[float, float]
    y_m: tuple[float, float]

    @property
    def middle(self) -> tuple[float, float]:
        """Its middle."""
        return sum(self.x_m) / 2, sum(self.y_m) / 2

    def mirrored(self) -> Zone:
        """The same for the other hand."""
        return Zone(self.x_m, (-self.y_m[1], -self.y_m[0]))

    def sample(self, rng: np.random.Generator) -> tuple[float, float]:
        """A uniformly random point."""
        return float(rng.uniform(*self.x_m)), float(rng.uniform(*self.y_m))


RIGHT_ZONE = Zone((0.41, 0.47), (-0.33, -0.20))
"""Where the right hand's object may stand; every point passes the reachability check (a test)."""


CUP_ZONE = Zone((0.41, 0.46), (-0.33, -0.25))
"""Where the right hand's cup stands; it is put down again in the middle."""


def task_zone(side: Side) -> Zone:
    """Where the object to grasp may stand."""
    return for_side(RIGHT_ZONE, side)


def for_side(zone: Zone, side: Side) -> Zone:
    """A zone that is given for the right hand, for either hand."""
    return zone if side is Side.RIGHT else zone.mirrored()


@dataclass(frozen=True, slots=True)
class Box:
    """The open box that things are put into, or the mat that they are swept onto; it is fixed to the table.

    Attributes:
        position_m: Centre of its floor's underside.
        inner_half_m: Half its inner length and width.
        height_m: Height of its walls.
        wall_m: Thickness of walls and floor.
        rgba: Colour.
        is_mat: It is only drawn: things lie on it and are pushed over its edge.
    """

    position_m: tuple[float, float, float]
    inner_half_m: tuple[float, float]
    height_m: float
    wall_m: float
    rgba: Rgba
    is_mat: bool = False


def stand(spec: ObjectSpec, xy_m: tuple[float, float], yaw_rad: float) -> PlacedObject:
    """An object upright on the table.

    Args:
        spec: The object.
        xy_m: Where its middle stands, base_link.
        yaw_rad: Turn about the vertical.
    """
    return PlacedObject(spec, (*xy_m, TABLE_HEIGHT_M + spec.half_extents_m[2] + _SETTLE_GAP_M), yaw_rad)
