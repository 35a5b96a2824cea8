"""`docs/where.md` tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (?P<question>[^|]+\?) \| `(?P<path>[^`]+)` \| `(?P<name>[^`]+)` \|$", re.M)
ROWS = [match.groupdict() for match in ROW.finditer((ROOT / "docs/where.md").read_text())]


def test_there_are_at_least_twenty_answers() -> None:
    assert len(ROWS) >= 20
    assert len(ROWS) == (ROOT / "docs/where.md").read_text().count("\n| W")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["question"])
def test_the_file_is_there_and_says_so(row: dict[str, str]) -> None:
    path = ROOT / row["path"]
    assert path.is_file(), f"{row['path']} is gone: mend docs/where.md"
    assert row["name"] in path.read_text(), f"{row['path']} does not mention {row['name']}: mend docs/where.md"
