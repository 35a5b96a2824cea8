"""A loader built in the reference's manner, as the yardstick of ours: open per sample, numpy per sample, Lanczos remap.

It follows the description in the project's facts (open the video and the annotation for every sample, transform hands
with scipy, search the crop by bisection, remap the whole source image with Lanczos, resize twice, jitter
colours in HSV). It shares no code with our loader, so a speed-up of ours cannot speed it up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from vitra_training.datasets.formats.safe_pickle import load_npy_dict

Array = np.ndarray
_PALM = (0, 2, 5, 9, 13, 17)


def load_sample(annotation: Path, video: Path, frame: int, rng: np.random.Generator, steps: int = 16) -> dict[str, Any]:
    """One augmented sample, made from scratch.

    Args:
        annotation: The episode's file.
        video: Its video.
        frame: Number of the frame.
        rng: Of augmentation and words.
        steps: Length of the chunk.
    """
    episode = load_npy_dict(annotation)
    image = _read_frame(video, int(episode["video_decode_frame"][frame]))
    height, width = image.shape[:2]
    K = np.array(episode["intrinsics"], dtype=np.float64)
    K[0] *= width / (2 * K[0, 2])
    K[1] *= height / (2 * K[1, 2])
    side = episode["anno_type"]
    path = _palm_pixels(episode, side, frame, K)
    R, target, size = _choose_crop(path, K, width, height, rng)
    image = _warp(image, K, R, target, size)
    image = _jitter(image, rng)
    square = np.asarray(Image.fromarray(image).resize((224, 224), Image.Resampling.BICUBIC))
    states, actions = _actions(episode, frame, steps, R)
    fov = [2 * np.arctan(size[0] / (2 * target[0, 0])), 2 * np.arctan(size[1] / (2 * target[1, 1]))]
    return {"image": square, "state": states, "actions": actions, "fov": fov, "text": episode["text"][side][0][0]}


def _read_frame(video: Path, number: int) -> Array:
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate is not None
        assert stream.time_base is not None
        pts = int(round(number / float(stream.average_rate) / float(stream.time_base)))
        container.seek(pts, stream=stream)
        for decoded in container.decode(stream):
            if decoded.pts is not None and decoded.pts >= pts:
                return decoded.to_ndarray(format="rgb24")
    raise ValueError(f"no frame {number}")


def _palm_pixels(episode: dict[str, Any], side: str, frame: int, K: Array) -> Array:
    pixels = []
    pose = episode["extrinsics"][frame]
    for later in range(frame, len(episode["extrinsics"])):
        joints = episode[side]["joints_worldspace"][later] @ pose[:3, :3].T + pose[:3, 3]
        palm = K @ joints[list(_PALM)].mean(axis=0)
        if palm[2] > 0:
            pixels.append(palm[:2] / palm[2])
    return np.array(pixels)


def _choose_crop(
    path: Array, K: Array, width: int, height: int, rng: np.random.Generator
) -> tuple[Array, Array, tuple[int, int]]:
    aspect = float(np.exp(rng.uniform(0, np.log(2))))
    size = (int(224 * aspect), 224)
    low = np.clip(path.min(axis=0), 0, (width, height))
    high = np.clip(path.max(axis=0), 0, (width, height))
    least = max(2 * np.arctan((high[0] - low[0]) * 1.1 / 2 / K[0, 0]), np.radians(45))
    most = 2 * np.arctan(width / 2 / K[0, 0])
    fov = rng.uniform(min(least, 0.9 * most), 0.9 * most)
    target = np.array([[size[0] / 2 / np.tan(fov / 2), 0, size[0] / 2], [0, 0, 112], [0, 0, 1.0]])
    target[1, 1] = target[0, 0]
    centre = np.clip((low + high) / 2 + rng.uniform(-0.2, 0.2, 2) * (width, height), (0.3 * width, 0.3 * height), None)
    ray = np.linalg.inv(K) @ np.append(np.minimum(centre, (0.7 * width, 0.7 * height)), 1)
    yaw, pitch = np.arctan2(ray[0], ray[2]), -np.arctan2(ray[1], np.hypot(ray[0], ray[2]))
    turn = Rotation.from_euler("yx", [yaw, pitch]).as_matrix().T
    roll, bound = 0.0, np.pi / 6
    for _ in range(20):  # bisection of the largest roll whose corners stay inside
        middle = (roll + bound) / 2
        R = Rotation.from_euler("z", middle).as_matrix() @ turn
        corners = np.array([[0, 0, 1], [size[0], 0, 1], [size[0], 224, 1], [0, 224, 1]]).T
        back = K @ R.T @ np.linalg.inv(target) @ corners
        back = back[:2] / back[2]
        inside = (back >= 0).all() and (back[0] <= width).all() and (back[1] <= height).all()
        roll, bound = (middle, bound) if inside else (roll, middle)
    R = Rotation.from_euler("z", rng.uniform(-roll, roll)).as_matrix() @ turn
    return R, target, size


def _warp(image: Array, K: Array, R: Array, target: Array, size: tuple[int, int]) -> Array:
    """Remap at the source's size, then resize to the crop's size."""
    height, width = image.shape[:2]
    scale = np.diag([width / size[0], height / size[1], 1.0])
    inverse = K @ R.T @ np.linalg.inv(scale @ target)
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    source = inverse @ points
    map_x = (source[0] / source[2]).reshape(height, width).astype(np.float32)
    map_y = (source[1] / source[2]).reshape(height, width).astype(np.float32)
    warped = cv2.remap(image, map_x, map_y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(Image.fromarray(warped).resize(size, Image.Resampling.LANCZOS))


def _jitter(image: Array, rng: np.random.Generator) -> Array:
    if rng.random() > 0.8:
        return image
    image = image.astype(np.float32)
    image = np.clip(image * rng.uniform(0.7, 1.3), 0, 255)
    grey = cv2.cvtColor(image.astype(np.uint8), cv2.COLOR_RGB2GRAY).mean()
    image = np.clip((image - grey) * rng.uniform(0.7, 1.3) + grey, 0, 255)
    greys = cv2.cvtColor(image.astype(np.uint8), cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    image = np.clip(greys + (image - greys) * rng.uniform(0.6, 1.4), 0, 255)
    hsv = cv2.cvtColor(image.astype(np.uint8), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int32) + int(rng.uniform(-0.3, 0.3) * 180)) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def _actions(episode: dict[str, Any], frame: int, steps: int, R: Array) -> tuple[Array, Array]:
    pose = episode["extrinsics"][frame]
    last = len(episode["extrinsics"]) - 1
    rows = np.minimum(frame + np.arange(steps + 1), last)
    states, actions = [], []
    for side in ("left", "right"):
        hand = episode[side]
        wrist = (hand["transl_worldspace"][rows] @ pose[:3, :3].T + pose[:3, 3]) @ R.T
        turn = R @ pose[:3, :3] @ hand["global_orient_worldspace"][rows]
        fingers = Rotation.from_matrix(hand["hand_pose"][rows].reshape(-1, 3, 3)).as_euler("xyz").reshape(steps + 1, 45)
        states.append(np.concatenate([wrist[0], Rotation.from_matrix(turn[0]).as_euler("xyz"), fingers[0]]))
        delta = Rotation.from_matrix(turn[1:] @ np.swapaxes(turn[:-1], 1, 2)).as_euler("xyz")
        actions.append(np.concatenate([np.diff(wrist, axis=0), delta, fingers[1:]], axis=1))
    mask = np.arange(1, steps + 1)[:, None] + frame <= last
    return np.concatenate(states), np.concatenate(actions, axis=1) * mask
