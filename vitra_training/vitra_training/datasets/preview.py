"""Overlay videos: hands, wrist path and caption drawn on an episode's images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_policy.hand.skeleton import BONES, default_skeleton
from vitra_training.datasets.episode import Episode, HumanEpisode, Recording
from vitra_training.datasets.samples.captions import window_at
from vitra_training.datasets.samples.motion import Motion, motion_of
from vitra_training.datasets.video import Image, VideoReader, VideoWriter, even_size

_COLOURS: dict[Side, tuple[int, int, int]] = {Side.LEFT: (80, 160, 255), Side.RIGHT: (255, 140, 60)}
_SHORT_SIDE_PX = 480
_PATH_FRAMES = 16


def write_preview(recording: Recording, path: Path) -> Path:
    """Write the overlay video of an episode: hands where the labels say, the next 16 wrist positions, captions."""
    episode = recording.episode
    with VideoReader(recording.video.path) as video:
        scale = max(1.0, _SHORT_SIDE_PX / min(video.width, video.height))
        width, height = even_size(round(video.width * scale), round(video.height * scale))
        motion = motion_of(episode, video.width, video.height)
        points = {side: keypoints_world(episode, motion, side) for side in SIDES}
        with VideoWriter(path, width, height, video.fps, gop=30) as writer:
            for frame, number in enumerate(map(int, recording.video.frames)):
                resized = cv2.resize(video.rgb(number), (width, height), interpolation=cv2.INTER_LINEAR)
                image: Image = np.ascontiguousarray(resized, dtype=np.uint8)
                zoom = np.array([width / video.width, height / video.height])
                for side in SIDES:
                    _draw_hand(image, motion, points[side], side, frame, zoom)
                _draw_words(image, motion, frame)
                writer.add(image)
    return path


def keypoints_world(episode: Episode, motion: Motion, side: Side) -> NDArray[np.float64]:
    """(T, 21, 3) key points: the labelled ones of a human hand, those of our skeleton for a robot's.

    Args:
        episode: The labels.
        motion: The same as both kinds have it.
        side: Which hand.
    """
    if isinstance(episode, HumanEpisode):
        return np.asarray(episode.hands[side].joints_worldspace, dtype=np.float64)
    hand = motion.hands[side]
    return default_skeleton().posed_keypoints(hand.world_from_wrist, hand.fingers_rad, side)


def _draw_hand(
    image: Image, motion: Motion, world: NDArray[np.float64], side: Side, frame: int, zoom: NDArray[np.float64]
) -> None:
    hand = motion.hands[side]
    if not hand.valid[frame]:
        return
    pose = motion.camera_from_world[frame]
    colour = _COLOURS[side]
    later = slice(frame, frame + _PATH_FRAMES + 1)
    path = hand.world_from_wrist[later, :3, 3][hand.valid[later]]
    for pixel in _pixels(motion, path @ pose[:3, :3].T + pose[:3, 3], zoom):
        if pixel is not None:
            cv2.circle(image, pixel, 2, (255, 255, 255), -1, cv2.LINE_AA)
    pixels = _pixels(motion, world[frame] @ pose[:3, :3].T + pose[:3, 3], zoom)
    for start, end in BONES:
        a, b = pixels[start], pixels[end]
        if a is not None and b is not None:
            cv2.line(image, a, b, colour, 2, cv2.LINE_AA)


def _draw_words(image: Image, motion: Motion, frame: int) -> None:
    lines = []
    for side in SIDES:
        window = window_at(motion.hands[side].text, frame)
        lines.append(f"{side}: {window.caption.strip() if window else 'None.'}")
    lines.append(f"frame {frame}")
    for row, line in enumerate(lines):
        (width, height), below = cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
        x, y = 8, 20 + 20 * row
        cv2.rectangle(image, (x - 3, y - height - 3), (x + width + 3, y + below), (0, 0, 0), -1)
        cv2.putText(image, line, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)


def _pixels(motion: Motion, points_m: NDArray[np.float64], zoom: NDArray[np.float64]) -> list[tuple[int, int] | None]:
    pixels = motion.camera.project(points_m) * zoom
    near = np.abs(np.nan_to_num(pixels, nan=1e9)).max(axis=-1) < 1e4
    return [(round(x), round(y)) if ok else None for (x, y), ok in zip(pixels, near, strict=True)]
