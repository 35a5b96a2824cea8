"""The world stage: both hands over a whole video in one world, smoothed, with validity and uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import invert_pose, make_pose
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.camera.focal import SOURCES
from vitra_training.labeling.camera.stage import ClipCamera
from vitra_training.labeling.engines.stage import Inputs
from vitra_training.labeling.errors import NoHandsError
from vitra_training.labeling.hands.in_camera import hands_in_camera
from vitra_training.labeling.hands.tracks import HandTracks
from vitra_training.labeling.ingest.recombine import join_paths, join_rows
from vitra_training.labeling.ingest.stage import IngestedVideo
from vitra_training.labeling.world.smooth import nearest_rotations, smooth_path, smooth_rotations, smooth_rows

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_PALM_M = 0.09
_LEAST_RUN_S = 0.3


@dataclass(frozen=True, slots=True)
class WorldConfig:
    """How hands become paths in the world."""

    hand_scale: float = 1.0
    """Size of the person's hands over an average adult's."""
    acceleration_m_s2: float = 5.0
    """Standard deviation of a wrist's acceleration."""
    rotation_sigma_s: float = 0.08
    """Window over which wrist rotations and fingers are averaged."""
    depth_share: float = 0.06
    """Standard deviation of a single frame's depth, as a share of it (docs/labeling/accuracy.md)."""
    least_confidence: float = 0.05
    """Frames below it are not kept."""
    least_hands: float = 0.02
    """A video with hands in a smaller share of its frames is refused."""


@dataclass(frozen=True, slots=True)
class WorldHands:
    """Hands and camera of a video; the first axis of hand arrays is left, right."""

    fps: float
    intrinsics: Array
    """(3, 3) of the video's own resolution."""
    focal_source: str
    camera_from_world: Array
    """(T, 4, 4)."""
    camera_known: BoolArray
    """(T,)."""
    world_of: NDArray[np.int64]
    """(T,) poses of different worlds do not compare."""
    camera_source: str
    scale_source: str
    scale_sigma_share: float
    world_from_wrist: Array
    """(2, T, 4, 4)."""
    fingers_rad: Array
    """(2, T, 45)."""
    keypoints_m: Array
    """(2, T, 21, 3) in the world."""
    valid: BoolArray
    """(2, T) seen, or bridged over a short gap."""
    seen: BoolArray
    """(2, T) really seen."""
    confidence: Array
    """(2, T)."""
    sigma_m: Array
    """(2, T) of the wrist, in its worst direction; without that of the scale."""
    side_certainty: Array
    """(2,)."""
    tracker: str
    missing_clips: tuple[int, ...]
    """Clips that failed; their frames are not valid."""

    def __len__(self) -> int:
        return len(self.camera_from_world)


def place_hands(inputs: Inputs, config: WorldConfig) -> WorldHands:
    """Join the clips of a video and smooth its hands.

    Raises:
        NoHandsError: hardly a hand in the whole video.
    """
    video = load(IngestedVideo, inputs.one("ingest"))
    clips = sorted(set(inputs.folders["hands"]) & set(inputs.folders["camera"]))
    hands = {n: load(HandTracks, inputs.folders["hands"][n]) for n in clips}
    cameras = {n: load(ClipCamera, inputs.folders["camera"][n]) for n in clips}
    return join(video, hands, cameras, inputs.item.video, config)


def join(
    video: IngestedVideo, hands: dict[int, HandTracks], cameras: dict[int, ClipCamera], name: str, config: WorldConfig
) -> WorldHands:
    """Hands in one world from those of all clips; see `place_hands`.

    Args:
        video: Its clips.
        hands: Of each clip, by number.
        cameras: Of each clip, by number.
        name: Of the video.
        config: Of the stage.

    Raises:
        NoHandsError: hands are seen in too small a part of the video.
    """
    frames, clips = len(video), sorted(hands)
    known = {n: camera.camera_from_world for n, camera in cameras.items() if camera.path_source != "none"}
    path = join_paths(known, video.clips, frames, metric=True)
    K, focal_source = _intrinsics(cameras)
    parts = {n: _fit_clip(hands[n], K, config) for n in clips}
    found = [_join_side(row, side, parts, video, path.camera_from_world, config) for row, side in enumerate(SIDES)]
    pose, fingers, points, valid, seen, confidence, sigma = (np.stack(arrays) for arrays in zip(*found, strict=True))
    valid &= path.known & video.usable
    share = float(seen.any(axis=0).mean())
    if share < config.least_hands:
        raise NoHandsError(name, share)
    scales = [camera.scale for camera in cameras.values()]
    worst = max(scales, key=lambda scale: scale.sigma_share)
    certainty = np.mean([hands[n].side_certainty for n in clips], axis=0)
    return WorldHands(
        fps=video.fps, intrinsics=K, focal_source=focal_source, camera_from_world=path.camera_from_world,
        camera_known=path.known, world_of=path.world_of, camera_source=_all_of(c.path_source for c in cameras.values()),
        scale_source=_all_of(scale.source for scale in scales), scale_sigma_share=worst.sigma_share,
        world_from_wrist=pose, fingers_rad=fingers, keypoints_m=points, valid=valid, seen=seen,
        confidence=np.where(valid, confidence, 0.0), sigma_m=sigma, side_certainty=certainty,
        tracker=_all_of(hands[n].tracker for n in clips),
        missing_clips=tuple(n for n in range(len(video.clips)) if n not in hands),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Part:
    """One hand in a clip: rows of numbers that can be blended."""

    place: Array
    rotation: Array
    fingers: Array
    confidence: Array
    seen: BoolArray
    sigma_m: Array


def _fit_clip(hands: HandTracks, K: Array, config: WorldConfig) -> tuple[_Part, _Part]:
    """Both hands of a clip in the camera."""
    parts = []
    for row in range(len(SIDES)):
        there = hands.source[row] > 0
        fit = hands_in_camera(hands, row, np.flatnonzero(there), K, config.hand_scale)
        frames = len(hands)
        place, rotation, fingers = np.zeros((frames, 3)), np.zeros((frames, 9)), np.zeros((frames, 45))
        sigma = np.full(frames, np.inf)
        place[there] = fit.camera_from_wrist[:, :3, 3]
        rotation[there] = fit.camera_from_wrist[:, :3, :3].reshape(-1, 9)
        fingers[there] = fit.fingers_rad
        sigma[there] = np.hypot(hands.sigma_px[row, there], fit.rms_px) / K[0, 0] * place[there, 2]
        parts.append(_Part(place, rotation, fingers, hands.confidence[row], hands.seen[row], sigma))
    return parts[0], parts[1]


def _join_side(
    row: int, side: Side, parts: dict[int, tuple[_Part, _Part]], video: IngestedVideo, camera_from_world: Array,
    config: WorldConfig,
) -> tuple[Array, Array, Array, BoolArray, BoolArray, Array, Array]:  # fmt: skip
    frames, clips = len(video), video.clips
    trust = {n: part[row].confidence for n, part in parts.items()}
    place, confidence = join_rows({n: p[row].place for n, p in parts.items()}, clips, frames, trust)
    turn, _ = join_rows({n: p[row].rotation for n, p in parts.items()}, clips, frames, trust)
    fingers, _ = join_rows({n: p[row].fingers for n, p in parts.items()}, clips, frames, trust)
    spread = {n: np.where(np.isfinite(p[row].sigma_m), p[row].sigma_m, 0.0)[:, None] for n, p in parts.items()}
    lateral, _ = join_rows(spread, clips, frames, trust)
    seen = np.zeros(frames, dtype=bool)
    for n, part in parts.items():
        seen[clips[n][0] : clips[n][1]] |= part[row].seen
    pose = np.tile(np.eye(4), (frames, 1, 1))
    valid, sigma = np.zeros(frames, dtype=bool), np.full(frames, np.inf)
    world_from_camera = invert_pose(camera_from_world)
    for start, end in runs(confidence > config.least_confidence, round(_LEAST_RUN_S * video.fps)):
        here = slice(start, end)
        out = world_from_camera[here]
        information = wrist_information(place[here], lateral[here, 0], out[:, :3, :3], config.depth_share)
        world = (out[:, :3, :3] @ place[here, :, None])[..., 0] + out[:, :3, 3]
        smooth, sigma[here] = smooth_path(world, information, 1 / video.fps, config.acceleration_m_s2)
        rotation = out[:, :3, :3] @ nearest_rotations(turn[here].reshape(-1, 3, 3))
        window = config.rotation_sigma_s * video.fps
        pose[here] = make_pose(smooth, smooth_rotations(rotation, confidence[here], window))
        fingers[here] = smooth_rows(fingers[here], confidence[here], window)
        valid[here] = True
    fingers[~valid] = 0.0
    points = default_skeleton().scaled(config.hand_scale).posed_keypoints(pose, fingers, side)
    return pose, fingers, np.where(valid[:, None, None], points, 0.0), valid, seen & valid, confidence, sigma


def wrist_information(place: Array, lateral_m: Array, world_from_camera: Array, depth_share: float) -> Array:
    """(T, 3, 3) inverse covariance in the world: good across the line of sight, poor along it.

    Args:
        place: Wrist in the camera (T, 3).
        lateral_m: Uncertainty across the line of sight (T,).
        world_from_camera: (T, 4, 4).
        depth_share: Uncertainty along it, as a share of the distance.
    """
    ray = place / np.maximum(np.linalg.norm(place, axis=1, keepdims=True), 1e-9)
    ray = (world_from_camera @ ray[..., None])[..., 0]
    across = 1 / np.maximum(lateral_m, 1e-3) ** 2
    along = 1 / (np.maximum(lateral_m, 1e-3) ** 2 + (depth_share * place[:, 2]) ** 2)
    outer = ray[:, :, None] * ray[:, None, :]
    return np.asarray(across[:, None, None] * (np.eye(3) - outer) + along[:, None, None] * outer)


def runs(mask: BoolArray, least: int = 1) -> list[tuple[int, int]]:
    """First frame and end of each stretch of True that is long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a >= max(least, 1)]


def _intrinsics(cameras: dict[int, ClipCamera]) -> tuple[Array, str]:
    """One camera for the video: clips whose motion told the focal length count, by their certainty."""
    for source in SOURCES:
        of_kind = [camera for camera in cameras.values() if camera.focal_source == source]
        if of_kind:
            weight = np.array([1 / max(camera.focal_sigma_share, 1e-3) ** 2 for camera in of_kind])
            focal = float(np.average([camera.intrinsics[0, 0] for camera in of_kind], weights=weight))
            K = of_kind[0].intrinsics.copy()
            K[0, 0] = K[1, 1] = focal
            return K, source
    raise AssertionError("a camera has a focal length from somewhere")


def _all_of(names: object) -> str:
    return " and ".join(sorted(set(names)))  # type: ignore[call-overload]
