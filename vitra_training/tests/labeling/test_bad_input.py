"""Everything that people hand in by mistake: each video is named and counted, and none takes another along."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest

from vitra_training.labeling import run
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.engines.job import Job, perform
from vitra_training.labeling.engines.stage import Inputs, Item, Scope, Stage
from vitra_training.labeling.hands import stage as hands_stage
from vitra_training.labeling.hands.tracks import HandTracks
from vitra_training.labeling.ingest.layouts import find_videos
from vitra_training.labeling.ingest.stage import IngestConfig, IngestedVideo, images, ingest


def nothing(image: np.ndarray, t: float) -> None:
    """No hand."""


@pytest.fixture(scope="module")
def labelled(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[run.RunOutcome, Path, list[str]]:
    root = tmp_path_factory.mktemp("bad")
    videos, film, one_hand = root / "videos", made.film, made.one_hand

    def two_people(image: np.ndarray, t: float) -> None:
        one_hand(image, t)
        made.square(image, 50 + 10 * made.reach(t), 30, 2)

    def on_a_screen(image: np.ndarray, t: float) -> None:
        """A hand as small as on a screen across a desk."""
        made.square(image, 90 + 10 * made.reach(t), 60, 1, side=4)

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
    outcome = made.label_all(videos, root / "out")
    return outcome, root / "out", [video.item.video for video in find_videos(videos)]


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


def test_the_memory_for_images_does_not_grow_with_the_video(made: ModuleType, tmp_path: Path) -> None:
    """Three hours are as many images at a time as ten seconds."""
    peaks = []
    for frames in (300, 3000):
        path = tmp_path / f"{frames}.mp4"
        made.film(path, nothing, seconds=frames / 30)
        stage = Stage("ingest", 1, Scope.VIDEO, (), IngestConfig(), ingest)
        tracemalloc.start()
        perform(Job(stage, Inputs(Item("v", path), {}), tmp_path / f"r{frames}"))
        video = load(IngestedVideo, tmp_path / f"r{frames}")
        assert sum(p is not None for p in images(video, tmp_path / f"r{frames}", 0, len(video))) == frames
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    raw = 2700 * made.WIDTH * made.HEIGHT * 3
    assert peaks[1] - peaks[0] < 0.02 * raw
