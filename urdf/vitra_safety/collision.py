"""Smallest distance of the arms and hands to themselves, to each other, to the torso and to the table.

Shapes come from the URDF: each cylinder counts as the capsule around it, boxes stay boxes. The fingers are one capsule
as long as the open hand, since an arm driver does not know the finger joints; it is not held against the table, which
fingers must be able to touch. Distances are exact for these shapes (coal).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import coal
import numpy as np
import pinocchio as pin
from numpy.typing import ArrayLike, NDArray

from vitra_description.calibration import Calibration
from vitra_description.description import robot_description
from vitra_description.kinematics import JointVectorError
from vitra_description.names import ArmVariant, arm_joints
from vitra_policy.action_space import SIDES, Side

Array = NDArray[np.float64]

_SKIPPED_NEIGHBOURS = 2
"""Links this few joints apart cannot meet within their limits, or always touch."""
_TORSO_FROM_LINK = 3
"""Links below this are part of the shoulder, beside the torso at all times."""


@dataclass(frozen=True, slots=True)
class Closest:
    """The closest pair: distance in metres (negative = overlap), names of both shapes."""

    distance_m: float
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.distance_m * 1e3:.1f} mm between {self.first} and {self.second}"


@dataclass(frozen=True, slots=True)
class _Shape:
    name: str
    side: str
    level: int
    fingers: bool
    index: int


class CollisionModel:
    """Distances of one arm, or of both together.

    Args:
        calibration: Mounting of the arms.
        sides: Arms to include.
        table_height_m: Height of the table top over the base; None leaves the table out.
        variant: Arm variant.
        parked: Joints (7,) of arms that stand there and are not driven.
    """

    def __init__(
        self,
        calibration: Calibration,
        sides: Sequence[str] = SIDES,
        table_height_m: float | None = None,
        variant: str = ArmVariant.RM75_6F,
        parked: Mapping[Side, ArrayLike] = MappingProxyType({}),
    ) -> None:
        self.sides = tuple(Side(side) for side in SIDES if side in sides)
        which = "both" if len({*self.sides, *parked}) == len(SIDES) else self.sides[0]
        text = robot_description(which, calibration, variant)
        full = pin.buildModelFromXML(text)
        moving = {name for side in self.sides for name in arm_joints(side)}
        fixed = [i for i, name in enumerate(full.names) if i > 0 and name not in moving]
        shapes = pin.buildGeomFromUrdfString(full, text, pin.GeometryType.COLLISION)
        posture = pin.neutral(full)
        for side, q_rad in parked.items():
            where = [full.joints[full.getJointId(name)].idx_q for name in arm_joints(side)]
            posture[where] = np.asarray(q_rad, dtype=np.float64)
        self._model, shapes = pin.buildReducedModel(full, shapes, fixed, posture)
        self._data = self._model.createData()
        self._index = np.array([self._model.joints[self._model.getJointId(n)].idx_q for n in self._joint_names()])
        self._fingers_m = calibration.hand.fingers_capsule_m
        self._geometry = pin.GeometryModel()
        self._shapes = self._add_shapes(shapes)
        self._add_pairs(table_height_m)
        for added in self._geometry.geometryObjects:
            added.geometry.computeLocalAABB()
        self._geometry_data = self._geometry.createData()
        name = [added.name for added in self._geometry.geometryObjects]
        self._names = [(name[pair.first], name[pair.second]) for pair in self._geometry.collisionPairs]

    def _joint_names(self) -> list[str]:
        return [name for side in self.sides for name in arm_joints(side)]

    @property
    def pairs(self) -> int:
        """Number of pairs that are measured."""
        return len(self._geometry.collisionPairs)

    @property
    def reach_m(self) -> Array:
        """For each joint in the order of `closest`, no point it moves is further from its axis; shape (7,) or (14,)."""
        model = self._model
        reach = np.zeros(model.nq)
        for shape in self._shapes:
            geometry = self._geometry.geometryObjects[shape.index]
            box = geometry.geometry.aabb_local
            corner = np.maximum(np.abs(box.min_), np.abs(box.max_))
            distance = float(np.linalg.norm(geometry.placement.translation) + np.linalg.norm(corner))
            joint = geometry.parentJoint
            while joint > 0:
                index = model.joints[joint].idx_q
                reach[index] = max(reach[index], distance)
                distance += float(np.linalg.norm(model.jointPlacements[joint].translation))
                joint = model.parents[joint]
        return np.asarray(reach[self._index])

    def closest(self, q_rad: ArrayLike) -> Closest:
        """The closest pair.

        Args:
            q_rad: Joints of the included arms, left before right, shape (7,) or (14,).

        Raises:
            JointVectorError: for another length.
        """
        given = np.asarray(q_rad, dtype=np.float64)
        if given.shape != self._index.shape:
            raise JointVectorError(f"Needs {self._index.size} joint positions in rad, got shape {given.shape}.")
        q = np.empty_like(given)
        q[self._index] = given
        pair = pin.computeDistances(self._model, self._data, self._geometry, self._geometry_data, q)
        return Closest(self._geometry_data.distanceResults[pair].min_distance, *self._names[pair])

    def distance_m(self, q_rad: ArrayLike) -> float:
        """Smallest distance of a posture (dof,); arguments as in `closest`."""
        return self.closest(q_rad).distance_m

    def _add_shapes(self, shapes: pin.GeometryModel) -> list[_Shape]:
        added: list[_Shape] = []
        for shape in shapes.geometryObjects:
            frame = self._model.frames[shape.parentFrame].name
            side, _, link = frame.partition("_")
            if link.startswith("hand_") and link != "hand_link":
                continue
            geometry = shape.geometry
            if isinstance(geometry, coal.Sphere):
                continue  # the end of a capsule, which the cylinder's own capsule covers
            if isinstance(geometry, coal.Cylinder):
                geometry = coal.Capsule(geometry.radius, 2 * geometry.halfLength)
            name = shape.name.rsplit("_", 1)[0]
            added.append(self._add(name, frame, shape.parentJoint, geometry, shape.placement))
            if link == "hand_link" and isinstance(geometry, coal.Box):
                start, end, radius = np.array(self._fingers_m[0]), np.array(self._fingers_m[1]), self._fingers_m[2]
                length = float(np.linalg.norm(end - start))
                turn = pin.Quaternion.FromTwoVectors(np.array([0.0, 0.0, 1.0]), end - start).toRotationMatrix()
                palm = self._model.frames[shape.parentFrame].placement
                placement = palm * pin.SE3(turn, (start + end) / 2)
                capsule = coal.Capsule(radius, length)
                added.append(self._add(f"{side}_fingers", frame, shape.parentJoint, capsule, placement, fingers=True))
        return added

    def _add(
        self, name: str, frame: str, joint: int, geometry: object, placement: pin.SE3, fingers: bool = False
    ) -> _Shape:
        index = self._geometry.addGeometryObject(pin.GeometryObject(name, joint, placement, geometry))
        side = frame.partition("_")[0]
        known = side in tuple(SIDES)
        name_of_joint = self._model.names[joint]
        level = int(name_of_joint.rsplit("_", 1)[1]) if joint > 0 else 0
        return _Shape(name, side if known else "", level, fingers, index)

    def _add_pairs(self, table_height_m: float | None) -> None:
        for i, a in enumerate(self._shapes):
            for b in self._shapes[i + 1 :]:
                if self._may_meet(a, b):
                    self._geometry.addCollisionPair(pin.CollisionPair(a.index, b.index))
        if table_height_m is None:
            return
        half_space = coal.Halfspace(np.array([0.0, 0.0, 1.0]), table_height_m)
        table = self._geometry.addGeometryObject(pin.GeometryObject("table", 0, pin.SE3.Identity(), half_space))
        for shape in self._shapes:
            if shape.level >= _TORSO_FROM_LINK and not shape.fingers:
                self._geometry.addCollisionPair(pin.CollisionPair(shape.index, table))

    @staticmethod
    def _may_meet(a: _Shape, b: _Shape) -> bool:
        if a.side == b.side:
            return bool(a.side) and abs(a.level - b.level) > _SKIPPED_NEIGHBOURS
        return max(a.level, b.level) >= _TORSO_FROM_LINK
