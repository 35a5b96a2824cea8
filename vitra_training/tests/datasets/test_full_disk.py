from __future__ import annotations

import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vitra_training.datasets.convert import Format, convert
from vitra_training.datasets.errors import DiskError
from vitra_training.datasets.sources import EpisodeSource
from vitra_training.datasets.video import VideoWriter
from vitra_training.datasets.whole_file import whole_file


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """The operating system refuses every byte beyond, in the middle of a write, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
        gc.collect()  # what was not closed closes now
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size_bytes", [300, 6_000, 12_000, 20_000, 25_000])
@pytest.mark.parametrize("format", [Format.TELEDATA, Format.CANONICAL, Format.LEROBOT])
def test_a_disk_that_fills_up_in_a_robots_episode_is_one_sentence_and_nothing_half_written_stays(
    robot: EpisodeSource, tmp_path: Path, format: Format, size_bytes: int
) -> None:
    out = tmp_path / "out"
    said = ""
    try:
        with files_of_at_most(size_bytes):
            convert(robot, out, format)
    except DiskError as error:
        said = str(error)
    assert ("cannot be written" in said and "File too large" in said) == bool(said)
    assert not said or not out.exists() or format is Format.TELEDATA
    files = {path.name for path in out.rglob("*") if path.is_file()}
    assert not [name for name in files if "partial" in name]
    if format is Format.TELEDATA:
        assert {Path(name).stem for name in files if name.endswith("mp4")} == {Path(name).stem for name in files}
        assert len([name for name in files if name.endswith(".h5")]) * 2 == len(files)
    assert convert(robot, tmp_path / "again", format).converted == len(robot)


@pytest.mark.parametrize("format", [Format.VITRA1M, Format.EGOSMITH])
def test_a_disk_that_fills_up_in_episodes_of_hands_leaves_no_data_set(
    human: EpisodeSource, tmp_path: Path, format: Format
) -> None:
    with pytest.raises(DiskError, match="cannot be written"), files_of_at_most(9_000):
        convert(human, tmp_path / "out", format)
    assert not (tmp_path / "out").exists()


def test_a_file_that_the_disk_refuses_leaves_what_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "labels.npz"
    path.write_bytes(b"earlier")
    with pytest.raises(OSError, match="too large"), files_of_at_most(1_000), whole_file(path) as stream:
        stream.write(bytes(100_000))
    assert path.read_bytes() == b"earlier"
    assert [file.name for file in tmp_path.iterdir()] == ["labels.npz"]


def test_a_video_whose_end_the_disk_refuses_is_gone(tmp_path: Path, robot: EpisodeSource) -> None:
    from vitra_training.datasets.video import VideoReader

    clip = robot.load(0).video
    writer = VideoWriter(tmp_path / "v.mp4", 160, 120, 30)
    with VideoReader(clip.path) as reader:
        for number in clip.frames:
            writer.add(reader.rgb(int(number)))
    with pytest.raises(OSError, match="too large"), files_of_at_most(100):
        writer.close()
    assert not list(tmp_path.iterdir())
