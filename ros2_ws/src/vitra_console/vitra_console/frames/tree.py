"""The robot's URDF as a tree of transforms: which edges are fixed, which move, and where they are."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_description import names
from vitra_policy.action_space import SIDES
from vitra_policy.errors import VitraError

Quaternion = tuple[float, float, float, float]
"""x, y, z, w; plain numbers, which are ten times faster one by one than arrays."""


class TreeError(VitraError):
    """The frames do not form one tree."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge: a joint of the URDF.

    Attributes:
        parent: Frame above.
        child: Frame below.
        joint: Name of the joint that moves it; empty if it is fixed.
        translation_m: Of the child in the parent, shape (3,).
        rotation: At zero.
        axis: Unit axis in the child's frame.
    """

    parent: str
    child: str
    joint: str
    translation_m: NDArray[np.float64]
    rotation: Quaternion
    axis: tuple[float, float, float]

    def rotation_at(self, angle_rad: float) -> Quaternion:
        """Rotation of the child in the parent with the joint at an angle."""
        sine, (x, y, z) = math.sin(angle_rad / 2), self.axis
        return multiply(self.rotation, (sine * x, sine * y, sine * z, math.cos(angle_rad / 2)))


def calibrated_edges() -> frozenset[tuple[str, str]]:
    """Edges (parent, child) that `calibration_publisher` states; nobody else may."""
    edges = {(names.BASE_FRAME, names.CAMERA_FRAME), (names.CAMERA_FRAME, names.CAMERA_LINK_FRAME)}
    for side in SIDES:
        edges |= {
            (names.BASE_FRAME, names.arm_base(side)),
            (names.ee(side), names.hand_base(side)),
            (names.hand_base(side), names.hand_mount(side)),
        }
    return frozenset(edges)


def urdf_edges(urdf: str) -> tuple[Edge, ...]:
    """Every joint of a URDF, revolute or fixed."""
    edges = []
    for joint in ET.fromstring(urdf).findall("joint"):
        origin, axis = joint.find("origin"), joint.find("axis")
        xyz = _vector(origin, "xyz")
        parent, child = joint.find("parent"), joint.find("child")
        assert parent is not None
        assert child is not None
        moves = joint.get("type") != "fixed"
        edges.append(
            Edge(
                parent.attrib["link"], child.attrib["link"], joint.attrib["name"] if moves else "", xyz,
                _from_rpy(_vector(origin, "rpy")), _axis(axis),
            )
        )  # fmt: skip
    return tuple(edges)


def check_tree(edges: Iterable[tuple[str, str]]) -> str:
    """Name of the root, if the edges form one tree.

    Raises:
        TreeError: a frame with two parents, or frames that hang together with nothing.
    """
    parents: dict[str, str] = {}
    for parent, child in edges:
        if child in parents:
            raise TreeError(f"Frame '{child}' has two parents: '{parents[child]}' and '{parent}'.")
        parents[child] = parent
    roots = sorted(set(parents.values()) - set(parents))
    if len(roots) != 1:
        raise TreeError(f"The frames are {len(roots)} trees, with the roots {', '.join(roots)}.")
    return roots[0]


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """Product of two rotations, a after b."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def _vector(element: ET.Element | None, key: str) -> NDArray[np.float64]:
    return np.array([float(v) for v in (element.get(key, "0 0 0") if element is not None else "0 0 0").split()])


def _axis(element: ET.Element | None) -> tuple[float, float, float]:
    x, y, z = (1.0, 0.0, 0.0) if element is None else _vector(element, "xyz").tolist()
    return x, y, z


def _from_rpy(rpy: NDArray[np.float64]) -> Quaternion:
    result = (0.0, 0.0, 0.0, 1.0)
    for axis, angle in zip((2, 1, 0), rpy[::-1].tolist(), strict=True):
        turn = [0.0, 0.0, 0.0]
        turn[axis] = math.sin(angle / 2)
        result = multiply(result, (turn[0], turn[1], turn[2], math.cos(angle / 2)))
    return result
