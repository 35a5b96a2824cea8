from __future__ import annotations

import json
from pathlib import Path

import pytest

from vitra_policy.benchmarks.random_network import example_statistics
from vitra_policy.statistics import Statistics
from vitra_training import cli_data
from vitra_training.cli_data import main
from vitra_training.datasets.convert import Format
from vitra_training.datasets.sources import open_source
from vitra_training.datasets.statistics import StatisticsCount


def test_a_data_set_goes_all_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, store, stats = tmp_path / "raw", tmp_path / "store", tmp_path / "stats.json"
    sizes = ["--width-px", "96", "--height-px", "72", "--episodes", "2"]
    assert main(["synth", str(raw), *sizes]) == 0
    assert main(["inspect", str(raw)]) == 0
    assert "2 episodes" in capsys.readouterr().out
    assert main(["validate", str(raw), "--report", str(tmp_path / "report.json")]) == 0
    assert [entry["ok"] for entry in json.loads((tmp_path / "report.json").read_text())] == [True, True]
    assert main(["convert", str(raw), str(store)]) == 0
    assert open_source(store).format == Format.CANONICAL
    assert main(["stats", str(store), str(stats), "--frames-per-episode", "5"]) == 0
    assert Statistics.load(stats).present
    assert main(["preview", str(store), str(tmp_path / "p.mp4"), "--episode", "1"]) == 0
    assert (tmp_path / "p.mp4").stat().st_size > 1000


def test_statistics_that_would_be_refused_later_are_named_when_they_are_computed(
    human_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unlikely = example_statistics()
    unlikely.hands["left"], unlikely.hands["right"] = unlikely.hands["right"], unlikely.hands["left"]
    monkeypatch.setattr(cli_data, "compute_statistics", lambda *_: (unlikely, StatisticsCount()))
    assert main(["stats", str(human_dir), str(tmp_path / "stats.json")]) == 0
    said = capsys.readouterr().out
    assert "will be refused" in said
    assert "a training measures its data itself" in said


def test_broken_episodes_fail_validation_and_are_left_out_of_conversion(
    human_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    good = next((human_dir / "annotations").glob("*.npy"))
    (data / good.name).write_bytes(good.read_bytes())
    (data / "synthetic_bad_ep_000001.npy").write_bytes(good.read_bytes()[:500])
    arguments = [str(data), "--video-root", str(human_dir)]
    assert main(["validate", *arguments]) == 1
    assert "1 broken" in capsys.readouterr().out
    assert main(["convert", str(data), str(tmp_path / "store"), "--video-root", str(human_dir)]) == 0
    assert "left out" in capsys.readouterr().out
    assert len(open_source(tmp_path / "store")) == 1


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["convert", "DATA", "OUT", "--gop", "0"], "--gop is 0"),
        (["convert", "DATA", "OUT", "--crf", "52"], "--crf is 52"),
        (["convert", "DATA", "OUT", "--short-side-max", "0"], "--short-side-max is 0"),
        (["convert", "DATA", "OUT", "--frames-per-shard", "-1"], "--frames-per-shard is -1"),
        (["stats", "DATA", "OUT", "--frames-per-episode", "0"], "--frames-per-episode is 0"),
        (["synth", "OUT", "--episodes", "0"], "--episodes is 0"),
        (["synth", "OUT", "--width-px", "31"], "--width-px is 31"),
        (["synth", "OUT", "--fps", "nan"], "--fps is nan"),
    ],
)
def test_values_that_an_option_cannot_have_are_named(
    arguments: list[str], option: str, robot_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"DATA": str(robot_dir), "OUT": str(tmp_path / "out")}
    assert main([places.get(word, word) for word in arguments]) == 2
    assert option in "".join(capsys.readouterr())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("format", Format)
def test_formats_are_named_as_the_manual_names_them(
    human_dir: Path, robot_dir: Path, tmp_path: Path, format: Format
) -> None:
    data = human_dir if format in (Format.VITRA1M, Format.EGOSMITH) else robot_dir
    assert main(["convert", str(data), str(tmp_path / "out"), "--format", format.value]) == 0
    assert any((tmp_path / "out").iterdir())


def test_where_every_episode_is_left_out_the_reasons_are_written_all_the_same(robot_dir: Path, tmp_path: Path) -> None:
    assert main(["convert", str(robot_dir), str(tmp_path / "out"), "--format", Format.EGOSMITH.value]) == 1
    assert "it is a robot episode" in (tmp_path / "out/left_out.json").read_text()


def test_robot_demonstrations_can_be_invented(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--width-px", "64", "--height-px", "48", "--episodes", "1"]
    assert main(["synth", str(tmp_path / "demos"), "--robot", *sizes]) == 0
    assert main(["validate", str(tmp_path / "demos")]) == 0
    assert "0 broken" in capsys.readouterr().out


def test_a_mistake_is_one_line_and_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path / "nothing")]) == 2
    said = capsys.readouterr().out.replace("\n", " ")
    assert f"no data set found, for {tmp_path}/nothing does not exist. Expected a folder with" in said
    assert main(["inspect", str(tmp_path)]) == 2
    assert "no data set found. Expected a folder with" in capsys.readouterr().out.replace("\n", " ")


def test_above_the_formats_of_a_conversion_the_folder_that_is_meant_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`vitra-bag convert EPISODES OUT` makes OUT/canonical, which is the data set."""
    (tmp_path / "canonical").mkdir()
    (tmp_path / "canonical" / "store.json").write_text("{}")
    assert f"It holds some: {tmp_path}/canonical; give one of them." in said_by(capsys, "inspect", tmp_path)


def test_a_place_that_cannot_be_written_is_one_line_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["synth", str(tmp_path / "file/set"), "--episodes", "1"]) == 2
    assert "Not a directory. Give another path" in capsys.readouterr().out


def said_by(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command that is refused says, in one line."""
    assert main([str(word) for word in words]) == 2
    said = "".join(capsys.readouterr())
    assert said.strip().count("\n") == 0
    return said


def test_places_in_the_wrong_order_are_told_with_the_command_that_is_meant(
    robot_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = said_by(capsys, "convert", tmp_path / "new", robot_dir)
    assert f"{tmp_path}/new is no data set, but {robot_dir} is: the data set to read comes first" in said
    assert f"Perhaps: `vitra-data convert {robot_dir} {tmp_path}/new`" in said
    (tmp_path / "empty").mkdir()
    said = said_by(capsys, "convert", tmp_path / "empty", robot_dir, "--format", "lerobot")
    assert f"`vitra-data convert {robot_dir} {tmp_path}/empty_lerobot --format lerobot`" in said
    assert "no data set found" in said_by(capsys, "convert", tmp_path / "nothing", tmp_path / "neither")


def test_a_target_where_something_is_is_told_with_a_command_that_goes(
    robot_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a file").write_text("mine")
    said = said_by(capsys, "convert", robot_dir, tmp_path / "a file")
    assert "it is a file, not a folder; choose a new folder. For example: `" in said
    assert f"`vitra-data convert {robot_dir} '{tmp_path}/a file_canonical'`" in said
    (tmp_path / "set").mkdir()
    (tmp_path / "set/notes.txt").write_text("mine")
    said = said_by(capsys, "convert", robot_dir, tmp_path / "set", "--format", "lerobot")
    assert "it is not empty; choose a new folder. For example: `" in said
    assert f"{tmp_path}/set_lerobot --format lerobot`" in said
    said = said_by(capsys, "convert", robot_dir, tmp_path / "a file/sub")
    assert "Not a directory" in said
    assert "Give another path" in said


def test_a_data_set_is_not_converted_into_itself(
    robot_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(robot_dir.iterdir())
    for format in ("canonical", "teledata"):
        said = said_by(capsys, "convert", robot_dir, robot_dir, "--format", format)
        assert f"{robot_dir} is the data set itself" in said
        assert f"`vitra-data convert {robot_dir} {robot_dir}_{format}" in said
    assert sorted(robot_dir.iterdir()) == before
