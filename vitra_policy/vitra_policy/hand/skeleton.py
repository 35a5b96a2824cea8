"""The hand as 16 rotating joints and 5 fingertips, with forward kinematics in MANO's convention.

Joint order is MANO's: wrist, then three joints each of index, middle, pinky, ring, thumb. At rest all joint frames
are parallel to the wrist frame. Right wrist frame: fingers point along -x, back of the hand +y, thumb side +z.
Finger rotations of BOTH hands are in right-hand convention: the left hand is the right one mirrored in x
(left fingers point along +x), and its wrist pose is a true pose, applied after the mirror (docs/model.md: XHand).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.action_space import FINGERS_DIM, ShapeMismatchError, Side
from vitra_policy.transforms import matrix_from_euler_xyz, transform_points

FloatArray = NDArray[np.float64]

FINGERS = ("index", "middle", "pinky", "ring", "thumb")
"""MANO's finger order."""
PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
"""Parent of each of the 16 joints."""

KEYPOINTS = ("wrist", *(f"{f}_{i}" for f in ("thumb", "index", "middle", "ring", "pinky") for i in (1, 2, 3, 4)))
"""Names of the 21 key points, thumb to little finger; ``_4`` is the tip."""
PALM_KEYPOINTS = (0, 2, 5, 9, 13, 17)
"""Key points whose mean is the palm centre."""
BONES = tuple((0 if i % 4 == 1 else i - 1, i) for i in range(1, 21))
"""Pairs of key points joined by a bone, for drawing."""

_KEYPOINT_SOURCES = (0, 13, 14, 15, 20, 1, 2, 3, 16, 4, 5, 6, 17, 10, 11, 12, 19, 7, 8, 9, 18)
"""Index of each key point in [16 joints, 5 tips in MANO finger order]."""
_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True)
class HandSkeleton:
    """Rest positions of a right hand in its wrist frame, metres."""

    joints_m: FloatArray
    """(16, 3); the wrist is the origin."""
    tips_m: FloatArray
    """(5, 3) fingertips in MANO finger order."""

    def scaled(self, factor: float) -> HandSkeleton:
        """The same hand, larger or smaller."""
        return HandSkeleton(self.joints_m * factor, self.tips_m * factor)

    def joint_rotations(self, fingers_rad: ArrayLike) -> FloatArray:
        """Rotations (..., 16, 3, 3) of all joint frames in the right wrist frame, of finger angles (..., 45)."""
        local = matrix_from_euler_xyz(_finger_angles(fingers_rad))
        turned: list[FloatArray] = [np.broadcast_to(np.eye(3), (*local.shape[:-3], 3, 3))]
        for joint in range(1, 16):
            turned.append(turned[PARENTS[joint]] @ local[..., joint - 1, :, :])
        return np.stack(turned, axis=-3)

    def keypoints(self, fingers_rad: ArrayLike, side: Side = Side.RIGHT) -> FloatArray:
        """21 key points (..., 21, 3) in the wrist frame of that side, metres, in the order of :data:`KEYPOINTS`.

        Args:
            fingers_rad: (..., 45) Euler xyz angles of the 15 finger joints, right-hand convention for both hands.
            side: Which hand.
        """
        rotations = self.joint_rotations(fingers_rad)
        points: list[FloatArray] = [np.zeros((*rotations.shape[:-3], 3))]
        for joint in range(1, 16):
            parent = PARENTS[joint]
            offset = self.joints_m[joint] - self.joints_m[parent]
            points.append(points[parent] + rotations[..., parent, :, :] @ offset)
        for finger in range(5):
            last = 3 * finger + 3
            points.append(points[last] + rotations[..., last, :, :] @ (self.tips_m[finger] - self.joints_m[last]))
        ordered = np.stack([points[source] for source in _KEYPOINT_SOURCES], axis=-2)
        return ordered * _MIRROR if side == "left" else ordered

    def posed_keypoints(self, frame_from_wrist: ArrayLike, fingers_rad: ArrayLike, side: Side) -> FloatArray:
        """Key points (..., 21, 3) in the frame the wrist pose (..., 4, 4) is given in (camera, base ...), metres.

        Args:
            frame_from_wrist: Poses (..., 4, 4).
            fingers_rad: (..., 45), right-hand convention for both hands.
            side: Whose shape.
        """
        return transform_points(frame_from_wrist, self.keypoints(fingers_rad, side))


def palm_centre(keypoints: ArrayLike) -> FloatArray:
    """Mean (..., 3) of wrist and knuckles of key points (..., 21, 3)."""
    centre: FloatArray = np.asarray(keypoints, dtype=np.float64)[..., PALM_KEYPOINTS, :].mean(axis=-2)
    return centre


def default_skeleton() -> HandSkeleton:
    """An average adult hand of our own, from published mean bone lengths (Buryanov and Kotiuk, 2010).

    It carries nothing of the licensed MANO model; use :func:`vitra_policy.hand.mano.load_mano_skeleton` where exact
    agreement with MANO labels matters.
    """
    joints, tips = [np.zeros(3)], []
    for finger in FINGERS:
        knuckle, direction, lengths = _DEFAULT_FINGERS[finger]
        point, along = np.array(knuckle), np.array(direction) / np.linalg.norm(direction)
        joints.append(point)
        for length in lengths[:2]:
            point = point + length * along
            joints.append(point)
        tips.append(point + lengths[2] * along)
    return HandSkeleton(np.array(joints), np.array(tips))


# Per finger: first joint in the wrist frame [m], resting direction, bone lengths to the next joints and the tip [m].
_DEFAULT_FINGERS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, ...]]] = {
    "index": ((-0.0890, 0.0015, 0.0240), (-1.0, -0.02, 0.06), (0.0398, 0.0224, 0.0196)),
    "middle": ((-0.0900, 0.0030, 0.0020), (-1.0, -0.02, 0.00), (0.0446, 0.0263, 0.0213)),
    "pinky": ((-0.0750, -0.0040, -0.0380), (-1.0, -0.02, -0.12), (0.0327, 0.0181, 0.0197)),
    "ring": ((-0.0840, 0.0005, -0.0180), (-1.0, -0.02, -0.05), (0.0414, 0.0257, 0.0212)),
    "thumb": ((-0.0220, -0.0110, 0.0260), (-0.75, -0.20, 0.63), (0.0462, 0.0316, 0.0257)),
}


def _finger_angles(fingers_rad: ArrayLike) -> FloatArray:
    angles = np.asarray(fingers_rad, dtype=np.float64)
    if angles.shape[-1:] != (FINGERS_DIM,):
        raise ShapeMismatchError("finger angles", angles.shape, f"(..., {FINGERS_DIM})")
    return angles.reshape(*angles.shape[:-1], 15, 3)
