"""Hands that an outside estimator gives in MANO's parameters, as tracks of both hands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS_DIM, SIDES
from vitra_policy.transforms import euler_xyz_from_matrix, make_pose
from vitra_training.labeling.hands.sightings import HandSource
from vitra_training.labeling.hands.tracks import SIGMA_SHARE, EstimatedPose, HandTracks

Array = NDArray[np.float64]

_MIRROR = np.diag([-1.0, 1.0, 1.0])
_UNSURE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Found:
    """One hand in one frame."""

    row: int
    """0 left, 1 right."""
    frame: int
    joints_m: Array
    """(21, 3) in the camera: wrist, thumb .. little finger."""
    orient: Array
    """(3, 3) camera_from_wrist, a true rotation also for the left hand."""
    fingers: Array
    """(15, 3, 3) rotations of the finger joints in the hand's own convention: the left ones are mirrored."""
    score: float
    detected: bool
    """False where the place was only interpolated."""


def tracks_of(
    found: Iterable[Found], frames: int, focal_px: float, width_px: int, height_px: int, tracker: str
) -> HandTracks:
    """Tracks of both hands; of several sightings of a hand in a frame the one with the best score counts.

    Args:
        found: Sightings.
        frames: Length of the clip.
        focal_px: Focal length the estimator assumed.
        width_px: Of the video.
        height_px: Of the video.
        tracker: Name of the estimator.
    """
    shape = (len(SIDES), frames)
    points, shapes = np.zeros((*shape, 21, 2), np.float32), np.zeros((*shape, 21, 3), np.float32)
    source, confidence = np.zeros(shape, np.uint8), np.zeros(shape)
    sigma, pose = np.full(shape, np.inf), np.tile(np.eye(4), (*shape, 1, 1))
    fingers = np.zeros((*shape, FINGERS_DIM))
    for one in found:
        at = (one.row, one.frame)
        if one.score <= confidence[at] or not np.isfinite(one.joints_m).all() or (one.joints_m[:, 2] < 0.02).any():
            continue
        pixels = one.joints_m[:, :2] / one.joints_m[:, 2:] * focal_px + [width_px / 2, height_px / 2]
        points[at], shapes[at] = pixels, one.joints_m - one.joints_m.mean(axis=0)
        source[at] = HandSource.DETECTED if one.detected else HandSource.TRACKED
        confidence[at] = float(np.clip(one.score, 0.0, 1.0))
        share = SIGMA_SHARE + _UNSURE_SHARE * (1 - confidence[at])
        sigma[at] = share * float(max(np.ptp(pixels, axis=0)))
        pose[at] = make_pose(one.joints_m[0], one.orient)
        turned = one.fingers if SIDES[one.row] == "right" else _MIRROR @ one.fingers @ _MIRROR
        fingers[at] = euler_xyz_from_matrix(turned).reshape(-1)
    certainty = np.where((source > 0).any(axis=1), 0.95, 0.5)
    return HandTracks(points, shapes, source, confidence, sigma, certainty, 0, tracker,
                      EstimatedPose(focal_px, pose, fingers))  # fmt: skip
