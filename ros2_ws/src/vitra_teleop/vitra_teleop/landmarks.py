"""Geometry of 21 hand landmarks: the wrist frame they imply, and the finger angles in MANO's convention."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from vitra_policy.action_space import FINGERS_DIM, Side
from vitra_policy.hand.skeleton import FINGERS, default_skeleton
from vitra_policy.transforms import invert_pose, make_pose, matrix_from_euler_xyz, transform_points
from vitra_teleop.hands import Array, TeleopError

PALM = (0, 5, 9, 13, 17)
"""Landmarks of the rigid palm: wrist and the four knuckles."""
_ROOT = {"thumb": 1, "index": 5, "middle": 9, "ring": 13, "pinky": 17}
_MIRROR = np.array([-1.0, 1.0, 1.0])
_PALM_M = (0.03, 0.2)
"""From the wrist to the farthest knuckle: hands have 0.05 (a child's) to 0.12 m."""


class LandmarkError(TeleopError):
    """Landmarks that cannot be those of a hand."""


def wrist_from_landmarks(landmarks_m: ArrayLike, side: Side) -> Array:
    """Pose (4, 4) of the MANO wrist frame in the frame the landmarks (21, 3) are given in.

    The palm of an average hand is laid over the seen one (least squares rotation), so the axes do not depend on what
    a device calls its wrist.

    Raises:
        LandmarkError: not 21 finite points, or a palm that is no hand's, as of landmarks in millimetres.
    """
    points = np.asarray(landmarks_m, dtype=np.float64)
    if points.shape != (21, 3) or not np.isfinite(points).all():
        raise LandmarkError(f"A hand has 21 finite landmarks of 3 numbers, got shape {points.shape}.")
    palm = points[list(PALM)] - points[0]
    length_m = float(np.linalg.norm(palm, axis=1).max())
    if not _PALM_M[0] <= length_m <= _PALM_M[1]:
        raise LandmarkError(
            f"From the wrist to the knuckles it is {length_m:.3g} m; a hand has {_PALM_M[0]:g} to {_PALM_M[1]:g} m. "
            "Landmarks must be in metres."
        )
    U, _, Vt = np.linalg.svd(palm.T @ _palm_template(side))
    D = np.diag([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
    return make_pose(points[0], U @ D @ Vt)


def in_wrist_frame(landmarks_m: ArrayLike, side: Side) -> tuple[Array, Array]:
    """Wrist pose (4, 4) and the landmarks (21, 3) in its frame."""
    pose = wrist_from_landmarks(landmarks_m, side)
    return pose, transform_points(invert_pose(pose), np.asarray(landmarks_m, dtype=np.float64))


def finger_angles(landmarks_m: ArrayLike, side: Side) -> Array:
    """Finger angles (45,) rad, right-hand convention, of landmarks (21, 3) in the wrist frame of that side.

    First joints bend and spread, the others bend: what a hand can do, and all that the XHand's map reads
    (paper Fig. 5). The thumb's second and third joints turn about y, as its map expects.
    """
    points = np.asarray(landmarks_m, dtype=np.float64)
    if side == "left":
        points = points * _MIRROR
    angles = np.zeros((15, 3))
    for number, finger in enumerate(FINGERS):
        root, rest = _ROOT[finger], _rest_direction(finger)
        bones = np.diff(points[root : root + 4], axis=0)
        bones = bones / np.maximum(np.linalg.norm(bones, axis=1, keepdims=True), 1e-9)
        spread, bend = _spread_and_bend(rest, bones[0], finger == "thumb")
        angles[3 * number, 1:] = spread, bend
        turned = matrix_from_euler_xyz(angles[3 * number])
        for joint in (1, 2):
            local = turned.T @ bones[joint]
            axis = 1 if finger == "thumb" else 2
            angles[3 * number + joint, axis] = _angle_about(axis, rest, local)
            turned = turned @ matrix_from_euler_xyz(angles[3 * number + joint])
    return angles.reshape(FINGERS_DIM)


def _spread_and_bend(rest: Array, bone: Array, is_thumb: bool) -> tuple[float, float]:
    """Angles about y and then z that turn the resting direction into the bone's."""
    radius, phase = np.hypot(rest[0], rest[2]), np.arctan2(rest[0], rest[2])
    half = np.arccos(np.clip(bone[2] / radius, -1.0, 1.0))
    candidates = []
    for spread in (half - phase, -half - phase):
        spread = _wrapped(spread)
        x = rest[0] * np.cos(spread) + rest[2] * np.sin(spread)
        bend = _wrapped(np.arctan2(bone[1], bone[0]) - np.arctan2(rest[1], x))
        low, high = ((-1.6, 0.7), (-0.2, 1.9)) if is_thumb else ((-0.5, 0.5), (-0.6, 2.0))
        outside = max(low[0] - spread, spread - low[1], 0.0) + max(high[0] - bend, bend - high[1], 0.0)
        candidates.append((outside, abs(spread), spread, bend))
    best = min(candidates)
    return float(best[2]), float(best[3])


def _angle_about(axis: int, rest: Array, bone: Array) -> float:
    """Angle about y (1) or z (2) from one direction to another, seen along that axis."""
    if axis == 2:
        return float(_wrapped(np.arctan2(bone[1], bone[0]) - np.arctan2(rest[1], rest[0])))
    return float(_wrapped(np.arctan2(-bone[2], bone[0]) - np.arctan2(-rest[2], rest[0])))


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


@cache
def _palm_template(side: Side) -> Array:
    return default_skeleton().keypoints(np.zeros(FINGERS_DIM), side)[list(PALM)]


@cache
def _rest_direction(finger: str) -> Array:
    points = default_skeleton().keypoints(np.zeros(FINGERS_DIM), Side.RIGHT)
    root = _ROOT[finger]
    bone = points[root + 1] - points[root]
    return np.asarray(bone / np.linalg.norm(bone))
