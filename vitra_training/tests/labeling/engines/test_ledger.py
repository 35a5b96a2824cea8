"""The account of a run on a disk that has no space left."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitra_training.labeling.engines.ledger import Ledger
from vitra_training.labeling.engines.stage import Item
from vitra_training.labeling.errors import DiskFullError


def test_a_ledger_that_cannot_grow_says_that_the_disk_is_full_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.started(Item("first", Path("first.mp4")), "hands", "abc")
    ledger._execute("PRAGMA max_page_count=3")  # as small as it is now
    with pytest.raises(DiskFullError, match="make room"):
        ledger.started(Item("second" * 10_000, Path("second.mp4")), "hands", "abc")
    ledger.close()
    kept = Ledger(path)
    assert kept.entry(Item("first", Path("first.mp4")), "hands", "abc") is not None
    kept.close()
