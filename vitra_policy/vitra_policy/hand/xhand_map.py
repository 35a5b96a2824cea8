"""The map of the XHand1 (paper Fig. 5, docs/model.md: XHand), and the 18 numbers that XHand statistics are over."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.action_space import HAND_DIM, WRIST_DIM, XHAND_DIM
from vitra_policy.hand.hand_map import HandMap, MappedJoint, expect_width

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

XHAND_MAP = HandMap(
    (
        MappedJoint("thumb_bend_joint", ((44, +1),)),
        MappedJoint("thumb_rota_joint1", ((43, -1),)),
        MappedJoint("thumb_rota_joint2", ((46, -1),)),
        MappedJoint("index_bend_joint", ((7, +1),)),
        MappedJoint("index_joint1", ((8, +1),)),
        MappedJoint("index_joint2", ((14, +1),)),
        MappedJoint("mid_joint1", ((17, +1),)),
        MappedJoint("mid_joint2", ((23, +1),)),
        MappedJoint("ring_joint1", ((35, +1),)),
        MappedJoint("ring_joint2", ((41, +1),)),
        MappedJoint("pinky_joint1", ((26, +1),)),
        MappedJoint("pinky_joint2", ((32, +1),)),
    )
)
"""Joints in the vendor's SDK order."""

XHAND_JOINT_NAMES: tuple[str, ...] = XHAND_MAP.names

MAPPED_FINGER_DIMS: BoolArray = XHAND_MAP.mapped_fingers
"""(45,) True where an XHand joint moves that MANO angle."""
MAPPED_HAND_DIMS: BoolArray = np.concatenate([np.ones(WRIST_DIM, dtype=bool), MAPPED_FINGER_DIMS])
"""(51,) the same for a whole hand; the wrist always counts."""


def xhand_from_mano(fingers: ArrayLike) -> FloatArray:
    """XHand joint values (..., 12) of finger angles (..., 45), in vendor order; radians in, radians out.

    No limits are applied: clamping is the robot description's business.
    """
    return XHAND_MAP.joints_from_fingers(fingers)


def mano_from_xhand(joints: ArrayLike) -> FloatArray:
    """Finger angles (..., 45) of XHand joint values (..., 12) in vendor order; unmapped angles are 0."""
    return XHAND_MAP.fingers_from_joints(joints)


def hand_from_xhand_vector(vector: ArrayLike) -> FloatArray:
    """Hand vectors (..., 51) of XHand vectors (..., 18): wrist 6 copied, 12 joints spread.

    The reference applies it AFTER normalising with the robot's own 36-d statistics, so signs flip normalised values.
    """
    values = expect_width("XHand vector", vector, XHAND_DIM)
    return np.concatenate([values[..., :WRIST_DIM], mano_from_xhand(values[..., WRIST_DIM:])], axis=-1)


def xhand_vector_from_hand(hand: ArrayLike) -> FloatArray:
    """XHand vectors (..., 18) of hand vectors (..., 51); inverse of :func:`hand_from_xhand_vector`."""
    values = expect_width("hand vector", hand, HAND_DIM)
    return np.concatenate([values[..., :WRIST_DIM], xhand_from_mano(values[..., WRIST_DIM:])], axis=-1)
