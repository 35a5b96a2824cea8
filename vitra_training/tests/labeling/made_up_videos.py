"""Made-up videos and eyes that see hands in them, so that the whole pipeline runs in a test's own process.

Eyes see hands where images have squares of pure red (left), green (right) and blue (somebody opposite); whatever else
is in an image is a background.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vitra_training.datasets.video import VideoWriter
from vitra_training.labeling import pipeline, run
from vitra_training.labeling.engines.job import Job, Outcome, perform
from vitra_training.labeling.engines.stage import Inputs
from vitra_training.labeling.hands import stage as hands_stage
from vitra_training.labeling.hands.networks import Landmarks, Palm, Region
from vitra_training.labeling.hands.tracks import HandTracks
from vitra_training.labeling.ingest.layouts import find_videos

WIDTH, HEIGHT, SIDE = 160, 120, 14
HAND_PX = 40.0
UPRIGHT = np.array(
    [[0, 0.5]]
    + [[0.2 + 0.08 * k, 0.3 - 0.12 * k] for k in range(4)]
    + [[0.18, 0.0], [0.2, -0.2], [0.2, -0.35], [0.2, -0.5]]
    + [[0.05, 0.0], [0.05, -0.2], [0.05, -0.35], [0.05, -0.5]]
    + [[-0.08, 0.02], [-0.08, -0.2], [-0.08, -0.32], [-0.08, -0.42]]
    + [[-0.2, 0.05], [-0.22, -0.1], [-0.22, -0.2], [-0.22, -0.3]]
)
SHAPE_M = np.concatenate([UPRIGHT * 0.18, 0.01 * np.arange(21)[:, None] / 21], axis=1)


class Eyes:
    """In the place of both networks."""

    def places(self, image: np.ndarray) -> list[tuple[np.ndarray, float, float]]:
        """Middle, size and kind (1 right, 0 left, -1 opposite) of every hand."""
        found = []
        for channel, kind in ((0, 0.0), (1, 1.0), (2, -1.0)):
            others = [c for c in range(3) if c != channel]
            mask = (image[..., channel] > 170) & (image[..., others].max(axis=-1) < 90)
            if mask.sum() >= 6:
                rows, columns = np.nonzero(mask)
                size = HAND_PX * np.sqrt(mask.sum()) / SIDE
                found.append((np.array([columns.mean(), rows.mean()]) + 0.5, size, kind))
        return found

    def palms(self, image: np.ndarray, least: float, area: tuple[np.ndarray, float] | None = None) -> list[Palm]:
        return [
            Palm(0.9, middle, size / 2, Region(middle, 2 * size, 0.0))
            for middle, size, _ in self.places(image)
            if area is None or np.abs(middle - area[0]).max() < area[1] / 2
        ]

    def landmarks(self, image: np.ndarray, region: Region, mirrored: bool = False) -> Landmarks:
        for middle, size, kind in self.places(image):
            if np.linalg.norm(middle - region.centre_px) < 0.6 * size:
                shape = UPRIGHT * [1, -1] if kind < 0 else UPRIGHT
                shape = shape * [-1, 1] if kind == 1 else shape
                right = abs(kind) if not mirrored else 1 - abs(kind)
                return Landmarks(middle + size * shape, SHAPE_M, 0.95, 0.1 + 0.8 * right, 100.0)
        return Landmarks(region.centre_px + HAND_PX * UPRIGHT, SHAPE_M, 0.02, 0.5, 100.0)


class Inline:
    """An engine that does each job at once, in this process."""

    slots = 1

    def __init__(self) -> None:
        self._done: deque[Outcome] = deque()

    def submit(self, job: Job) -> None:
        self._done.append(perform(job))

    def next_outcome(self) -> Outcome:
        return self._done.popleft()

    def close(self) -> None:
        """Nothing to end."""


Draw = Callable[[np.ndarray, float], None]


def film(path: Path, draw: Draw, seconds: float = 3.0, fps: float = 30.0, background: int = 128) -> None:
    rng = np.random.default_rng(5)
    wall = np.clip(rng.normal(background, 25 if background else 0, (HEIGHT // 8, WIDTH // 8, 1)), 0, 255)
    wall = np.repeat(np.repeat(np.repeat(wall, 8, axis=0), 8, axis=1), 3, axis=2).astype(np.uint8)
    with VideoWriter(path, WIDTH, HEIGHT, fps, gop=10, crf=8) as video:
        for frame in range(round(seconds * fps)):
            image = wall.copy()
            draw(image, frame / fps)
            video.add(image)


def square(image: np.ndarray, x: float, y: float, channel: int, side: int = SIDE) -> None:
    top, left = round(y - side / 2), round(x - side / 2)
    image[top : top + side, left : left + side] = 0
    image[top : top + side, left : left + side, channel] = 255


def reach(t: float) -> float:
    """0 to 1 and back, with rests: an action every second."""
    phase = t % 1.0
    eased = min(phase / 0.8, 1.0)
    eased = eased**3 * (10 - 15 * eased + 6 * eased**2)
    return eased if int(t) % 2 == 0 else 1 - eased


def one_hand(image: np.ndarray, t: float) -> None:
    square(image, 95 + 35 * reach(t), 70, 1)


def track_made_up_hands(inputs: Inputs, config: hands_stage.HandsConfig) -> HandTracks:
    """The hands stage with the made-up eyes; other processes import it by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hands_stage, "_networks", Eyes)
        return hands_stage.track_hands(inputs, config)


def label_all(videos: Path, out: Path) -> run.RunOutcome:
    """The whole pipeline over a folder of made-up videos."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hands_stage, "_networks", Eyes)
        patch.setattr(run, "_engine", lambda resources: Inline())
        patch.setattr(pipeline, "models_folder", lambda: videos)
        return run.label(find_videos(videos), out, pipeline.PipelineConfig())
