"""Conversions of bags that are killed: the same command goes on to the end and touches nobody else's data."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from vitra_training.bags import conversion_journal
from vitra_training.bags.episodes import BagEpisodes
from vitra_training.cli_bag import main
from vitra_training.datasets.convert import Format, convert
from vitra_training.datasets.errors import TargetTakenError
from vitra_training.datasets.formats.begun_episodes import MARK
from vitra_training.datasets.formats.mark import Mark
from vitra_training.datasets.formats.store import StoreWriter
from vitra_training.datasets.formats.teledata_writer import TeleDataWriter
from vitra_training.datasets.scratch_folder import ScratchFolder
from vitra_training.datasets.sources import open_source

ALL = ("teledata", "canonical", "lerobot")


Killed: TypeAlias = Callable[[Callable[[], object]], None]
"""Does work in a process of its own, which ends itself."""


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


@pytest.fixture
def bags(episodes: Any, tmp_path: Path) -> Path:
    for number in range(2):
        episodes.write(tmp_path / f"set/episode_{number}", episodes.messages(1.0))
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("where", "whole"),
    [
        ("vitra_training.datasets.convert.TeleDataWriter.__exit__", []),
        ("vitra_training.datasets.convert.StoreWriter.__exit__", ["teledata"]),
        ("vitra_training.datasets.formats.lerobot_v3.LeRobotWriter.__exit__", ["teledata", "canonical"]),
        ("vitra_training.bags.conversion_journal.ConversionJournal.end", list(ALL)),
    ],
)
def test_the_same_command_goes_on_to_the_end_wherever_it_was_killed(
    bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, whole: list[str],
    capsys: pytest.CaptureFixture[str], killed: Killed,
) -> None:  # fmt: skip
    command = ["convert", str(bags), str(tmp_path / "out"), "--unchecked"]
    with monkeypatch.context() as patch:
        patch.setattr(where, die)
        killed(lambda: main(command))
    before = {p: p.stat().st_mtime_ns for name in whole for p in (tmp_path / "out" / name).rglob("*")}
    assert main(command) == 0
    kept = " ".join(capsys.readouterr().out.split()).count("kept as it is")
    assert kept == len(whole), "what was whole is not made twice"
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    for name in ALL:
        assert len(open_source(tmp_path / "out" / name)) == 2
    assert not [path for path in (tmp_path / "out").rglob(".*")], "no mark is left"


def test_a_conversion_of_other_bags_does_not_take_what_is_there_for_its_own(
    episodes: Any, bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    killed: Killed,
) -> None:  # fmt: skip
    command = ["convert", str(bags), str(tmp_path / "out"), "--unchecked"]
    with monkeypatch.context() as patch:
        patch.setattr("vitra_training.datasets.formats.lerobot_v3.LeRobotWriter.__exit__", die)
        killed(lambda: main(command))
    before = {p: p.read_bytes() for p in (tmp_path / "out/canonical").rglob("*") if p.is_file()}
    episodes.write(bags / "episode_2", episodes.messages(1.0))
    assert main(command) == 2
    assert "episode_2 is new since" in " ".join(capsys.readouterr().out.split())
    assert {p: p.read_bytes() for p in (tmp_path / "out/canonical").rglob("*") if p.is_file()} == before


def test_a_killed_conversion_into_teledata_leaves_what_others_put_there(
    bags: Path, tmp_path: Path, killed: Killed
) -> None:
    source, out = BagEpisodes(bags, sorted(bags.iterdir())), tmp_path / "out"
    out.mkdir()
    for name in ("mine.h5", "mine.mp4", "notes.txt"):
        (out / name).write_text("mine")

    def some() -> None:
        TeleDataWriter(out).add(source.load(0))
        die()

    killed(some)
    assert (out / "episode_0.h5").is_file()
    assert convert(source, out, Format.TELEDATA).converted == 2
    assert sorted(path.name for path in out.iterdir() if path.read_bytes() == b"mine") == [
        "mine.h5", "mine.mp4", "notes.txt"
    ]  # fmt: skip
    assert not (out / MARK).exists()


def test_a_mark_that_a_power_cut_made_of_zeros_is_no_traceback(bags: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARK).write_bytes(b"\0" * 40 + b"\n")
    source = BagEpisodes(bags, sorted(bags.iterdir()))
    assert convert(source, tmp_path / "out", Format.TELEDATA).converted == 2


@pytest.mark.parametrize("command", ["check", "convert"])
def test_ctrl_c_is_a_sentence_and_not_a_traceback(
    bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vitra_training.bags.check.read_streams", stop)
    assert main([command, str(bags), *([str(tmp_path / "out")] if command == "convert" else [])]) == 130
    assert "interrupted the command was stopped" in said(capsys)


@pytest.mark.parametrize("name", ["episode_0.h5", "episode_0.mp4"])
def test_a_file_put_in_the_place_of_a_killed_conversions_episode_is_kept_and_named(
    bags: Path, tmp_path: Path, name: str, killed: Killed
) -> None:
    source, out = BagEpisodes(bags, sorted(bags.iterdir())), tmp_path / "out"

    def some() -> None:
        TeleDataWriter(out).add(source.load(0))
        die()

    killed(some)
    before = {path.name for path in out.iterdir()}
    (out / name).write_text("mine")
    with pytest.raises(TargetTakenError, match=f"{name} is not the file that it wrote; move that away"):
        convert(source, out, Format.TELEDATA)
    assert (out / name).read_text() == "mine"
    assert {path.name for path in out.iterdir()} == before
    (out / name).unlink()
    assert convert(source, out, Format.TELEDATA).converted == 2


def test_a_video_of_that_name_is_not_overwritten(bags: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/episode_0.mp4").write_text("mine")
    report = convert(BagEpisodes(bags, sorted(bags.iterdir())), tmp_path / "out", Format.TELEDATA)
    assert "episode_0.mp4 exists already and is not overwritten" in report.failed["episode_0"]
    assert (tmp_path / "out/episode_0.mp4").read_text() == "mine"


def test_folders_of_dead_processes_are_swept_and_those_of_living_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: Killed
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "vitra_bags_somebody").mkdir()

    def leave() -> None:
        folder = ScratchFolder("vitra_bags_")
        (folder.path / "000000.mp4").write_text("half")
        die()

    killed(leave)
    assert len(list(tmp_path.iterdir())) == 2
    living = ScratchFolder("vitra_bags_")
    other = ScratchFolder("vitra_bags_")
    assert {path.name for path in tmp_path.iterdir()} == {"vitra_bags_somebody", living.path.name, other.path.name}
    other.remove()
    assert living.path.is_dir()


def test_a_conversion_that_fails_leaves_no_journal(bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(StoreWriter, "add", refuse)
    command = ["convert", str(bags), str(tmp_path / "out"), "--unchecked", "--formats", "canonical"]
    assert main(command) == 2
    assert not (tmp_path / "out" / conversion_journal.NAME).exists()


@pytest.fixture
def interrupted(bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: Killed) -> list[str]:
    """A command that was killed when TeleData was whole and the store was not."""
    command = ["convert", str(bags), str(tmp_path / "out"), "--unchecked", "--formats", "teledata", "canonical"]
    with monkeypatch.context() as patch:
        patch.setattr(StoreWriter, "__exit__", die)
        killed(lambda: main(command))
    return command


def test_a_refused_command_leaves_the_interrupted_one_to_go_on_and_says_what_differs(
    interrupted: list[str], bags: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = (tmp_path / "out" / conversion_journal.NAME).read_bytes()
    out = str(tmp_path / "out")
    assert main(["convert", str(bags / "episode_0"), out, "--unchecked"]) == 2
    assert "episode_1 is not among the bags now" in said(capsys)
    shutil.copytree(bags / "episode_0", bags / "episode_9")
    assert main(interrupted) == 2
    words = said(capsys)
    assert "episode_9 is new since. Nothing was touched. The same command on the same bags finishes that one" in words
    assert f"or here after `rm -r {out}`" in words
    shutil.rmtree(bags / "episode_9")
    assert (tmp_path / "out" / conversion_journal.NAME).read_bytes() == journal
    assert main(interrupted) == 0
    assert len(open_source(tmp_path / "out/canonical")) == 2
    assert not [path for path in (tmp_path / "out").rglob(".*")], "no mark is left"


def test_fewer_formats_meanwhile_do_not_keep_the_interrupted_command_from_going_on(
    interrupted: list[str], tmp_path: Path
) -> None:
    assert main([*interrupted[:-2], "canonical"]) == 0
    assert main(interrupted) == 0
    assert not [path for path in (tmp_path / "out").rglob(".*")], "no mark is left"


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"cut")])
def test_a_format_that_lost_a_file_since_is_not_called_whole(
    interrupted: list[str], tmp_path: Path, damage: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    damage(tmp_path / "out/teledata/episode_1.mp4")
    assert main(interrupted) == 2
    words = said(capsys)
    assert "episode_1.mp4 is missing or changed since" in words
    assert "kept as it is" not in words
    shutil.rmtree(tmp_path / "out/teledata")  # as the message says
    assert main(interrupted) == 0
    assert len(open_source(tmp_path / "out/teledata")) == 2


def test_a_second_command_leaves_the_journal_of_a_living_conversion_alone(
    bags: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    living = Mark(tmp_path / "out" / conversion_journal.NAME, "data sets")
    living.take()
    living.note(b"theirs")
    assert main(["convert", str(bags), str(tmp_path / "out"), "--unchecked"]) == 2
    assert "another conversion writes there; let it end" in said(capsys)
    assert living.path.read_bytes() == b"theirs\n"
    assert list((tmp_path / "out").iterdir()) == [living.path]


def test_the_journal_goes_when_the_account_has_been_given(
    bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = []
    monkeypatch.setattr(conversion_journal.ConversionJournal, "end", lambda _: words.append(said(capsys)))
    assert main(["convert", str(bags), str(tmp_path / "out"), "--unchecked", "--formats", "teledata"]) == 0
    assert "in all 2 of 2 bags converted" in words[0]
    assert main(["convert", str(bags), str(tmp_path / "out"), "--unchecked", "--formats", "teledata"]) == 0
    assert "whole since an interrupted run, kept as it is in all 2 of 2 bags converted" in words[1]


def test_what_failed_in_a_format_that_is_kept_is_in_the_account_of_the_next_run(
    bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out/teledata").mkdir(parents=True)
    (tmp_path / "out/teledata/episode_0.mp4").write_text("mine")
    monkeypatch.setattr(conversion_journal.ConversionJournal, "end", lambda _: None)
    for _ in range(2):
        assert main(["convert", str(bags), str(tmp_path / "out"), "--unchecked", "--formats", "teledata"]) == 1
        words = said(capsys)
        assert "1 of 2 bags converted; left out: 1 that fail" in words
        assert f"next 1 were not written, for episodes of their names are in {tmp_path / 'out'} already" in words
        assert "vitra-bag check" not in words
        assert "--unchecked" not in words
