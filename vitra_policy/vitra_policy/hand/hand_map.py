"""Map between MANO-convention finger rotations and the joints of a robot hand (paper Fig. 5).

One table serves both hands: finger rotations are in right-hand convention for left and right alike, and a robot hand's
positive directions are mirrored with the hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.action_space import FINGERS_DIM, HAND_DIM, WRIST_DIM, ShapeMismatchError
from vitra_policy.errors import VitraError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class HandMapError(VitraError):
    """A table that is no map."""


@dataclass(frozen=True, slots=True)
class MappedJoint:
    """One joint of a robot hand and the MANO Euler angles that it stands for.

    Attributes:
        name: Joint name without the side prefix.
        angles: (index in the 51-vector of a hand, weight) pairs: each such angle is weight * joint angle.
    """

    name: str
    angles: tuple[tuple[int, float], ...]


class HandMap:
    """Finger angles to joints and back; angles that no joint moves are 0 on the way back.

    A joint that stands for several angles takes their least-squares fit, so that joints -> angles -> joints is exact.

    Args:
        joints: in the order of the robot hand's driver.

    Raises:
        HandMapError: an angle that is no finger's or belongs to two joints, a weight of 0, a joint without angles.
    """

    def __init__(self, joints: tuple[MappedJoint, ...]) -> None:
        self.joints = joints
        terms = [(number, dim, weight) for number, joint in enumerate(joints) for dim, weight in joint.angles]
        dims = [dim for _, dim, _ in terms]
        for number, joint in enumerate(joints):
            if not joint.angles:
                raise HandMapError(f"Joint {number} '{joint.name}' stands for no angle.")
        for number, dim, weight in terms:
            if not WRIST_DIM <= dim < HAND_DIM or weight == 0 or dims.count(dim) > 1:
                raise HandMapError(
                    f"Joint '{joints[number].name}': angle {dim} with weight {weight}. Angles are {WRIST_DIM} to "
                    f"{HAND_DIM - 1}, each of at most one joint, and weights are not 0."
                )
        self._dims = np.array(dims) - WRIST_DIM
        self._weights = np.array([weight for _, _, weight in terms], dtype=np.float64)
        self._joint_of_term = np.array([number for number, _, _ in terms])
        self._first_term = np.flatnonzero(np.diff(self._joint_of_term, prepend=-1))
        self._squares = np.add.reduceat(self._weights**2, self._first_term)
        self.mapped_fingers: BoolArray = np.isin(np.arange(FINGERS_DIM), self._dims)
        """(45,) True where a joint moves that MANO angle."""

    @property
    def names(self) -> tuple[str, ...]:
        """Joint names without the side prefix."""
        return tuple(joint.name for joint in self.joints)

    @property
    def dof(self) -> int:
        """Number of joints."""
        return len(self.joints)

    def joints_from_fingers(self, fingers: ArrayLike) -> FloatArray:
        """Joint values (..., dof) of finger angles (..., 45), rad; no limits are applied.

        Raises:
            ShapeMismatchError: for another width.
        """
        values = expect_width("finger angles", fingers, FINGERS_DIM)
        terms = values[..., self._dims] * self._weights
        return np.asarray(np.add.reduceat(terms, self._first_term, axis=-1) / self._squares)

    def fingers_from_joints(self, joints: ArrayLike) -> FloatArray:
        """Finger angles (..., 45) of joint values (..., dof), rad.

        Raises:
            ShapeMismatchError: for another width.
        """
        values = expect_width("hand joints", joints, self.dof)
        fingers = np.zeros((*values.shape[:-1], FINGERS_DIM))
        fingers[..., self._dims] = values[..., self._joint_of_term] * self._weights
        return fingers


def expect_width(what: str, values: ArrayLike, width: int) -> FloatArray:
    """Values as an array (..., width), or `ShapeMismatchError`.

    Args:
        what: The values' name, for the error.
        values: Any shape (..., width).
        width: Numbers expected.

    Raises:
        ShapeMismatchError: another width.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape[-1:] != (width,):
        raise ShapeMismatchError(what, array.shape, f"(..., {width})")
    return array
