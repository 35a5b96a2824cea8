"""The camera stage: intrinsics, path and scale of one clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES
from vitra_policy.hand.skeleton import palm_centre
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.camera.motion import BackgroundTracker, CameraKind, PointTracks
from vitra_training.labeling.camera.scale import Scale, scale_from_hands
from vitra_training.labeling.camera.structure import Structure, reconstruct
from vitra_training.labeling.engines.stage import Inputs
from vitra_training.labeling.hands.fit import FitConfig, fit_hand
from vitra_training.labeling.hands.tracks import HandTracks
from vitra_training.labeling.ingest.stage import IngestedVideo, pictures

Array = NDArray[np.float64]

ASSUMED_FOV_RAD = float(np.radians(75.0))
_ASSUMED_SIGMA = 0.25
_SHORT_SIDE_PX = 480


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """How the camera is found."""

    focal_px: float | None = None
    """Focal length in pixels of the video, where it is known (a calibrated camera)."""
    hand_scale: float = 1.0
    """Size of the person's hands over an average adult's; metric scale hangs on it."""
    trusted: float = 0.6
    """Confidence from which a hand may measure depth."""


@dataclass(frozen=True, slots=True)
class ClipCamera:
    """The camera of a clip."""

    kind: CameraKind
    intrinsics: Array
    """(3, 3) of the video's own resolution."""
    focal_sigma_share: float
    focal_source: str
    """given, structure (from motion) or assumed."""
    camera_from_world: Array
    """(T, 4, 4) metres; the world is that of the clip's first camera."""
    confidence: Array
    """(T,) 0 to 1."""
    path_source: str
    """klt+colmap, still, or none: a moving camera whose path is not known."""
    scale: Scale


def find_camera(inputs: Inputs, config: CameraConfig) -> ClipCamera:
    """Static or moving, then intrinsics, poses and scale."""
    folder = inputs.one("ingest")
    video, hands = load(IngestedVideo, folder), load(HandTracks, inputs.one("hands"))
    start, end = map(int, video.clips[inputs.item.clip])
    tracker, shrink = BackgroundTracker(video.fps), 1.0
    for frame, picture in enumerate(pictures(video, folder, start, end, _SHORT_SIDE_PX)):
        if picture is not None:
            shrink = picture.shape[1] / video.width_px
        seen = [
            hands.landmarks_px[row, frame].astype(np.float64) * shrink for row in range(2) if hands.source[row, frame]
        ]
        tracker.add(picture, seen)
    width, height = round(video.width_px * shrink), round(video.height_px * shrink)
    return camera_of(tracker.tracks(), hands, video, (width, height), config)


def camera_of(
    tracks: PointTracks, hands: HandTracks, video: IngestedVideo, size_px: tuple[int, int], config: CameraConfig
) -> ClipCamera:
    """The camera from tracked background points.

    Args:
        tracks: in pictures of `size_px`.
        hands: of the clip, in pixels of the video.
        video: the video.
        size_px: width and height of the pictures that were tracked.
        config: what is known.
    """
    frames, shrink = len(hands), size_px[0] / video.width_px
    structure: Structure | None = None
    if tracks.moving:
        given = config.focal_px * shrink if config.focal_px else None
        structure = reconstruct(tracks, frames, video.fps, *size_px, given)
    focal, sigma, source = _focal(structure, shrink, video, config)
    K = np.array([[focal, 0, video.width_px / 2], [0, focal, video.height_px / 2], [0, 0, 1]])
    kind = CameraKind.MOVING if tracks.moving else CameraKind.STATIC
    still = np.tile(np.eye(4), (frames, 1, 1))
    if structure is None:
        name, trust = ("none", 0.0) if tracks.moving else ("still", 1.0)
        scale = Scale(1.0, 0.0, "still") if not tracks.moving else Scale(1.0, float("inf"), "none")
        return ClipCamera(kind, K, sigma, source, still, np.full(frames, trust), name, scale)
    palms, hand_px = _palms(hands, K, config)
    scale = scale_from_hands(palms, structure.camera_from_world, structure.points_m, K, hand_px)
    path = structure.camera_from_world @ np.linalg.inv(structure.camera_from_world[0])
    path[:, :3, 3] *= scale.metres
    trust = np.where(structure.registered, 1.0, 0.3) * np.exp(-structure.rms_px / 4)
    return ClipCamera(kind, K, sigma, source, path, trust, "klt+colmap", scale)


def _focal(
    structure: Structure | None, shrink: float, video: IngestedVideo, config: CameraConfig
) -> tuple[float, float, str]:
    if config.focal_px:
        return config.focal_px, 0.0, "given"
    if structure is not None:
        return structure.focal_px / shrink, structure.focal_sigma_px / structure.focal_px, "structure"
    return max(video.width_px, video.height_px) / 2 / np.tan(ASSUMED_FOV_RAD / 2), _ASSUMED_SIGMA, "assumed"


def _palms(hands: HandTracks, K: Array, config: CameraConfig) -> tuple[list[tuple[int, Array]], float]:
    """Palm centres in the camera where hands are seen well, and a hand's typical extent in pixels."""
    found: list[tuple[int, Array]] = []
    sizes = [1.0]
    for row, side in enumerate(SIDES):
        frames = np.flatnonzero(hands.seen[row] & (hands.confidence[row] >= config.trusted))[::3]
        if len(frames) == 0:
            continue
        pixels = hands.landmarks_px[row, frames].astype(np.float64)
        fit = fit_hand(
            pixels, hands.shape_m[row, frames].astype(np.float64), hands.sigma_px[row, frames], K, side,
            FitConfig(hand_scale=config.hand_scale),
        )  # fmt: skip
        found += list(zip(frames.tolist(), palm_centre(fit.keypoints_m), strict=True))
        sizes += np.ptp(pixels, axis=1).max(axis=1).tolist()
    return found, float(np.median(sizes))
