"""Rendered videos with everything that a labeling pipeline tries to find out, known exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import CameraIntrinsics
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import interpolate_pose, invert_pose, transform_points
from vitra_sim.scene.camera import HeadCamera
from vitra_training.datasets.video import Image, VideoWriter
from vitra_training.labeling.artifacts import load, save
from vitra_training.labeling.truth.hand_mesh import right_hand_mesh
from vitra_training.labeling.truth.options import RenderOptions
from vitra_training.labeling.truth.scene import CAMERA, HandScene, HandShape, Look
from vitra_training.labeling.truth.session import ActedSession, CameraMotion, Leg, make_session

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrueHand:
    """A hand as it was."""

    world_from_wrist: Array
    fingers_rad: Array
    keypoints_m: Array
    """(T, 21, 3) in the world."""
    keypoints_px: Array
    """(T, 21, 2) in the (pinhole) image; NaN behind the camera."""
    visible: NDArray[np.bool_]
    """(T,) whether at least half of the key points are in the image; the hand may still be hidden behind a thing."""
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything about a rendered video."""

    intrinsics: Array
    fisheye: float
    fps: float
    camera_from_world: Array
    moving: bool
    hands: Mapping[str, TrueHand]


def render_video(
    folder: Path, name: str, seed: int, options: RenderOptions, progress: Callable[[int, int], None] | None = None
) -> Truth:
    """Write `{name}.mp4` and its truth in `{name}.truth/`.

    Args:
        folder: where to.
        name: of the video.
        seed: the same seed and options give the same video.
        options: what to render.
        progress: called with frames done and to do.
    """
    rng = np.random.default_rng([seed, 77])
    frames = round(options.seconds * options.fps)
    motion = CameraMotion(options.sway_m, 0.4 if options.sway_m > 0 else 0.0)
    session = make_session(frames, options.fps, options.sides, motion, rng)
    camera = _camera(options, rng)
    scene = HandScene(
        session.things, HandShape(right_hand_mesh(), default_skeleton()), options.sides,
        2 * np.arctan2(camera.height_px / 2, camera.fy_px), Look.random(rng), rng,
    )  # fmt: skip
    eye = HeadCamera(camera, shadows=options.shadows, camera=CAMERA)
    eye.load(scene.model)
    lens = _fisheye_map(options, camera)
    folder.mkdir(parents=True, exist_ok=True)
    with VideoWriter(folder / f"{name}.mp4", options.width_px, options.height_px, options.fps, gop=15, crf=16) as video:
        for frame in range(frames):
            image = _exposed(scene, eye, session, frame, options.blur_frames)
            if lens is not None:
                image = np.asarray(cv2.remap(image, *lens, cv2.INTER_LINEAR), dtype=np.uint8)
            noisy = image + rng.normal(0, options.noise, (*image.shape[:2], 1)) if options.noise else image
            video.add(np.clip(noisy, 0, 255).astype(np.uint8))
            if progress:
                progress(frame + 1, frames)
    eye.close()
    truth = _truth(session, camera, options)
    save(truth, folder / f"{name}.truth")
    return truth


def read_truth(video: Path) -> Truth:
    """The truth beside a rendered video."""
    return load(Truth, video.with_suffix(".truth"))


def _truth(session: ActedSession, camera: CameraIntrinsics, options: RenderOptions) -> Truth:
    camera_from_world = invert_pose(session.world_from_camera)
    K = camera.matrix
    if options.fisheye:  # the image that undistortion should give has the lens' own focal length
        K = np.array([[K[0, 0], 0, options.width_px / 2], [0, K[1, 1], options.height_px / 2], [0, 0, 1]])
    hands: dict[str, TrueHand] = {}
    for side, hand in session.hands.items():
        points = default_skeleton().posed_keypoints(hand.world_from_wrist, hand.fingers_rad, side)
        seen = transform_points(camera_from_world, points)
        z = np.where(seen[..., 2:] > 0.02, seen[..., 2:], np.nan)
        pixels = seen[..., :2] / z * K[[0, 1], [0, 1]] + K[:2, 2]
        with np.errstate(invalid="ignore"):
            inside = ((pixels >= 0) & (pixels <= [options.width_px, options.height_px])).all(axis=-1)
        hands[side] = TrueHand(
            hand.world_from_wrist, hand.fingers_rad, points, pixels, inside.mean(axis=1) >= 0.5, hand.legs
        )
    return Truth(K, options.fisheye, options.fps, camera_from_world, options.sway_m > 0, hands)


def _camera(options: RenderOptions, rng: np.random.Generator) -> CameraIntrinsics:
    f = options.width_px / 2 / np.tan(np.radians(rng.uniform(*options.fov_deg)) / 2)
    width, height = options.width_px, options.height_px
    if options.fisheye:  # rendered wider, so that the lens has something to bend in
        width, height = 2 * width, 2 * height
    return CameraIntrinsics(width, height, f, f, width / 2, height / 2)


def _between(path: Array, frame: int, after: int, share: float) -> Array:
    return np.asarray(interpolate_pose(path[frame], path[after], share))


def _exposed(scene: HandScene, eye: HeadCamera, session: ActedSession, frame: int, count: int) -> Image:
    """One image, averaged over the exposure."""
    total = None
    after = min(frame + 1, len(session) - 1)
    for k in range(count):
        share = 0.5 * k / count
        scene.pose(
            _between(session.world_from_camera, frame, after, share),
            session.thing_poses[:, frame],
            {
                side: (
                    _between(hand.world_from_wrist, frame, after, share),
                    hand.fingers_rad[frame] + share * (hand.fingers_rad[after] - hand.fingers_rad[frame]),
                )
                for side, hand in session.hands.items()
            },
        )
        colour = eye.render(scene.data).colour
        if count == 1:
            return np.asarray(colour)
        total = colour.astype(np.float32) if total is None else total + colour
    assert total is not None
    return np.asarray(total / count, dtype=np.uint8)


def _fisheye_map(
    options: RenderOptions, camera: CameraIntrinsics
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Where in the wide pinhole image each pixel of the fisheye image looks."""
    if not options.fisheye:
        return None
    v, u = np.mgrid[: options.height_px, : options.width_px].astype(np.float64) + 0.5
    x, y = (u - options.width_px / 2) / camera.fx_px, (v - options.height_px / 2) / camera.fy_px
    radius = np.hypot(x, y)
    theta = radius.copy()
    for _ in range(20):
        theta -= (theta * (1 + options.fisheye * theta**2) - radius) / (1 + 3 * options.fisheye * theta**2)
    theta = np.clip(theta, 0, 1.45)
    scale = np.where(radius > 1e-9, np.tan(theta) / np.maximum(radius, 1e-9), 1.0)
    # OpenCV's pixel centres are at whole numbers.
    mapped = (x * scale * camera.fx_px + camera.cx_px - 0.5, y * scale * camera.fy_px + camera.cy_px - 0.5)
    return mapped[0].astype(np.float32), mapped[1].astype(np.float32)
