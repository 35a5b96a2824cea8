"""What the commands say of a disk that refuses something."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from vitra_policy import cli
from vitra_policy.errors import UnknownNameError, disk_words


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (lambda path: (path / "below").mkdir(), "Not a directory. Give another path"),
        (lambda path: path.mkdir(), "File exists. Give another path"),
        (lambda path: path.with_name("nothing").read_bytes(), "No such file or directory. Give another path"),
        (lambda path: path.parent.read_bytes(), "Is a directory. Give another path"),
        (lambda path: path.with_name("x" * 300).touch(), "File name too long. Give another path"),
    ],
)
def test_a_path_that_cannot_be_used_is_a_sentence(
    refused: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        refused(tmp_path / "file")
    assert words in disk_words(caught.value)
    assert str(tmp_path) in disk_words(caught.value)


def test_a_full_disk_says_where_and_another_error_is_no_matter_of_the_disk() -> None:
    assert "No space left (runs/x)" in disk_words(OSError(errno.ENOSPC, "No space left on device", "runs/x"))
    assert "larger than its disk takes" in disk_words(OSError(errno.EFBIG, "File too large"))
    for error in (OSError(errno.ECONNREFUSED, "refused"), OSError("anything")):
        with pytest.raises(OSError, match=str(error).replace("[", r"\[")):
            disk_words(error)


def test_a_command_that_cannot_write_ends_with_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="2"):
        cli.main(["new-mini", str(tmp_path / "file/checkpoint")])
    assert "Give another path" in capsys.readouterr().err


def test_names_with_commas_stand_apart_in_a_list() -> None:
    assert "Allowed: 'grasp, seen', place." in str(UnknownNameError("cell", "x", ["place", "grasp, seen"]))
