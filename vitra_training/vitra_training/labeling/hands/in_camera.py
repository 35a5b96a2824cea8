"""Hands in their camera: by their estimator where it knows three dimensions, by a fitted skeleton otherwise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES
from vitra_policy.hand.skeleton import default_skeleton
from vitra_training.labeling.hands.fit import FitConfig, FittedHand, fit_hand
from vitra_training.labeling.hands.tracks import HandTracks

Array = NDArray[np.float64]


def hands_in_camera(
    hands: HandTracks, row: int, frames: NDArray[np.int64], intrinsics: Array, hand_scale: float
) -> FittedHand:
    """One hand of a clip in some of its frames.

    Args:
        hands: of the clip.
        row: which hand, as in `SIDES`.
        frames: (N,) frames in which there is one.
        intrinsics: (3, 3) of the video.
        hand_scale: size of the person's hands over an average adult's.
    """
    pixels = hands.landmarks_px[row, frames].astype(np.float64)
    if hands.pose is None:
        return fit_hand(
            pixels, hands.shape_m[row, frames].astype(np.float64), hands.sigma_px[row, frames], intrinsics, SIDES[row],
            FitConfig(hand_scale=hand_scale),
        )  # fmt: skip
    pose = hands.pose.camera_from_wrist[row, frames].copy()
    # A hand of a given size in a given place of the image is as far away as the focal length is long.
    pose[:, 2, 3] *= intrinsics[0, 0] / hands.pose.focal_px
    fingers = hands.pose.fingers_rad[row, frames]
    points = default_skeleton().scaled(hand_scale).posed_keypoints(pose, fingers, SIDES[row])
    seen = points @ intrinsics.T
    away = seen[..., :2] / np.maximum(seen[..., 2:], 1e-6) - pixels
    return FittedHand(pose, fingers, points, np.sqrt(np.square(away).sum(axis=-1).mean(axis=-1)))
