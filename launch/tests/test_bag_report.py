"""Figures of a run from stamps and numbers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from vitra_bringup.bag_report import cadence, dropped, first_setpoint_latencies_ms, setpoint_rate, unrecorded


def test_a_setpoint_that_is_missing_in_the_bag_was_sent_all_the_same() -> None:
    numbers = [n for n in range(400) if not 100 <= n < 140]
    stamps_s = [0.005 * n for n in numbers]
    assert setpoint_rate(stamps_s, numbers) == pytest.approx(200.0)
    assert unrecorded(numbers) == 40
    assert cadence(stamps_s, 200.0)[0] < 190.0


def test_a_tick_that_was_not_sent_lowers_the_rate() -> None:
    stamps_s = [0.005 * n for n in range(400) if n % 10]
    assert setpoint_rate(stamps_s, list(range(len(stamps_s)))) == pytest.approx(180.0, rel=0.01)


def test_pauses_and_a_restarted_executor_are_not_part_of_the_rate() -> None:
    stamps_s = [0.0, 0.005, 0.010, 5.0, 5.005, 9.0, 9.005]
    numbers = [1, 2, 3, 4, 5, 1, 2]
    assert setpoint_rate(stamps_s, numbers) == pytest.approx(200.0)
    assert unrecorded(numbers) == 0


def test_a_run_without_setpoints_has_rate_zero() -> None:
    assert setpoint_rate([], []) == 0.0
    assert cadence([1.0], 200.0) == (0.0, 0.0)


def test_frames_that_are_missing_between_the_first_and_the_last_are_counted() -> None:
    assert dropped([0.0, 1 / 30, 4 / 30, 5 / 30], 30.0) == 2


def test_the_latency_of_a_chunk_is_the_one_at_its_first_setpoint() -> None:
    states = [
        SimpleNamespace(chunk_sequence=sequence, observation_to_setpoint_s=delay_s)
        for sequence, delay_s in [(0, 0.0), (1, 0.02), (1, 0.02), (2, 0.0)]
    ]
    assert first_setpoint_latencies_ms(states) == [20.0, 0.0]
