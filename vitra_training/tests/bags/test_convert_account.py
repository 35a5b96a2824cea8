"""The account of a conversion of bags: exit code, what was left out, and what to run next."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from vitra_training import cli_data
from vitra_training.cli_bag import main

ONE = ("--formats", "teledata")


def silent_hand(episodes: Any) -> list[tuple[str, int, Any]]:
    """An episode whose check fails."""
    return [message for message in episodes.messages(2.0) if not message[0].endswith("hand/joint_states")]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_a_bag_of_a_folder_whose_check_fails_makes_the_exit_code_1_with_what_to_run_next(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    episodes.write(tmp_path / "set/good", episodes.messages(2.0))
    episodes.write(tmp_path / "set/bad", silent_hand(episodes))
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "out"), *ONE]) == 1
    words = said(capsys)
    assert "1 of 2 bags converted; left out: 1 that fail, 0 that no operator saved" in words
    assert f"next `vitra-bag check {tmp_path / 'set'}` says what is wrong with each" in words
    assert [path.stem for path in (tmp_path / "out/teledata").glob("*.h5")] == ["good"]


def test_bags_that_nobody_saved_are_not_asked_for_so_the_exit_code_stays_0(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    episodes.write(tmp_path / "set/good", episodes.messages(2.0))
    episodes.write(tmp_path / "set/stopped", episodes.messages(2.0), {**episodes.about, "outcome": "unjudged"})
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "out"), *ONE]) == 0
    words = said(capsys)
    assert "1 of 2 bags converted; left out: 0 that fail, 1 that no operator saved" in words
    assert "next" not in words


def test_a_bag_that_is_named_and_left_out_makes_the_exit_code_1(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = episodes.write(tmp_path / "bag", episodes.messages(2.0), {**episodes.about, "outcome": "unjudged"})
    assert main(["convert", str(bag), str(tmp_path / "out"), *ONE]) == 1
    assert "0 of 1 bags converted" in said(capsys)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def judged(episodes: Any, tmp_path: Path) -> Path:
    """A folder with a bag of each outcome; all would pass their check."""
    for name, outcome in (("saved", "saved"), ("unjudged", "unjudged"), ("fell", "discarded")):
        about = episodes.about | {"outcome": outcome}
        about |= {"discard_reason": "the cube fell"} if outcome == "discarded" else {}
        episodes.write(tmp_path / "set" / name, episodes.messages(2.0), about)
    return tmp_path / "set"


def test_what_an_operator_discarded_is_never_converted_not_even_unjudged_and_unchecked(
    judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--unjudged", "--unchecked", *ONE)
    assert main(["convert", str(judged), str(tmp_path / "out"), *options]) == 0
    words = said(capsys)
    assert "fell: an operator discarded it (the cube fell); discarded bags are never converted" in words
    assert (
        "2 of 3 bags converted; left out: 0 that fail, 0 that no operator saved, 1 that an operator discarded" in words
    )
    assert sorted(path.stem for path in (tmp_path / "out/teledata").glob("*.h5")) == ["saved", "unjudged"]
    assert main(["convert", str(judged / "fell"), str(tmp_path / "one"), *options]) == 1
    assert "--unjudged" not in said(capsys)
    assert not (tmp_path / "one").exists()


def test_a_discarded_bag_whose_metadata_were_edited_is_not_unjudged(
    judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = judged / "fell/metadata.yaml"
    metadata.write_text(metadata.read_text().replace("outcome: discarded", "outcome: saved"))
    assert main(["convert", str(judged / "fell"), str(tmp_path / "out"), "--unjudged", "--unchecked", *ONE]) == 1
    assert "metadata.yaml says saved and the recording itself discarded" in said(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("named", ["", "saved", "unjudged", "fell"])
def test_both_conversions_of_bags_have_one_rule_one_account_and_one_exit_code(
    judged: Path, tmp_path: Path, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["convert", str(judged / named), str(tmp_path / "bag"), *ONE])
    account = said(capsys).partition("in all ")[2]
    assert cli_data.main(["convert", str(judged / named), str(tmp_path / "data"), "--format", "teledata"]) == code
    assert account
    assert account in said(capsys)
    assert code == (0 if named in ("", "saved") else 1)
    written = {path.relative_to(tmp_path / "bag/teledata").name for path in (tmp_path / "bag").rglob("*.*")}
    assert {path.name for path in (tmp_path / "data").rglob("*.*")} == written


def test_a_folder_where_no_bag_was_saved_is_accounted_for_by_both(
    judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(judged / "saved")
    assert main(["convert", str(judged), str(tmp_path / "out"), *ONE]) == 1
    assert cli_data.main(["convert", str(judged), str(tmp_path / "out")]) == 1
    account = "0 of 2 bags converted; left out: 0 that fail, 1 that no operator saved, 1 that an operator discarded"
    assert said(capsys).count(account) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("metadata", [None, b"", b"\0" * 900])
def test_a_saved_bag_whose_metadata_are_lost_or_damaged_fails_and_is_not_called_unjudged(
    metadata: bytes | None, episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    episodes.write(tmp_path / "set/good", episodes.messages(2.0))
    bag = episodes.write(tmp_path / "set/hurt", episodes.messages(2.0))
    (bag / "metadata.yaml").unlink()
    if metadata is not None:
        (bag / "metadata.yaml").write_bytes(metadata)
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "out"), *ONE]) == 1
    words = said(capsys)
    assert "1 of 2 bags converted; left out: 1 that fail, 0 that no operator saved" in words
    assert f"Run`vitra-bagrepair{bag}`" in "".join(words.split())  # a long path is broken at the terminal's edge
    assert main(["repair", str(tmp_path / "set")]) == 0
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "again"), *ONE]) == 0


def test_what_unchecked_could_not_convert_is_not_told_to_go_unchecked(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = episodes.write(tmp_path / "bag", episodes.messages(2.0))
    (bag / "bag.mcap").write_bytes(b"rubbish")
    assert main(["convert", str(bag), str(tmp_path / "out"), *ONE]) == 1
    assert "--unchecked takes all that can be read" in said(capsys)
    assert main(["convert", str(bag), str(tmp_path / "out"), "--unchecked", *ONE]) == 1
    assert "--unchecked" not in said(capsys)
