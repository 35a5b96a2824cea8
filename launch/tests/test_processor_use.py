"""Somebody whose robot did not keep time hears whether the machine had room for it."""

from __future__ import annotations

import pytest

from vitra_bringup.processor_use import ProcessorUse, read_times

BEGUN = [100, 0, 50, 1000, 10, 0, 0, 5]


@pytest.mark.parametrize(("idle", "share"), [(0, 1.0), (100, 0.5), (300, 0.25)])
def test_the_share_counts_only_what_happened_since(idle: int, share: float) -> None:
    looks = [BEGUN, [160, 0, 80, 1000 + idle, 10, 0, 0, 15]]
    assert ProcessorUse(lambda: looks.pop(0)).busy_share() == pytest.approx(share)


def test_waiting_for_a_disk_is_not_being_busy() -> None:
    looks = [BEGUN, [110, 0, 50, 1000, 100, 0, 0, 5]]
    assert ProcessorUse(lambda: looks.pop(0)).busy_share() == pytest.approx(0.1)


def test_advice_is_given_only_where_there_was_no_room() -> None:
    for user, told in ((95, True), (40, False)):
        looks = [[0] * 8, [user, 0, 0, 100 - user, 0, 0, 0, 0]]
        assert bool(ProcessorUse(lambda looks=looks: looks.pop(0)).advice()) is told


def test_this_machine_says_its_times() -> None:
    assert len(read_times()) == 8
    assert sum(read_times()) > 0
