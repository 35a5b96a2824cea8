"""A folder of everything that people hand in by mistake: each video is named and counted, and none takes another along.

The whole pipeline runs in this process. Instead of the networks, eyes see hands where pictures have squares of pure red
(left), green (right) and blue (somebody opposite); whatever else is in a picture is a background.
"""

from __future__ import annotations

import json
import tracemalloc
from collections import deque
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from vitra_training.datasets.video import VideoWriter
from vitra_training.labeling import pipeline, run
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.engines.job import Job, Outcome, perform
from vitra_training.labeling.engines.stage import Inputs, Item, Scope, Stage
from vitra_training.labeling.hands import stage as hands_stage
from vitra_training.labeling.hands.networks import Landmarks, Palm, Region
from vitra_training.labeling.hands.tracks import HandTracks
from vitra_training.labeling.ingest.layouts import find_videos
from vitra_training.labeling.ingest.stage import IngestConfig, IngestedVideo, ingest, pictures

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

    def places(self, picture: np.ndarray) -> list[tuple[np.ndarray, float, float]]:
        """Middle, size and kind (1 right, 0 left, -1 opposite) of every hand."""
        found = []
        for channel, kind in ((0, 0.0), (1, 1.0), (2, -1.0)):
            others = [c for c in range(3) if c != channel]
            mask = (picture[..., channel] > 170) & (picture[..., others].max(axis=-1) < 90)
            if mask.sum() >= 6:
                rows, columns = np.nonzero(mask)
                size = HAND_PX * np.sqrt(mask.sum()) / SIDE
                found.append((np.array([columns.mean(), rows.mean()]) + 0.5, size, kind))
        return found

    def palms(self, picture: np.ndarray, least: float, area: tuple[np.ndarray, float] | None = None) -> list[Palm]:
        return [
            Palm(0.9, middle, size / 2, Region(middle, 2 * size, 0.0))
            for middle, size, _ in self.places(picture)
            if area is None or np.abs(middle - area[0]).max() < area[1] / 2
        ]

    def landmarks(self, picture: np.ndarray, region: Region, mirrored: bool = False) -> Landmarks:
        for middle, size, kind in self.places(picture):
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
            picture = wall.copy()
            draw(picture, frame / fps)
            video.add(picture)


def square(picture: np.ndarray, x: float, y: float, channel: int, side: int = SIDE) -> None:
    top, left = round(y - side / 2), round(x - side / 2)
    picture[top : top + side, left : left + side] = 0
    picture[top : top + side, left : left + side, channel] = 255


def reach(t: float) -> float:
    """0 to 1 and back, with rests: an action every second."""
    phase = t % 1.0
    eased = min(phase / 0.8, 1.0)
    eased = eased**3 * (10 - 15 * eased + 6 * eased**2)
    return eased if int(t) % 2 == 0 else 1 - eased


def one_hand(picture: np.ndarray, t: float) -> None:
    square(picture, 95 + 35 * reach(t), 70, 1)


def two_people(picture: np.ndarray, t: float) -> None:
    one_hand(picture, t)
    square(picture, 50 + 10 * reach(t), 30, 2)


def on_a_screen(picture: np.ndarray, t: float) -> None:
    """A hand as small as on a screen across a desk."""
    square(picture, 90 + 10 * reach(t), 60, 1, side=4)


def nothing(picture: np.ndarray, t: float) -> None:
    """No hand."""


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[run.RunOutcome, Path, list[str]]:
    root = tmp_path_factory.mktemp("bad")
    videos = root / "videos"
    film(videos / "good.mp4", one_hand)
    film(videos / "fast120.mp4", one_hand, seconds=2.0, fps=120.0)
    film(videos / "people.mp4", two_people)
    film(videos / "screen.mp4", on_a_screen)
    film(videos / "nohands.mp4", nothing)
    film(videos / "black.mp4", nothing, seconds=10.0, background=0)
    film(videos / "slow4.mp4", one_hand, seconds=5.0, fps=4.0)
    film(videos / "one.mp4", one_hand, seconds=1 / 30)
    (videos / "torn.mp4").write_bytes((videos / "good.mp4").read_bytes()[:3000])
    with av.open(str(videos / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hands_stage, "_networks", Eyes)
        patch.setattr(run, "_engine", lambda kind, workers: Inline())
        patch.setattr(pipeline, "models_folder", lambda: root)
        found = find_videos(videos)
        outcome = run.label(found, root / "out", pipeline.PipelineConfig())
    return outcome, root / "out", [video.item.video for video in found]


def test_every_video_is_accounted_for(labelled: tuple[run.RunOutcome, Path, list[str]]) -> None:
    outcome, out, names = labelled
    assert len(names) == 10
    aside = {one.item.video for one in outcome.stages.quarantined}
    empty = set(outcome.episodes.empty_videos)
    with_episodes = {json.loads(path.read_text())["source_video"].rsplit("/", 1)[1][:-4]
                     for path in (out / "episodes/labels").glob("*.json")} - empty  # fmt: skip
    assert aside | empty | with_episodes == set(names)
    assert not aside & (empty | with_episodes)
    report = json.loads((out / "report.json").read_text())
    assert {entry["item"] for entry in report["quarantined"]} == aside


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nohands", "hands in 0% of the frames"),
        ("black", "hands in 0% of the frames"),
        ("slow4", "4 frames/s"),
        ("one", "1 frame"),
        ("sound", "only audio"),
        ("torn", "not a readable video"),
    ],
)
def test_what_cannot_be_labelled_is_put_aside_with_its_reason(
    name: str, words: str, labelled: tuple[run.RunOutcome, Path, list[str]]
) -> None:
    (one,) = [aside for aside in labelled[0].stages.quarantined if aside.item.video == name]
    assert one.reason == "bad input"
    assert words in one.detail
    assert name in one.detail


def test_a_hand_as_far_as_on_a_screen_is_out_of_reach(labelled: tuple[run.RunOutcome, Path, list[str]]) -> None:
    outcome, out, _ = labelled
    rejected = json.loads((out / "episodes/rejected.json").read_text())
    reasons = [reasons for id, reasons in rejected.items() if "_screen_" in id]
    assert reasons
    assert all("beyond an arm's reach" in one for one in reasons)
    assert "screen" in outcome.episodes.empty_videos


def test_the_good_neighbours_have_their_episodes(labelled: tuple[run.RunOutcome, Path, list[str]]) -> None:
    outcome, out, _ = labelled
    for name in ("good", "people", "fast120"):
        labels = [json.loads(path.read_text()) for path in (out / "episodes/labels").glob(f"*_{name}_*.json")]
        assert labels, name
        assert all(one["hand"]["source"] == hands_stage.TRACKER for one in labels)
    fast = load(IngestedVideo, outcome.stages.outputs["fast120"]["ingest"][-1])
    assert fast.fps == pytest.approx(30.0)
    assert np.diff(fast.source_frames).tolist()[:3] == [4, 4, 4]


def test_hands_of_another_person_are_counted_and_left_out(labelled: tuple[run.RunOutcome, Path, list[str]]) -> None:
    outcome = labelled[0]
    alone, both = (load(HandTracks, outcome.stages.outputs[name]["hands"][0]) for name in ("good", "people"))
    assert (alone.bystanders, both.bystanders) == (0, 1)
    np.testing.assert_array_equal(both.seen, alone.seen)


def test_the_memory_for_pictures_does_not_grow_with_the_video(tmp_path: Path) -> None:
    """Three hours are as many pictures at a time as ten seconds."""
    peaks = []
    for frames in (300, 3000):
        path = tmp_path / f"{frames}.mp4"
        film(path, nothing, seconds=frames / 30)
        stage = Stage("ingest", 1, Scope.VIDEO, (), IngestConfig(), ingest)
        tracemalloc.start()
        perform(Job(stage, Inputs(Item("v", path), {}), tmp_path / f"r{frames}"))
        video = load(IngestedVideo, tmp_path / f"r{frames}")
        assert sum(p is not None for p in pictures(video, tmp_path / f"r{frames}", 0, len(video))) == frames
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    raw = 2700 * WIDTH * HEIGHT * 3
    assert peaks[1] - peaks[0] < 0.02 * raw
