"""Layouts of data sets, and what comes out of unusual and broken files."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vitra_training.datasets.video import VideoReader
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.engines.job import Job, Outcome, perform
from vitra_training.labeling.engines.ledger import Reason
from vitra_training.labeling.engines.stage import Inputs, Item, Scope, Stage
from vitra_training.labeling.errors import NoVideosError
from vitra_training.labeling.ingest.layouts import Layout, find_videos
from vitra_training.labeling.ingest.probe import Probe, probe
from vitra_training.labeling.ingest.resample import rewrite, working_rate
from vitra_training.labeling.ingest.stage import IngestConfig, IngestedVideo, images, ingest


def numbered(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """An image that shows its number as grey blocks, one bit each."""
    image = np.full((height, width, 3), 30, dtype=np.uint8)
    for bit in range(10):
        x = bit % 5 * width // 5
        y = bit // 5 * height // 2
        if number >> bit & 1:
            image[y : y + height // 2, x : x + width // 5] = 220
    return image


def number_in(image: np.ndarray) -> int:
    height, width = image.shape[:2]
    value = 0
    for bit in range(10):
        x, y = bit % 5 * width // 5, bit // 5 * height // 2
        if image[y + height // 4, x + width // 10].mean() > 125:
            value |= 1 << bit
    return value


def write(
    path: Path, times_ms: list[int], size: tuple[int, int] = (64, 48), codec: str = "libx264", gop: int = 10
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"g": str(gop), "bf": "0"}
        for number, stamp in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(numbered(number, *size), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def constant(count: int, fps: float) -> list[int]:
    return [round(n * 1000 / fps) for n in range(count)]


def ingested(path: Path, root: Path, config: IngestConfig | None = None) -> tuple[Outcome, Path]:
    stage = Stage("ingest", 1, Scope.VIDEO, (), config or IngestConfig(), ingest)
    output = root / "out" / path.stem
    output.parent.mkdir(exist_ok=True)
    return perform(Job(stage, Inputs(Item(path.stem, path), {}), output)), output


@pytest.mark.parametrize(
    ("layout", "files", "names"),
    [
        (Layout.EGO4D, ["v2/full_scale/0a1b-22.mp4", "v2/annotations/narration.json"], ["0a1b-22"]),
        (Layout.EPIC, ["P01/videos/P01_01.MP4", "P02/videos/P02_103.MP4", "P01/readme.txt"], ["P01_01", "P02_103"]),
        (
            Layout.EGOEXO4D,
            [
                "takes/cmu_bike01_2/frame_aligned_videos/aria01_214-1.mp4",
                "takes/cmu_bike01_2/frame_aligned_videos/cam01.mp4",
            ],
            ["cmu_bike01_2"],
        ),
        (Layout.SSV2, ["20bn-something-something-v2/77.webm", "20bn-something-something-v2/8.webm"], ["77", "8"]),
        (Layout.PLAIN, ["a/kitchen one.mov", "b.mp4", "notes.txt"], ["a/kitchen one", "b"]),
    ],
)
def test_each_layout_is_recognised_and_only_its_videos_are_taken(
    layout: Layout, files: list[str], names: list[str], tmp_path: Path
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    for asked in (layout, Layout.AUTO):
        found = find_videos(tmp_path, asked)
        assert [video.name for video in found] == names
        assert {video.dataset for video in found} == {layout}
    items = [video.item.video for video in found]
    assert len(set(items)) == len(items)
    assert all("/" not in item and " " not in item for item in items)


def test_an_empty_folder_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(NoVideosError, match=r"P01_01\.MP4"):
        find_videos(tmp_path, Layout.EPIC)


def test_an_ordinary_video_is_used_as_it_is(tmp_path: Path) -> None:
    outcome, folder = ingested(write(tmp_path / "a.mp4", constant(90, 30)), tmp_path, IngestConfig(1.0, 0.2))
    assert outcome.reason is None
    video = load(IngestedVideo, folder)
    assert not video.rewritten
    assert len(video) == 90
    assert video.notes == ()
    assert video.fps == pytest.approx(30, rel=1e-3)
    assert video.clips.tolist() == [[0, 30], [24, 54], [48, 78], [60, 90]]
    shown = [number_in(p) for p in images(video, folder, 20, 60) if p is not None]
    assert shown == list(range(20, 60))


def test_webm_as_in_something_something_is_read(tmp_path: Path) -> None:
    outcome, folder = ingested(write(tmp_path / "7.webm", constant(40, 12), codec="libvpx-vp9"), tmp_path)
    assert outcome.reason is None
    video = load(IngestedVideo, folder)
    assert len(video) == 40
    assert video.fps == pytest.approx(12, rel=0.02)
    assert [number_in(p) for p in images(video, folder, 0, 40) if p is not None] == list(range(40))


def test_a_variable_rate_becomes_constant_and_keeps_the_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    times = np.cumsum([0, *rng.integers(20, 50, 60)]).tolist()
    times = times[:30] + [t + 400 for t in times[30:]]  # and a hole of 0.4 s
    outcome, folder = ingested(write(tmp_path / "v.mp4", times), tmp_path)
    assert outcome.reason is None
    video = load(IngestedVideo, folder)
    assert video.rewritten
    assert video.notes[0] == "variable frame rate"
    for tick, (source, usable) in enumerate(zip(video.source_frames, video.usable, strict=True)):
        nearest = int(np.argmin(np.abs(np.array(times) - tick * 1000 / video.fps)))
        assert abs(times[source] - times[nearest]) <= 1 or abs(source - nearest) <= 1
        assert usable == (abs(times[source] / 1000 - tick / video.fps) <= 1 / video.fps)
    assert 5 <= (~video.usable).sum() <= 14
    shown = [
        (number_in(p), int(s))
        for p, s in zip(images(video, folder, 0, len(video)), video.source_frames, strict=True)
        if p is not None
    ]
    assert shown
    assert all(a == b for a, b in shown)


def test_120_frames_per_second_are_labelled_at_30(tmp_path: Path) -> None:
    outcome, folder = ingested(write(tmp_path / "fast.mp4", [n * 25 // 3 for n in range(241)]), tmp_path)
    assert outcome.reason is None
    video = load(IngestedVideo, folder)
    assert video.fps == pytest.approx(30, rel=0.01)
    assert len(video) == 61
    assert video.source_frames[:4].tolist() == [0, 4, 8, 12]
    assert working_rate(50) == 25
    assert working_rate(59.94) == pytest.approx(29.97)
    assert working_rate(12) == 12


@pytest.mark.parametrize(
    ("name", "times", "words"),
    [("one", [0], "1 frame"), ("slow", constant(20, 4), "4 frames/s"), ("none", [], "readable|frame")],
)
def test_what_cannot_be_labelled_is_refused_by_name(name: str, times: list[int], words: str, tmp_path: Path) -> None:
    outcome, folder = ingested(write(tmp_path / f"{name}.mp4", times), tmp_path)
    assert outcome.reason is Reason.INPUT
    assert not folder.exists()
    assert f"{name}.mp4" in outcome.detail
    assert re.search(words, outcome.detail)


def test_sound_alone_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    outcome, _ = ingested(path, tmp_path)
    assert outcome.reason is Reason.INPUT
    assert "only audio" in outcome.detail


def test_a_file_that_is_no_video_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"not a video at all" * 100)
    outcome, _ = ingested(tmp_path / "x.mp4", tmp_path)
    assert outcome.reason is Reason.INPUT
    assert "readable" in outcome.detail


def test_a_file_broken_in_the_middle_keeps_the_frames_that_are_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "broken.mp4", constant(90, 30), size=(320, 240), gop=10)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    for place, size in places[40:46]:
        data[place : place + size] = b"\xff" * size
    path.write_bytes(data)
    outcome, folder = ingested(path, tmp_path)
    assert outcome.reason is None
    video = load(IngestedVideo, folder)
    shown = list(images(video, folder, 0, len(video)))
    good = [n for n, p in enumerate(shown) if p is not None and number_in(p) == n]
    assert set(range(40)) <= set(good)
    assert set(range(60, 90)) <= set(good)
    assert all(p is None or number_in(p) == n for n, p in enumerate(shown) if not 40 <= n < 60)


def test_an_upright_copy_is_made_of_a_turned_phone_video(tmp_path: Path) -> None:
    path = write(tmp_path / "phone.mp4", constant(20, 30), size=(64, 48))
    source = probe(path)
    turned = Probe(path, source.width_px, source.height_px, 90, source.times_s, True, source.fps)
    numbers, near = rewrite(turned, tmp_path / "up.mp4", source.fps)
    assert near.all()
    assert numbers.tolist() == list(range(20))
    with VideoReader(tmp_path / "up.mp4") as reader:
        assert (reader.width, reader.height) == (48, 64)
        assert [number_in(np.rot90(reader.rgb(n))) for n in range(20)] == list(range(20))
