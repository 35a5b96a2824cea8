"""Map between MANO-convention finger rotations and the 12 joints of the XHand1 (paper Fig. 5, docs/model.md: XHand).

The same table serves both hands: finger rotations are in right-hand convention for left and right alike, and the
XHand's positive directions are mirrored with the hand. MANO dimensions that no XHand joint moves stay 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.action_space import FINGERS_DIM, HAND_DIM, WRIST_DIM, XHAND_DIM, XHAND_JOINTS, ShapeMismatchError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class XHandJoint:
    """One XHand joint and the MANO Euler angle it stands for."""

    name: str
    """Vendor joint name without the side prefix."""
    hand_dim: int
    """Index in the 51-vector of a hand."""
    sign: int
    """MANO angle = sign * joint angle."""

    @property
    def finger_dim(self) -> int:
        """Index in the 45 finger angles."""
        return self.hand_dim - WRIST_DIM


XHAND_MAP: tuple[XHandJoint, ...] = (
    XHandJoint("thumb_bend_joint", 44, +1),
    XHandJoint("thumb_rota_joint1", 43, -1),
    XHandJoint("thumb_rota_joint2", 46, -1),
    XHandJoint("index_bend_joint", 7, +1),
    XHandJoint("index_joint1", 8, +1),
    XHandJoint("index_joint2", 14, +1),
    XHandJoint("mid_joint1", 17, +1),
    XHandJoint("mid_joint2", 23, +1),
    XHandJoint("ring_joint1", 35, +1),
    XHandJoint("ring_joint2", 41, +1),
    XHandJoint("pinky_joint1", 26, +1),
    XHandJoint("pinky_joint2", 32, +1),
)
"""Joints in the vendor's SDK order."""

XHAND_JOINT_NAMES: tuple[str, ...] = tuple(joint.name for joint in XHAND_MAP)

_FINGER_DIMS = np.array([joint.finger_dim for joint in XHAND_MAP])
_SIGNS = np.array([joint.sign for joint in XHAND_MAP], dtype=np.float64)

MAPPED_FINGER_DIMS: BoolArray = np.isin(np.arange(FINGERS_DIM), _FINGER_DIMS)
"""(45,) True where an XHand joint moves that MANO angle."""
MAPPED_HAND_DIMS: BoolArray = np.concatenate([np.ones(WRIST_DIM, dtype=bool), MAPPED_FINGER_DIMS])
"""(51,) the same for a whole hand; the wrist always counts."""


def xhand_from_mano(fingers: ArrayLike) -> FloatArray:
    """XHand joint values (..., 12) of finger angles (..., 45), in vendor order; radians in, radians out.

    No limits are applied: clamping is the robot description's business.
    """
    values = _expect("finger angles", fingers, FINGERS_DIM)
    return values[..., _FINGER_DIMS] * _SIGNS


def mano_from_xhand(joints: ArrayLike) -> FloatArray:
    """Finger angles (..., 45) of XHand joint values (..., 12) in vendor order; unmapped angles are 0."""
    values = _expect("XHand joints", joints, XHAND_JOINTS)
    fingers = np.zeros((*values.shape[:-1], FINGERS_DIM))
    fingers[..., _FINGER_DIMS] = values * _SIGNS
    return fingers


def hand_from_xhand_vector(vector: ArrayLike) -> FloatArray:
    """Hand vectors (..., 51) of XHand vectors (..., 18): wrist 6 copied, 12 joints spread.

    The reference applies it AFTER normalising with the robot's own 36-d statistics, so signs flip normalised values.
    """
    values = _expect("XHand vector", vector, XHAND_DIM)
    return np.concatenate([values[..., :WRIST_DIM], mano_from_xhand(values[..., WRIST_DIM:])], axis=-1)


def xhand_vector_from_hand(hand: ArrayLike) -> FloatArray:
    """XHand vectors (..., 18) of hand vectors (..., 51); inverse of :func:`hand_from_xhand_vector`."""
    values = _expect("hand vector", hand, HAND_DIM)
    return np.concatenate([values[..., :WRIST_DIM], xhand_from_mano(values[..., WRIST_DIM:])], axis=-1)


def _expect(what: str, values: ArrayLike, width: int) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape[-1:] != (width,):
        raise ShapeMismatchError(what, array.shape, f"(..., {width})")
    return array
