"""What a controller holds outlives its driver, and nothing else passes for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vitra_runtime.held_memory import RECALL_WITHIN_S, HeldMemory, HeldMemoryError

HELD = [0.1, -0.2, 0.3]


def test_the_next_driver_reads_what_the_last_one_kept(tmp_path: Path) -> None:
    first = HeldMemory("arm", 3, tmp_path)
    assert first.recall(10.0) is None
    first.keep(HELD, 10.0)
    assert HeldMemory("arm", 3, tmp_path).recall(12.0) == HELD  # also of a driver that was killed
    assert HeldMemory("other", 3, tmp_path).recall(12.0) is None


def test_what_is_too_old_or_from_another_boot_is_not_known(tmp_path: Path) -> None:
    memory = HeldMemory("arm", 3, tmp_path)
    memory.keep(HELD, 100.0)
    assert memory.recall(100.0 + RECALL_WITHIN_S) == HELD
    assert memory.recall(100.1 + RECALL_WITHIN_S) is None
    assert memory.recall(99.0) is None, "the clock of this boot has not come so far"


def test_what_was_forgotten_stays_so(tmp_path: Path) -> None:
    memory = HeldMemory("arm", 3, tmp_path)
    memory.keep(HELD, 1.0)
    memory.forget()
    assert HeldMemory("arm", 3, tmp_path).recall(1.0) is None


def test_a_write_that_was_cut_off_and_impossible_numbers_do_not_count(tmp_path: Path) -> None:
    memory = HeldMemory("arm", 3, tmp_path)
    memory.keep([0.1, float("nan"), 0.3], 1.0)
    assert memory.recall(1.0) is None
    memory.keep(HELD, 1.0)
    path = tmp_path / "vitra-held-arm"
    damaged = bytearray(path.read_bytes())
    damaged[9] ^= 1
    path.write_bytes(damaged)
    assert HeldMemory("arm", 3, tmp_path).recall(1.0) is None


def test_a_file_of_another_size_is_made_anew(tmp_path: Path) -> None:
    HeldMemory("arm", 7, tmp_path).keep([0.0] * 7, 1.0)
    assert HeldMemory("arm", 3, tmp_path).recall(1.0) is None


def test_links_and_folders_of_its_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "vitra-held-arm").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HeldMemoryError, match="cannot be opened"):
        HeldMemory("arm", 3, tmp_path)
    os.mkfifo(tmp_path / "vitra-held-hand")
    with pytest.raises(HeldMemoryError):
        HeldMemory("hand", 3, tmp_path)
