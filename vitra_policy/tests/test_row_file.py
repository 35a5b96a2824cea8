"""Records that only grow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from vitra_policy.row_file import RowFileError, append_row, mend_last_line, read_rows


@dataclass(frozen=True, slots=True)
class Row:
    who: str
    what: str


def test_what_was_appended_is_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    append_row(path, Row("ann", 'says "yes", twice'))
    append_row(path, Row("ben", "no"))
    assert path.read_text().splitlines()[0] == "who,what"
    assert read_rows(path, Row) == [["ann", 'says "yes", twice'], ["ben", "no"]]


def test_a_line_that_a_power_cut_left_is_ended_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    mend_last_line(path)  # no file yet
    path.write_text("who,what\nann,yes\nbe")
    mend_last_line(path)
    append_row(path, Row("cleo", "no"))
    assert read_rows(path, Row) == [["ann", "yes"], ["cleo", "no"]]


def test_other_columns_are_refused_with_the_right_ones(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    for text in ("", "who,why\nann,yes\n"):
        path.write_text(text)
        with pytest.raises(RowFileError, match="first line who,what"):
            read_rows(path, Row)
