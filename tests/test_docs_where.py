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
    assert len(ROWS) == (ROOT / "docs/where.md").read_text().count("\n| ") - 1, "a row is a question, a file and a word"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["question"])
def test_the_file_is_there_and_says_so(row: dict[str, str]) -> None:
    path = ROOT / row["path"]
    assert path.is_file(), f"{row['path']} is gone: mend docs/where.md"
    assert row["name"] in path.read_text(), f"{row['path']} does not mention {row['name']}: mend docs/where.md"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["question"])
def test_the_words_to_look_for_locate_a_place(row: dict[str, str]) -> None:
    found = [line for line in (ROOT / row["path"]).read_text().splitlines() if row["name"] in line]
    assert row["name"] not in ("class", "def", "import"), "say which class or function"
    assert len(found) <= 6, f"{row['name']} stands in {len(found)} lines of {row['path']}: say which"


def test_a_question_that_a_how_to_page_answers_leads_to_that_page() -> None:
    """Adding something changes no file of the project (docs/how_to/index.md), so no row may name one to change."""
    adding = [row for row in ROWS if re.search(r"\b(?:add|begin with)\b", row["question"])]
    assert adding
    assert [row["question"] for row in adding if not row["path"].startswith("docs/how_to/")] == []
