"""How things on the table are built for MuJoCo: bodies of a few convex shapes each."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np

from vitra_sim.scene.objects import (
    BRUSH_HEAD_HALF_M,
    DRILL_BATTERY_HALF_M,
    DRILL_BODY_HALF_M,
    HAMMER_END_HALF_M,
    HAMMER_HEAD_HALF_M,
    JUG_GAP_M,
    JUG_RADIUS_M,
    MUG_HANDLE_M,
    PAN_HALF_HEIGHT_M,
    PAN_RADIUS_M,
    SCRAPER_BLADE_HALF_M,
    UPRIGHT_HANDLES,
    VESSELS,
    Kind,
    ObjectSpec,
    PlacedObject,
)
from vitra_sim.scene.robot_model import set_contact

_DENSITY_KG_M3 = 350.0
_HOUSING_KG_M3 = 180.0  # of a drill: the hand holds it at the handle's middle, beside its weight
_ROLLING = 0.065  # rolling friction of balls, of their radius
VESSEL_WALL_M = 0.004
VESSEL_FLARE_RAD: dict[Kind, float] = {Kind.CUP: 0.14, Kind.BEAKER: 0.0}
_STAVES = 12
HANDLE = "handle"
"""A geom whose name ends like this is what a tool is meant to be held by."""


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
            geom.condim, geom.friction = 6, (1.0, 0.01, _ROLLING * placed.spec.half_extents_m[0])
        elif geom.name.endswith(HANDLE) or placed.spec.kind in VESSELS:  # rubber: does not turn between the pads
            geom.friction = (1.5, 0.03, 0.0001)
        elif placed.spec.kind in UPRIGHT_HANDLES:  # bristles and blades slide over the table
            geom.friction, geom.priority = (0.3, 0.003, 0.0001), 1
        elif placed.spec.kind is Kind.MARBLE:  # smooth, whatever it touches
            geom.condim, geom.friction, geom.priority = 6, (0.3, 0.003, 0.0003), 1


def _add(
    body: mujoco.MjsBody,
    of: ObjectSpec,
    shape: mujoco.mjtGeom,
    size: tuple[float, ...],
    density_kg_m3: float = _DENSITY_KG_M3,
    **where: object,
) -> None:
    padded = [*size, 0.0, 0.0][:3]
    body.add_geom(type=shape, size=padded, rgba=of.rgba, density=density_kg_m3, **where)


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


def _mug(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    radius, _, half_height = of.half_extents_m
    _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (radius, half_height))
    outer, grip = radius + MUG_HANDLE_M - 0.006, 0.5 * half_height
    for start, end in (
        ((radius - 0.004, 0, grip), (outer, 0, grip)),
        ((outer, 0, grip), (outer, 0, -grip)),
        ((outer, 0, -grip), (radius - 0.004, 0, -grip)),
    ):
        _add(body, of, mujoco.mjtGeom.mjGEOM_CAPSULE, (0.006,), fromto=[*start, *end])


def _egg(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    """An egg in a stand that is as wide as a coin, so that it stays upright."""
    _add(body, of, mujoco.mjtGeom.mjGEOM_ELLIPSOID, of.half_extents_m)
    foot = 0.15 * of.half_extents_m[2]
    where = [0, 0, foot - of.half_extents_m[2]]
    _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (0.5 * of.half_extents_m[0], foot), pos=where)


def _jar(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    """A wide body with a narrower lid."""
    radius, _, half_height = of.half_extents_m
    lid = 0.2 * half_height
    _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (radius, half_height - lid), pos=[0, 0, -lid])
    _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (0.75 * radius, lid), pos=[0, 0, half_height - lid])


def _spool(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    """Two discs and what is wound between them."""
    radius, _, half_height = of.half_extents_m
    disc = 0.15 * half_height
    _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (0.8 * radius, half_height - disc))
    for end in (-1, 1):
        _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (radius, disc), pos=[0, 0, end * (half_height - disc)])


def _vessel(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    radius, _, half_height = of.half_extents_m
    _add_vessel(body, of, (0.0, 0.0, 0.0), radius, half_height, VESSEL_FLARE_RAD[of.kind])


def _add_vessel(
    body: mujoco.MjsBody,
    of: ObjectSpec,
    centre_m: tuple[float, float, float],
    radius: float,
    half_height: float,
    flare_rad: float,
) -> None:
    """An open vessel: a floor, and staves that lean outwards."""
    x, y, z = centre_m
    wall = VESSEL_WALL_M / 2
    top = radius + half_height * np.tan(flare_rad)
    width, middle = top * np.tan(np.pi / _STAVES), radius - wall
    for angle in np.arange(_STAVES) * 2 * np.pi / _STAVES:
        about_z = np.array([np.cos(angle / 2), 0, 0, np.sin(angle / 2)])
        lean = np.array([np.cos(flare_rad / 2), 0, np.sin(flare_rad / 2), 0])
        quat = np.empty(4)
        mujoco.mju_mulQuat(quat, about_z, lean)
        where = [x + middle * np.cos(angle), y + middle * np.sin(angle), z]
        _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, (wall, width, half_height), pos=where, quat=quat)
    floor = radius - half_height * np.tan(flare_rad)
    _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (floor, wall), pos=[x, y, z + wall - half_height])


def _brush(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    """A wide head below an upright handle."""
    x, y, half_height = of.half_extents_m
    handle = half_height - BRUSH_HEAD_HALF_M[2]  # half its length
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, BRUSH_HEAD_HALF_M, pos=[0, 0, BRUSH_HEAD_HALF_M[2] - half_height])
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, (x, y, handle), pos=[0, 0, half_height - handle], name=_handle(of))


def _hammer(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    """A handle between head and end cap; it lies on both, so that fingers pass under it."""
    x, y, height = of.half_extents_m
    head, end = HAMMER_HEAD_HALF_M, HAMMER_END_HALF_M
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, (x, y, y), name=_handle(of))
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, (*head[:2], height), pos=[x + head[0], 0, 0])
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, (*end[:2], height), pos=[-x - end[0], 0, 0])


def _scraper(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    """A tall blade below a flat upright handle."""
    x, y, half_height = of.half_extents_m
    blade = SCRAPER_BLADE_HALF_M
    handle = half_height - blade[2]  # half its length
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, blade, pos=[0, 0, blade[2] - half_height])
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, (x, y, handle), pos=[0, 0, half_height - handle], name=_handle(of))


def _jug(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    """An open body, and a handle beside it that two fingers fit through."""
    x, y, half_height = of.half_extents_m
    _add_vessel(body, of, (x + JUG_GAP_M + JUG_RADIUS_M, 0.0, 0.0), JUG_RADIUS_M, half_height, 0.0)
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, (x, y, 0.75 * half_height), name=_handle(of))
    for end, part in ((-1, "lower"), (1, "upper")):
        where = [x + JUG_GAP_M / 2, 0, end * 0.65 * half_height]
        size = (JUG_GAP_M / 2 + 0.002, 0.6 * y, 0.1 * half_height)
        _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, size, pos=where, name=f"{of.name}_{part}_{HANDLE}")


def _pan(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    """A shallow bowl at the end of a level handle."""
    x, y, height = of.half_extents_m
    centre = (x + PAN_RADIUS_M - 0.004, 0.0, PAN_HALF_HEIGHT_M - height)
    _add_vessel(body, of, centre, PAN_RADIUS_M, PAN_HALF_HEIGHT_M, 0.1)
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, (x, y, y), name=_handle(of))


def _drill(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    """A drill that lies on its side: body and chuck across one end of the handle, the battery at the other."""
    x, y, height = of.half_extents_m
    housing, battery = DRILL_BODY_HALF_M, DRILL_BATTERY_HALF_M
    at = x + housing[0]
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, (x, y, y), name=_handle(of))
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, (*housing[:2], height), _HOUSING_KG_M3, pos=[at, 0, 0])
    _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, (*battery[:2], height), pos=[-x - battery[0], 0, 0])
    chuck = [at, housing[1], 0, at, housing[1] + 0.03, 0]
    _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (0.012,), _HOUSING_KG_M3, fromto=chuck)


def _handle(of: ObjectSpec) -> str:
    return f"{of.name}_{HANDLE}"


_SHAPES: dict[Kind, Callable[[mujoco.MjsBody, ObjectSpec], None]] = {
    Kind.CUBE: _cube,
    Kind.CAN: _can,
    Kind.BALL: _ball,
    Kind.MARBLE: _ball,
    Kind.BOTTLE: _bottle,
    Kind.MUG: _mug,
    Kind.CUP: _vessel,
    Kind.BEAKER: _vessel,
    Kind.BRUSH: _brush,
    Kind.HAMMER: _hammer,
    Kind.EGG: _egg,
    Kind.CARTON: _cube,
    Kind.JAR: _jar,
    Kind.SPOOL: _spool,
    Kind.SCRAPER: _scraper,
    Kind.JUG: _jug,
    Kind.PAN: _pan,
    Kind.DRILL: _drill,
}
