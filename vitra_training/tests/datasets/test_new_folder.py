from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from vitra_training.datasets.convert import Format, convert, open_sink
from vitra_training.datasets.errors import ConversionError, TargetTakenError
from vitra_training.datasets.formats.new_folder import MARK
from vitra_training.datasets.formats.store import STORE_NAME, StoreOptions, StoreWriter
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.synthetic.generate import SyntheticOptions, generate
from vitra_training.synthetic.robot_demos import generate_robot_demos

Interrupt: TypeAlias = Callable[..., None]


@pytest.fixture
def interrupt(killed: Callable[[Callable[[], object]], None]) -> Interrupt:
    """A conversion ended by kill -9 after two episodes."""

    def convert_some(source: EpisodeSource, out: Path, format: Format) -> None:
        sink = open_sink(out, format, StoreOptions(frames_per_shard=1, frames_per_group=1))
        for number in range(2):
            sink.add(source.load(number))
        os.kill(os.getpid(), signal.SIGKILL)

    return lambda *given: killed(lambda: convert_some(*given))


@pytest.mark.parametrize("make", [generate, generate_robot_demos])
def test_made_up_data_go_on_after_a_kill_too(
    tmp_path: Path, make: Callable[..., int], killed: Callable[[Callable[[], object]], None]
) -> None:
    few = SyntheticOptions(episodes=2, episodes_per_video=1, width_px=32, height_px=32)

    def die(done: int, total: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    killed(lambda: make(tmp_path / "out", few, die))
    assert list((tmp_path / "out").rglob("*.mp4"))
    assert make(tmp_path / "out", few) == 2
    assert not list((tmp_path / "out").rglob("*.partial"))
    with pytest.raises(TargetTakenError, match="not empty"):
        make(tmp_path / "out", few)


@pytest.mark.parametrize("format", [Format.CANONICAL, Format.LEROBOT, Format.VITRA1M, Format.EGOSMITH])
def test_the_same_command_goes_on_after_a_kill_as_if_nothing_were_there(
    human: EpisodeSource, tmp_path: Path, format: Format, interrupt: Interrupt
) -> None:
    out = tmp_path / "out"
    interrupt(human, out, format)
    assert [path for path in out.rglob("*") if path.is_file()]
    assert convert(human, out, format).converted == len(human)
    assert convert(human, tmp_path / "fresh", format).converted == len(human)
    names = [sorted(str(p.relative_to(root)) for p in root.rglob("*")) for root in (out, tmp_path / "fresh")]
    assert names[0] == names[1]
    assert len(open_source(out)) == len(human)


def test_what_somebody_put_beside_an_interrupted_conversion_is_kept_and_named(
    human: EpisodeSource, tmp_path: Path, interrupt: Interrupt
) -> None:
    out = tmp_path / "out"
    interrupt(human, out, Format.CANONICAL)
    (out / "frames/notes.txt").write_text("mine")
    before = sorted(out.rglob("*"))
    with pytest.raises(TargetTakenError, match=r"frames/notes\.txt is not of a conversion; move that away"):
        StoreWriter(out)
    assert sorted(out.rglob("*")) == before


def test_leftovers_without_a_mark_are_named_with_the_command_that_removes_them(
    human: EpisodeSource, tmp_path: Path, interrupt: Interrupt
) -> None:
    out = tmp_path / "out"
    interrupt(human, out, Format.CANONICAL)
    (out / MARK).unlink()
    with pytest.raises(TargetTakenError, match=rf"no {STORE_NAME}.*`rm -r {out}`"):
        StoreWriter(out)
    assert (out / "frames/shard-00000.parquet").is_file()


def test_a_complete_store_is_never_cleared_not_even_with_a_mark(store_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for path in store_dir.rglob("*"):
        place = out / path.relative_to(store_dir)
        place.mkdir(parents=True, exist_ok=True) if path.is_dir() else place.write_bytes(path.read_bytes())
    (out / MARK).touch()  # killed between its last two steps
    before = sorted(out.rglob("*"))
    with pytest.raises(ConversionError, match=f"^{out}: no canonical store can be written there: it is not empty"):
        StoreWriter(out)
    assert sorted(out.rglob("*")) == before


def test_two_conversions_into_one_folder_do_not_clear_each_others_files(human: EpisodeSource, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "out") as first:
        first.add(human.load(0))
        with pytest.raises(TargetTakenError, match="another conversion writes there"):
            StoreWriter(tmp_path / "out")
    assert len(open_source(tmp_path / "out")) == 1


def test_of_two_conversions_that_begin_at_once_one_is_refused_and_spoils_nothing(
    human: EpisodeSource, tmp_path: Path, interrupt: Interrupt
) -> None:
    first, second = StoreWriter(tmp_path / "out"), StoreWriter(tmp_path / "out")
    first.add(human.load(0))
    with pytest.raises(TargetTakenError, match="another conversion writes there"), second:
        second.add(human.load(1))
    first.close()
    assert list(open_source(tmp_path / "out").ids) == [human.ids[0]]


def test_a_target_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    for format in Format:
        with pytest.raises(TargetTakenError, match="it is a file, not a folder; choose a new folder"):
            open_sink(tmp_path / "out", format)
    assert (tmp_path / "out").read_text() == "mine"
