"""Meshes and posture of the robot out of its URDF, for viewers: one mesh per link, made of the URDF's own shapes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

_ROUND = 24
Vertices = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LinkMesh:
    """Triangles of a link in its own frame.

    Attributes:
        vertices_m: Shape (n, 3).
        normals: Shape (n, 3).
        triangles: Vertex numbers, shape (m, 3).
        colours: RGBA per vertex, shape (n, 4).
    """

    vertices_m: Vertices
    normals: Vertices
    triangles: NDArray[np.uint32]
    colours: NDArray[np.uint8]


def link_meshes(urdf: str) -> dict[str, LinkMesh]:
    """Mesh of every link that has visual shapes (boxes, cylinders, spheres)."""
    root = ET.fromstring(urdf)
    palette = {m.attrib["name"]: m.find("color") for m in root.iter("material") if m.find("color") is not None}
    meshes = {}
    for link in root.findall("link"):
        parts = [_part(visual, palette) for visual in link.findall("visual")]
        if parts:
            meshes[link.attrib["name"]] = _merged(parts)
    return meshes


class Posture:
    """Poses of all links and wrists from joint values.

    Args:
        urdf: of the whole robot.
    """

    def __init__(self, urdf: str) -> None:
        self._model = pin.buildModelFromXML(urdf)
        self._data = self._model.createData()
        self._q = pin.neutral(self._model)
        self._index = {name: self._model.joints[i].idx_q for i, name in enumerate(self._model.names) if i}
        self._frames = {frame.name: i for i, frame in enumerate(self._model.frames)}

    def set(self, joints: Mapping[str, float]) -> None:
        """Take over joint values [rad]; joints that the robot does not have are passed over."""
        for name, value in joints.items():
            if name in self._index:
                self._q[self._index[name]] = value

    def update(self) -> None:
        """Compute all frames from the joints."""
        pin.framesForwardKinematics(self._model, self._data, self._q)

    def base_from(self, frame: str) -> NDArray[np.float64]:
        """Pose of a frame in base_link after `update`, shape (4, 4)."""
        return np.array(self._data.oMf[self._frames[frame]].homogeneous)


def _part(visual: ET.Element, palette: Mapping[str, ET.Element | None]) -> LinkMesh:
    geometry = visual.find("geometry")
    assert geometry is not None
    shape = geometry[0]
    if shape.tag == "box":
        half = np.array([float(v) for v in shape.attrib["size"].split()]) / 2
        vertices, normals, triangles = _box(half)
    elif shape.tag == "cylinder":
        vertices, normals, triangles = _cylinder(float(shape.attrib["radius"]), float(shape.attrib["length"]) / 2)
    else:
        vertices, normals, triangles = _sphere(float(shape.attrib["radius"]))
    origin = visual.find("origin")
    values = {"xyz": "0 0 0", "rpy": "0 0 0"} | (dict(origin.attrib) if origin is not None else {})
    xyz, rpy = (np.array([float(v) for v in values[key].split()]) for key in ("xyz", "rpy"))
    turn = pin.rpy.rpyToMatrix(rpy)
    material = visual.find("material")
    colour = palette.get(material.attrib.get("name", "")) if material is not None else None
    rgba = [0.6, 0.6, 0.6, 1.0] if colour is None else [float(v) for v in colour.attrib["rgba"].split()]
    return LinkMesh(
        (vertices @ turn.T + xyz).astype(np.float32),
        (normals @ turn.T).astype(np.float32),
        triangles,
        np.tile(np.round(255 * np.array(rgba)).astype(np.uint8), (len(vertices), 1)),
    )


def _merged(parts: list[LinkMesh]) -> LinkMesh:
    offsets = np.cumsum([0, *(len(p.vertices_m) for p in parts[:-1])])
    return LinkMesh(
        np.vstack([p.vertices_m for p in parts]),
        np.vstack([p.normals for p in parts]),
        np.vstack([p.triangles + np.uint32(o) for p, o in zip(parts, offsets, strict=True)]).astype(np.uint32),
        np.vstack([p.colours for p in parts]),
    )


def _box(half: NDArray[np.float64]) -> tuple[Vertices, Vertices, NDArray[np.uint32]]:
    vertices: list[NDArray[np.float64]] = []
    normals: list[NDArray[np.float64]] = []
    triangles: list[list[int]] = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1.0, 1.0):
            first = len(vertices)
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                corner = np.zeros(3)
                corner[axis], corner[u], corner[v] = sign, a, b
                vertices.append(corner * half)
                normals.append(np.eye(3)[axis] * sign)
            turn = (0, 1, 2, 3) if sign > 0 else (0, 3, 2, 1)
            triangles += [[first + turn[i] for i in three] for three in ((0, 1, 2), (0, 2, 3))]
    return np.array(vertices, np.float32), np.array(normals, np.float32), np.array(triangles, np.uint32)


def _cylinder(radius: float, half: float) -> tuple[Vertices, Vertices, NDArray[np.uint32]]:
    angles = np.arange(_ROUND) * 2 * np.pi / _ROUND
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(_ROUND)], axis=1)
    vertices, normals, triangles = [], [], []
    for sign in (-1.0, 1.0):  # the wall
        vertices.append(ring * radius + [0, 0, sign * half])
        normals.append(ring)
    for i in range(_ROUND):
        j = (i + 1) % _ROUND
        triangles += [[i, j, _ROUND + j], [i, _ROUND + j, _ROUND + i]]
    for sign in (-1.0, 1.0):  # the ends
        first = 2 * _ROUND + (0 if sign < 0 else _ROUND + 1)
        vertices.append(np.vstack([ring * radius, [[0, 0, 0]]]) + [0, 0, sign * half])
        normals.append(np.tile([0, 0, sign], (_ROUND + 1, 1)))
        for i in range(_ROUND):
            j = (i + 1) % _ROUND
            edge = (i, j) if sign > 0 else (j, i)
            triangles.append([first + _ROUND, first + edge[0], first + edge[1]])
    return np.vstack(vertices).astype(np.float32), np.vstack(normals).astype(np.float32), np.array(triangles, np.uint32)


def _sphere(radius: float) -> tuple[Vertices, Vertices, NDArray[np.uint32]]:
    rows = _ROUND // 2
    polar = np.linspace(0, np.pi, rows + 1)
    around = np.arange(_ROUND) * 2 * np.pi / _ROUND
    unit = np.stack(
        [
            np.outer(np.sin(polar), np.cos(around)), np.outer(np.sin(polar), np.sin(around)),
            np.repeat(np.cos(polar)[:, None], _ROUND, axis=1),
        ], axis=-1,
    ).reshape(-1, 3)  # fmt: skip
    triangles = []
    for row in range(rows):
        for i in range(_ROUND):
            a, b = row * _ROUND + i, row * _ROUND + (i + 1) % _ROUND
            triangles += [[a, a + _ROUND, b + _ROUND], [a, b + _ROUND, b]]
    return (radius * unit).astype(np.float32), unit.astype(np.float32), np.array(triangles, np.uint32)
