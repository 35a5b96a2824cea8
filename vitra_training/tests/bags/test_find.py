"""No bag of a folder is overlooked, whatever it is called and wherever it lies, by the check as by the repair."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vitra_training import cli_data
from vitra_training.bags.errors import NoBagError
from vitra_training.bags.find import all_bags, find_bags, unique_names
from vitra_training.bags.repair import find_all
from vitra_training.cli_bag import main
from vitra_training.datasets.sources import open_source


@pytest.fixture
def good(episodes: Any, tmp_path: Path) -> Path:
    written: Path = episodes.write(tmp_path / "set/day/good", episodes.messages(2.0))
    return written


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_a_recording_that_was_cut_off_is_found_in_folders_of_folders(good: Path, tmp_path: Path) -> None:
    for place in ("cut.partial/cut/cut.mcap", "originals/old.partial/old/old.mcap", "discarded/bad.partial/b/b.mcap"):
        (good.parent / place).parent.mkdir(parents=True)
        (good.parent / place).touch()
    assert all_bags(tmp_path / "set") == [good.with_name("cut.partial"), good]
    assert find_bags(tmp_path / "set") == [good]
    assert main(["check", str(tmp_path / "set")]) == 1


def test_bags_behind_links_are_found_once_and_a_link_in_a_circle_ends(good: Path, tmp_path: Path) -> None:
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen/one").symlink_to(good)
    (tmp_path / "chosen/same").symlink_to(good)
    (tmp_path / "chosen/round").symlink_to(tmp_path / "chosen")
    assert all_bags(tmp_path / "chosen") == find_all(tmp_path / "chosen") == [tmp_path / "chosen/one"]


def test_a_bag_behind_a_link_is_repaired_where_it_is(good: Path, tmp_path: Path) -> None:
    (good / "metadata.yaml").unlink()
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen/one").symlink_to(Path("..") / good.relative_to(tmp_path))
    assert main(["repair", str(tmp_path / "chosen")]) == 0
    assert (tmp_path / "chosen/one").is_symlink()
    assert (tmp_path / "chosen/one/metadata.yaml").is_file()
    assert (good.parent / "originals/good/good.mcap").is_file()


def test_what_the_check_calls_damaged_the_repair_looks_at(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (good / "good.mcap").unlink()
    flat = good.with_name("flat.partial")
    flat.mkdir()
    (flat / "flat_0.mcap").touch()
    assert all_bags(tmp_path / "set") == find_all(tmp_path / "set") == [flat, good]
    assert main(["repair", str(tmp_path / "set")]) == main(["check", str(tmp_path / "set")]) == 1
    words = said(capsys)
    assert words.count("good.mcap, which metadata.yaml names, is missing: copy it there") == 2
    assert f"vitra-bag repair {good}" not in words, "which could do nothing"


def test_a_bag_that_is_named_by_a_dot_keeps_its_name(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(good)
    assert main(["convert", ".", str(tmp_path / "out"), "--formats", "teledata"]) == 0
    assert open_source(tmp_path / "out/teledata").ids == ["good"]
    assert main(["check", ".", "--images", str(tmp_path / "images")]) == 0
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["good.png"]
    (good / "metadata.yaml").unlink()
    assert main(["repair", "."]) == 0
    assert (good.parent / "originals/good").is_dir()


def test_names_are_unique_whatever_the_folders_are_called(tmp_path: Path) -> None:
    paths = [tmp_path / place for place in ("a/b/ep", "a__b/ep", "a__b__ep", "c/one")]
    assert unique_names(tmp_path, paths) == ["a__b__ep_2", "a__b__ep_3", "a__b__ep", "one"]


def test_a_folder_without_bags_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoBagError):
        all_bags(tmp_path)


@pytest.fixture
def closed(good: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes a folder beside a good bag into which nobody may look; tests may run as root, who may look anywhere."""
    scandir, access = os.scandir, os.access

    def close(name: str) -> Path:
        folder = good.parent / name
        folder.mkdir()

        def looked_into(path: Any) -> Any:
            if str(path) == str(folder):  # or an open folder, by its number
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", looked_into)
        monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(folder) and access(path, mode))
        return folder

    return close


def test_a_folder_that_nobody_may_look_into_is_not_overlooked(
    closed: Callable[[str], Path], good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = closed("anothers")
    assert all_bags(tmp_path / "set") == find_all(tmp_path / "set") == [folder, good]
    assert main(["check", str(tmp_path / "set")]) == 1
    assert "Get the right to read and enter that folder" in said(capsys)
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "out"), "--formats", "teledata"]) == 1
    assert "1 of 2 bags converted; left out: 1 that fail" in said(capsys)


@pytest.mark.parametrize("name", ["lost+found", ".Trash-0"])
def test_what_a_system_closes_on_a_disk_is_no_bag(
    name: str, closed: Callable[[str], Path], good: Path, tmp_path: Path
) -> None:
    closed(name)
    assert all_bags(tmp_path / "set") == [good]


def test_a_folder_that_is_called_like_a_file_makes_no_bag_of_the_one_around_it(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good.parent.rename(day := tmp_path / "set/day.mcap")
    (day / "old.db3").mkdir()
    for found in (all_bags, find_all):
        assert found(tmp_path / "set") == [day / "good"]
    assert main(["check", str(tmp_path / "set")]) == main(["repair", str(tmp_path / "set")]) == 0
    (day / "good/good.mcap").unlink()
    (day / "good/good.mcap").mkdir()
    for command in ("check", "repair"):
        capsys.readouterr()
        assert main([command, str(tmp_path / "set")]) == 1
        words = said(capsys)
        assert "good.mcap, which metadata.yaml names, is missing: copy it there" in words
        assert "Run `vitra-bag repair" not in words, "which could do nothing"


def test_what_cannot_be_opened_is_named_in_words_and_the_others_are_repaired(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (good.with_name("a_link")).mkdir()
    (good.parent / "a_link/gone.mcap").symlink_to("nowhere")
    (good.parent / "empty.partial").mkdir()
    assert main(["repair", str(tmp_path / "set")]) == 1
    words = said(capsys)
    assert f"{good.parent / 'a_link/gone.mcap'}: No such file or directory. The bag is left as it is" in words
    assert "empty.partial: not one whole message is in it (no .mcap file). It is left as it is" in words
    assert f"{good}: nothing is wrong" in words


def test_a_folder_of_damaged_bags_only_is_no_folder_without_data(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (good / "metadata.yaml").unlink()
    assert cli_data.main(["validate", str(tmp_path / "set")]) == 2
    assert f"`vitra-bag check {tmp_path / 'set'}`" in said(capsys)
    assert cli_data.main(["validate", str(good)]) == 1
    assert f"Run `vitra-bag repair {good}`" in said(capsys)
    assert cli_data.main(["convert", str(tmp_path / "set"), str(tmp_path / "out")]) == 1
    assert "0 of 1 bags converted; left out: 1 that fail" in said(capsys)


@pytest.mark.parametrize("metadata", ["", None])
def test_a_bag_whose_metadata_are_lost_or_damaged_is_not_called_unsaved(
    metadata: str | None, good: Path, episodes: Any, tmp_path: Path
) -> None:
    lost = episodes.write(good.with_name("lost"), episodes.messages(2.0))
    (lost / "metadata.yaml").unlink()
    if metadata is not None:
        (lost / "metadata.yaml").write_text(metadata)
    source = open_source(tmp_path / "set")
    assert list(source.ids) == ["good"]
    assert source.broken == {"lost": "unjudged, no metadata.yaml of it can be read"}


def test_of_bags_of_one_name_each_has_its_own_findings(
    good: Path, episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "set/two").mkdir()
    episodes.write(tmp_path / "set/two/good", episodes.messages(2.0), {**episodes.about, "outcome": "unjudged"})
    (good / "stray.mcap").write_bytes((good / "good.mcap").read_bytes())
    assert cli_data.main(["validate", str(tmp_path / "set")]) == 1
    words = said(capsys)
    assert "1 episodes, " in words
    assert "error day__good: bag: its check fails" in words
