"""Columns on disk: they hold what was appended, in order, and memory holds only their newest numbers."""

from __future__ import annotations

import gc
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_training.bags import columns as module
from vitra_training.bags.check import check_bag
from vitra_training.bags.columns import Columns
from vitra_training.bags.streams import read_streams
from vitra_training.datasets.errors import DiskError


def test_columns_that_share_a_file_each_read_back_what_was_appended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IN_MEMORY_BYTES", 1000)
    columns = Columns()
    stamps, joints = columns.column("q"), columns.column("f")
    for number in range(20_000):
        stamps.append(number * 10**14)
        joints.append(number, 0.1, -0.1)
    assert stamps.read().tolist() == [number * 10**14 for number in range(20_000)]
    assert (stamps.first, stamps.last, len(stamps), len(joints)) == (0, 19_999 * 10**14, 20_000, 60_000)
    rows = joints.read().reshape(-1, 3)
    assert rows.dtype == np.float32
    assert np.array_equal(rows[:, 0], np.arange(20_000))
    assert np.array_equal(rows[:, 1:], np.float32([[0.1, -0.1]] * 20_000))
    stamps.append(7)
    assert stamps.read()[-2:].tolist() == [19_999 * 10**14, 7], "what was read can be added to"


def test_an_empty_column_has_no_numbers() -> None:
    column = Columns().column("q")
    assert (len(column), column.first, column.read().tolist()) == (0, 0, [])


def test_a_long_column_is_not_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IN_MEMORY_BYTES", 1000)
    column = Columns().column("q")
    tracemalloc.start()
    for number in range(200_000):
        column.append(number)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 400_000, "of 1.6 MB"
    assert column.read().sum() == 199_999 * 100_000


def test_what_is_kept_of_a_bag_does_not_grow_with_its_length(
    episodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr(module, "_BLOCK", 64)
    kept_bytes = []
    for seconds in (1.0, 2.0, 12.0):  # the first for what is read once and kept
        path = episodes.write(tmp_path / f"{seconds:g}", episodes.messages(seconds))
        tracemalloc.start()
        bag = read_streams(path)
        gc.collect()  # the reader's own cycles
        kept_bytes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert len(bag.streams["right_arm/joint_states"].stamps_ns) == 200 * seconds
        del bag
    assert kept_bytes[2] - kept_bytes[1] < 30_000, "its stamps and joints of ten seconds are 190 kB"


def test_a_full_disk_is_named_with_its_folder_and_not_blamed_on_the_bag(
    episodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def seek(self, *_: int) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_BLOCK", 8)
    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", lambda **_: Full())
    with pytest.raises(DiskError, match=f"a file in {tempfile.gettempdir()} cannot be written: No space"):
        check_bag(episodes.write(tmp_path / "bag", episodes.messages(1.0)))
