"""Names that are no UTF-8, as old disks and archives have them, end no command with a traceback."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from vitra_training import cli_bag, cli_data
from vitra_training.datasets.names import text_of
from vitra_training.datasets.sources import open_source

KITCHEN = os.fsdecode(b"k\xfcche")


@pytest.mark.parametrize(("name", "text"), [("küche", "küche"), (KITCHEN, "k%FCche"), ("\udc80", "%80")])
def test_what_is_no_text_in_a_name_is_told_apart_and_all_else_is_left(name: str, text: str) -> None:
    assert text_of(name) == text


def test_a_bag_whose_name_is_no_text_is_checked_cut_and_converted(episodes: Any, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    bag = episodes.write(tmp_path / "bag", episodes.messages(2.0))
    folder.mkdir()
    bag.rename(folder / KITCHEN)
    images = tmp_path / "images"
    assert cli_bag.main(["check", str(folder), "--report", str(tmp_path / "r.json"), "--images", str(images)]) == 0
    assert [path.name for path in images.iterdir()] == ["k%FCche.png"]
    assert cli_bag.main(["trim", str(folder / KITCHEN), str(tmp_path / "cut"), "--begin-s", "0.5"]) == 0
    for _ in range(2):  # the second time all are there
        cli_bag.main(["convert", str(folder), str(tmp_path / "out")])
    for format in ("teledata", "canonical", "lerobot"):
        assert len(open_source(tmp_path / "out" / format)) == 1
    assert list(open_source(tmp_path / "out/canonical").ids) == ["k%FCche"]
    assert len(open_source(folder).content_hash()) == 64


def test_a_name_that_is_no_text_can_be_printed_on_a_terminal_that_takes_text_only(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    episodes.write(tmp_path / "bag", episodes.messages(2.0)).rename(tmp_path / KITCHEN)
    (tmp_path / KITCHEN / "metadata.yaml").unlink()
    for main, command, code in ((cli_bag.main, "check", 1), (cli_data.main, "inspect", 2), (cli_bag.main, "repair", 0)):
        assert main([command, str(tmp_path)]) == code
        assert str(tmp_path) in capsys.readouterr().out


def test_an_episode_whose_name_is_no_text_is_converted_and_learnt_from(robot_dir: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for ending in (".h5", ".mp4"):
        shutil.copy(robot_dir / f"demo0{ending}", data / (KITCHEN + ending))
    for format in ("teledata", "canonical"):
        assert cli_data.main(["convert", str(data), str(tmp_path / format), "--format", format]) == 0
        assert list(open_source(tmp_path / format).ids) == ["k%FCche"]
    source = open_source(data)
    assert len(source.stamp()) == len(source.content_hash()) == 64  # type: ignore[attr-defined]
