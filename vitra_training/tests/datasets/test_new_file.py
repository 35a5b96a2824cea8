"""What a command is told to write takes the place of nothing but what the same command wrote earlier."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from vitra_training import cli_bag, cli_data
from vitra_training.datasets.errors import RecordingsError
from vitra_training.training.config import DataConfig
from vitra_training.training.data import open_path


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "command",
    [
        (cli_bag.main, "check", "BAG", "--report", "BAG/bag.mcap"),
        (cli_bag.main, "check", "BAG", "--report", "BAG/report.json"),
        (cli_bag.main, "check", "BAG", "--images", "BAG/images"),
        (cli_data.main, "validate", "BAG", "--report", "BAG/metadata.yaml"),
        (cli_data.main, "preview", "BAG", "BAG/bag.mcap"),
        (cli_data.main, "stats", "DATA", "BAG/metadata.yaml"),
        (cli_data.main, "preview", "DATA/demo0.h5", "DATA/demo0.mp4"),
        (cli_data.main, "preview", "DATA/demo0.h5", "DATA/demo0.h5"),
        (cli_data.main, "stats", "DATA", "DATA/demo0.h5"),
        (cli_data.main, "validate", "DATA", "--report", "DATA/demo0.h5"),
        (cli_data.main, "validate", "DATA", "--report", "DATA/info.json"),
        (cli_data.main, "stats", "DATA", "DATA/info.json"),
    ],
)
def test_neither_recordings_nor_episodes_are_overwritten(
    command: tuple[Any, ...], episodes: Any, robot_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = episodes.write(tmp_path / "bag", episodes.messages(2.0))
    data = shutil.copytree(robot_dir, tmp_path / "data")
    (data / "info.json").write_text('{"fps": 30}')
    before = contents(tmp_path)
    main, *words = command
    assert main([word.replace("BAG", str(bag)).replace("DATA", str(data)) for word in words]) == 2
    assert contents(tmp_path) == before
    assert "Choose another place" in said(capsys)


@pytest.mark.parametrize("place", ["lost", "lost_part", "cut.partial", "cut.partial/cut"])
def test_nothing_is_written_into_a_recording_that_is_cut_off_or_lost_its_metadata(
    place: str, episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = episodes.write(tmp_path / "bag", episodes.messages(2.0))
    for file in ("lost/lost.mcap", "lost_part/lost_part_0.mcap", "cut.partial/cut/cut.mcap"):
        (tmp_path / file).parent.mkdir(parents=True)
        shutil.copy(bag / "bag.mcap", tmp_path / file)
    before, target = contents(tmp_path), str(tmp_path / place / "new")
    for main, *words in (
        (cli_bag.main, "trim", bag, target, "--begin-s", "0.5"),
        (cli_bag.main, "convert", bag, target),
        (cli_bag.main, "check", bag, "--report", target),
    ):
        assert main([str(word) for word in words]) == 2
        assert "nothing is written into a bag" in said(capsys)
    assert contents(tmp_path) == before
    assert cli_bag.main(["repair", str(tmp_path)]) == 0, "each is still one recording"


@pytest.mark.parametrize("name", ["download.mcap", "lab_download.mcap", "lab_2026-12-01.mcap"])
def test_a_recording_that_lies_loose_makes_no_bag_of_the_folders_around_it(
    name: str, episodes: Any, tmp_path: Path
) -> None:
    bag = episodes.write(tmp_path / "lab/bag", episodes.messages(2.0))
    shutil.copy(bag / "bag.mcap", tmp_path / "lab" / name)
    assert cli_bag.main(["trim", str(bag), str(tmp_path / "lab/work/cut"), "--begin-s", "0.5"]) == 0


def test_a_file_that_is_no_readable_json_is_not_overwritten(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = episodes.write(tmp_path / "bag", episodes.messages(2.0))
    (tmp_path / "deep.json").write_text("[" * 200_000)
    assert cli_bag.main(["check", str(bag), "--report", str(tmp_path / "deep.json")]) == 2
    assert "exists already and is not overwritten" in said(capsys)


def test_an_earlier_report_and_earlier_statistics_are_replaced(episodes: Any, robot_dir: Path, tmp_path: Path) -> None:
    bag = episodes.write(tmp_path / "bag", episodes.messages(2.0))
    for _ in range(2):
        assert cli_bag.main(["check", str(bag), "--report", str(tmp_path / "check.json")]) == 0
        cli_data.main(["validate", str(robot_dir), "--report", str(tmp_path / "check.json")])
        assert cli_data.main(["stats", str(robot_dir), str(tmp_path / "stats.json")]) == 0


def test_statistics_of_a_checkpoint_stay_for_its_weights_mean_nothing_without_them(
    robot_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_data.main(["stats", str(robot_dir), str(tmp_path / "statistics.json")]) == 0
    (tmp_path / "config.json").write_text('{"format": "vitra-policy-checkpoint"}')
    before = contents(tmp_path)
    assert cli_data.main(["stats", str(robot_dir), str(tmp_path / "statistics.json"), "--name", "other"]) == 2
    assert "exists already and is not overwritten" in said(capsys)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("outcome", ["saved", "unjudged"])
def test_bags_are_no_data_to_learn_from_before_they_are_judged(
    outcome: str, episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    episodes.write(tmp_path / "set/bag", episodes.messages(2.0), {**episodes.about, "outcome": outcome})
    assert cli_data.main(["stats", str(tmp_path / "set"), str(tmp_path / "stats.json")]) == 2
    assert f"`vitra-bag convert {tmp_path / 'set'} OUT` does; then name OUT/canonical instead" in said(capsys)
    assert not (tmp_path / "stats.json").exists()
    for place in ("set", "set/bag"):
        with pytest.raises(RecordingsError):
            open_path(tmp_path / place, DataConfig())
