"""The camera stage: intrinsics, path and scale of one clip."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES
from vitra_policy.hand.skeleton import palm_centre
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.camera.focal import Focal, assumed_focal, known_focal
from vitra_training.labeling.camera.motion import BackgroundTracker, CameraKind, PointTracks
from vitra_training.labeling.camera.outside import Outside, OutsideConfig, ask
from vitra_training.labeling.camera.scale import Scale, scale_from_depth, scale_from_hands
from vitra_training.labeling.camera.structure import Structure, reconstruct
from vitra_training.labeling.engines.stage import Inputs
from vitra_training.labeling.hands.in_camera import hands_in_camera
from vitra_training.labeling.hands.tracks import HandTracks
from vitra_training.labeling.ingest.stage import IngestedVideo, images

Array = NDArray[np.float64]

_SHORT_SIDE_PX = 480
_MEGASAM_TRUST = 0.9
"""MegaSaM gives no residuals."""
_MOGE_SIGMA = 0.05
"""Metric depth of one image is not better than this, however steady it is."""


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """How the camera is found."""

    focal_px: float | None = None
    """Focal length in pixels of the video, where it is known (a calibrated camera)."""
    hand_scale: float = 1.0
    """Size of the person's hands over an average adult's; metric scale hangs on it."""
    trusted: float = 0.6
    """Confidence from which a hand may measure depth."""
    outside: OutsideConfig = field(default_factory=OutsideConfig)
    """Estimators that others trained."""


@dataclass(frozen=True, slots=True)
class ClipCamera:
    """The camera of a clip."""

    kind: CameraKind
    intrinsics: Array
    """(3, 3) of the video's own resolution."""
    focal_sigma_share: float
    focal_source: str
    """Who says so (`camera.focal.SOURCES`)."""
    camera_from_world: Array
    """(T, 4, 4) metres; the world is that of the clip's first camera."""
    confidence: Array
    """(T,) 0 to 1."""
    path_source: str
    """klt+colmap, MegaSaM, still, or none: a moving camera whose path is not known."""
    scale: Scale


def find_camera(inputs: Inputs, config: CameraConfig) -> ClipCamera:
    """Static or moving, then intrinsics, poses and scale."""
    folder = inputs.one("ingest")
    video, hands = load(IngestedVideo, folder), load(HandTracks, inputs.one("hands"))
    start, end = map(int, video.clips[inputs.item.clip])
    tracker, shrink = BackgroundTracker(video.fps), 1.0
    for frame, image in enumerate(images(video, folder, start, end, _SHORT_SIDE_PX)):
        if image is not None:
            shrink = image.shape[1] / video.width_px
        seen = [
            hands.landmarks_px[row, frame].astype(np.float64) * shrink for row in range(2) if hands.source[row, frame]
        ]
        tracker.add(image, seen)
    tracks = tracker.tracks()
    outside = ask(
        images(video, folder, start, end), video, tracks.moving, known_focal(video, config.focal_px), config.outside
    )
    width, height = round(video.width_px * shrink), round(video.height_px * shrink)
    return camera_of(tracks, hands, video, (width, height), config, outside)


def camera_of(
    tracks: PointTracks, hands: HandTracks, video: IngestedVideo, size_px: tuple[int, int], config: CameraConfig,
    outside: Outside,
) -> ClipCamera:  # fmt: skip
    """The camera from tracked background points and what outside estimators said.

    Args:
        tracks: in images of `size_px`.
        hands: of the clip, in pixels of the video.
        video: the video.
        size_px: width and height of the images that were tracked.
        config: what is known.
        outside: what others found.
    """
    frames, shrink, focal = len(hands), size_px[0] / video.width_px, outside.focal
    kind = CameraKind.MOVING if tracks.moving else CameraKind.STATIC
    if outside.path is not None:
        scale = Scale(1.0, max(outside.path.scale_sigma_share, _MOGE_SIGMA), "MoGe-2")
        path, trust = outside.path.camera_from_world, np.full(frames, _MEGASAM_TRUST)
        return _camera(kind, focal or assumed_focal(video), video, _Motion(path, trust, "MegaSaM"), scale)
    structure: Structure | None = None
    if tracks.moving:
        structure = reconstruct(tracks, frames, video.fps, *size_px, focal.px * shrink if focal else None)
    if focal is None and structure is not None:
        focal = Focal(structure.focal_px / shrink, structure.focal_sigma_px / structure.focal_px, "structure")
    focal = focal or assumed_focal(video)
    if structure is None:
        name, sure = ("none", 0.0) if tracks.moving else ("still", 1.0)
        scale = Scale(1.0, 0.0, "still") if not tracks.moving else Scale(1.0, float("inf"), "none")
        still = np.tile(np.eye(4), (frames, 1, 1))
        return _camera(kind, focal, video, _Motion(still, np.full(frames, sure), name), scale)
    K = _matrix(focal, video)
    if outside.depth is not None:
        scale = scale_from_depth(outside.depth, structure.camera_from_world, structure.points_m, K, video.width_px)
    else:
        palms, hand_px = _palms(hands, K, config)
        scale = scale_from_hands(palms, structure.camera_from_world, structure.points_m, K, hand_px)
    path = structure.camera_from_world @ np.linalg.inv(structure.camera_from_world[0])
    path[:, :3, 3] *= scale.metres
    trust = np.where(structure.registered, 1.0, 0.3) * np.exp(-structure.rms_px / 4)
    return _camera(kind, focal, video, _Motion(path, trust, "klt+colmap"), scale)


@dataclass(frozen=True, slots=True)
class _Motion:
    """The camera's way."""

    path: Array
    """(T, 4, 4) camera_from_world, metres."""
    trust: Array
    """(T,) 0..1."""
    by: str
    """What found it."""


def _camera(kind: CameraKind, focal: Focal, video: IngestedVideo, motion: _Motion, scale: Scale) -> ClipCamera:
    K = _matrix(focal, video)
    return ClipCamera(kind, K, focal.sigma_share, focal.source, motion.path, motion.trust, motion.by, scale)


def _matrix(focal: Focal, video: IngestedVideo) -> Array:
    return np.array([[focal.px, 0, video.width_px / 2], [0, focal.px, video.height_px / 2], [0, 0, 1]])


def _palms(hands: HandTracks, K: Array, config: CameraConfig) -> tuple[list[tuple[int, Array]], float]:
    """Palm centres in the camera where hands are seen well, and a hand's typical extent in pixels."""
    found: list[tuple[int, Array]] = []
    sizes = [1.0]
    for row in range(len(SIDES)):
        frames = np.flatnonzero(hands.seen[row] & (hands.confidence[row] >= config.trusted))[::3]
        if len(frames) == 0:
            continue
        pixels = hands.landmarks_px[row, frames].astype(np.float64)
        fit = hands_in_camera(hands, row, frames, K, config.hand_scale)
        found += list(zip(frames.tolist(), palm_centre(fit.keypoints_m), strict=True))
        sizes += np.ptp(pixels, axis=1).max(axis=1).tolist()
    return found, float(np.median(sizes))
