"""The account of a conversion of bags: exit code, what was left out, and what to run next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
