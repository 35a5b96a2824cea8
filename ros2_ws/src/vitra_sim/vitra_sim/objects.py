"""Things on the table: what they look like, how they touch, and how big they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import mujoco
import numpy as np
from numpy.typing import NDArray

from vitra_sim.robot_model import set_contact

Rgba = tuple[float, float, float, float]

COLOURS: dict[str, Rgba] = {
    "red": (0.80, 0.12, 0.10, 1.0),
    "green": (0.15, 0.60, 0.22, 1.0),
    "blue": (0.12, 0.30, 0.78, 1.0),
    "yellow": (0.92, 0.76, 0.12, 1.0),
    "orange": (0.93, 0.48, 0.10, 1.0),
    "purple": (0.48, 0.22, 0.62, 1.0),
    "white": (0.92, 0.92, 0.90, 1.0),
}


class Kind(StrEnum):
    """Shapes of objects that a hand can pick up."""

    CUBE = "cube"
    CAN = "can"
    BOTTLE = "bottle"
    BALL = "ball"
    MUG = "mug"


NOMINAL_HALF_EXTENTS_M: dict[Kind, tuple[float, float, float]] = {
    Kind.CUBE: (0.026, 0.026, 0.028),
    Kind.CAN: (0.030, 0.030, 0.050),
    Kind.BOTTLE: (0.029, 0.029, 0.075),
    Kind.BALL: (0.031, 0.031, 0.031),
    Kind.MUG: (0.034, 0.034, 0.042),
}
"""Half extents of the graspable body (a mug's handle sticks out further), object axes, z up."""

_DENSITY_KG_M3 = 350.0


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
        if self.kind is Kind.CUBE:
            return float(np.hypot(x, y))
        return x + (_MUG_HANDLE_M if self.kind is Kind.MUG else 0.0)


@dataclass(frozen=True, slots=True)
class PlacedObject:
    """An object standing on the table at `position_m` (its centre, in base_link), turned by `yaw_rad`."""

    spec: ObjectSpec
    position_m: tuple[float, float, float]
    yaw_rad: float


def add_object(spec: mujoco.MjSpec, placed: PlacedObject) -> None:
    """Add a free body named as the object, at its place."""
    half_yaw = placed.yaw_rad / 2
    body = spec.worldbody.add_body(
        name=placed.spec.name, pos=placed.position_m, quat=[np.cos(half_yaw), 0, 0, np.sin(half_yaw)]
    )
    body.add_freejoint(name=placed.spec.name)
    _SHAPES[placed.spec.kind](body, placed.spec)
    for geom in body.geoms:
        set_contact(geom, robot=False)
        if placed.spec.kind is Kind.BALL:  # or it rolls for ever
            geom.condim, geom.friction = 6, (1.0, 0.01, 0.002)


def _add(body: mujoco.MjsBody, of: ObjectSpec, shape: mujoco.mjtGeom, size: tuple[float, ...], **where: object) -> None:
    padded = [*size, 0.0, 0.0][:3]
    body.add_geom(type=shape, size=padded, rgba=of.rgba, density=_DENSITY_KG_M3, **where)


def _cube(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, of.half_extents_m)


def _can(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    radius, _, half_height = of.half_extents_m
    _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (radius, half_height))


def _ball(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    _add(body, of, mujoco.mjtGeom.mjGEOM_SPHERE, of.half_extents_m[:1])


def _bottle(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    radius, _, half_height = of.half_extents_m
    neck = 0.25 * half_height  # half its length
    _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (radius, half_height - neck), pos=[0, 0, -neck])
    _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (0.4 * radius, neck), pos=[0, 0, half_height - neck])


_MUG_HANDLE_M = 0.028


def _mug(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    radius, _, half_height = of.half_extents_m
    _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (radius, half_height))
    outer, grip = radius + _MUG_HANDLE_M - 0.006, 0.5 * half_height
    for start, end in (
        ((radius - 0.004, 0, grip), (outer, 0, grip)),
        ((outer, 0, grip), (outer, 0, -grip)),
        ((outer, 0, -grip), (radius - 0.004, 0, -grip)),
    ):
        _add(body, of, mujoco.mjtGeom.mjGEOM_CAPSULE, (0.006,), fromto=[*start, *end])


_SHAPES: dict[Kind, Callable[[mujoco.MjsBody, ObjectSpec], None]] = {
    Kind.CUBE: _cube,
    Kind.CAN: _can,
    Kind.BALL: _ball,
    Kind.BOTTLE: _bottle,
    Kind.MUG: _mug,
}


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
