"""How things on the table are built for MuJoCo: bodies of a few convex shapes each."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np

from vitra_sim.scene.objects import (
    BRUSH_HEAD_HALF_M,
    HAMMER_END_HALF_M,
    HAMMER_HEAD_HALF_M,
    MUG_HANDLE_M,
    Kind,
    ObjectSpec,
    PlacedObject,
)
from vitra_sim.scene.robot_model import set_contact

_DENSITY_KG_M3 = 350.0
_ROLLING = 0.065  # rolling friction of balls, of their radius
CUP_WALL_M, CUP_FLARE_RAD = 0.004, 0.14
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
        elif geom.name.endswith(HANDLE) or placed.spec.kind is Kind.CUP:  # rubber: does not turn between the pads
            geom.friction = (1.5, 0.03, 0.0001)
        elif placed.spec.kind is Kind.MARBLE:  # smooth, whatever it touches
            geom.condim, geom.friction, geom.priority = 6, (0.3, 0.003, 0.0003), 1


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


def _cup(body: mujoco.MjsBody, of: ObjectSpec) -> None:
    """An open vessel: a floor, and staves that lean outwards."""
    radius, _, half_height = of.half_extents_m
    wall = CUP_WALL_M / 2
    top = radius + half_height * np.tan(CUP_FLARE_RAD)
    width, middle = top * np.tan(np.pi / _STAVES), radius - wall
    for angle in np.arange(_STAVES) * 2 * np.pi / _STAVES:
        about_z = np.array([np.cos(angle / 2), 0, 0, np.sin(angle / 2)])
        lean = np.array([np.cos(CUP_FLARE_RAD / 2), 0, np.sin(CUP_FLARE_RAD / 2), 0])
        quat = np.empty(4)
        mujoco.mju_mulQuat(quat, about_z, lean)
        where = [middle * np.cos(angle), middle * np.sin(angle), 0]
        _add(body, of, mujoco.mjtGeom.mjGEOM_BOX, (wall, width, half_height), pos=where, quat=quat)
    floor = radius - half_height * np.tan(CUP_FLARE_RAD)
    _add(body, of, mujoco.mjtGeom.mjGEOM_CYLINDER, (floor, wall), pos=[0, 0, wall - half_height])


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


def _handle(of: ObjectSpec) -> str:
    return f"{of.name}_{HANDLE}"


_SHAPES: dict[Kind, Callable[[mujoco.MjsBody, ObjectSpec], None]] = {
    Kind.CUBE: _cube,
    Kind.CAN: _can,
    Kind.BALL: _ball,
    Kind.MARBLE: _ball,
    Kind.BOTTLE: _bottle,
    Kind.MUG: _mug,
    Kind.CUP: _cup,
    Kind.BRUSH: _brush,
    Kind.HAMMER: _hammer,
    Kind.EGG: _egg,
    Kind.CARTON: _cube,
    Kind.JAR: _jar,
    Kind.SPOOL: _spool,
}
