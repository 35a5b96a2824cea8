from __future__ import annotations

import threading
import time

import pytest
from builtin_interfaces.msg import Time

from vitra_runtime.timing import Cadence, Ticker, stamp_now, stamp_to_s


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.slept.append(duration_s)
        self.now_s += duration_s


def test_ticks_stay_on_the_grid_when_work_takes_part_of_the_period() -> None:
    clock = Clock()
    ticker = Ticker(0.1, clock, clock.sleep)
    times = []
    for _ in range(3):
        times.append(ticker.wait())
        clock.now_s += 0.03
    assert times == pytest.approx([0.1, 0.2, 0.3])
    assert ticker.missed == 0


def test_a_long_stall_skips_ticks_instead_of_bunching_them() -> None:
    clock = Clock()
    ticker = Ticker(0.1, clock, clock.sleep)
    ticker.wait()
    clock.now_s += 0.55
    assert ticker.wait() == pytest.approx(0.6)
    assert ticker.missed == 4
    assert ticker.wait() == pytest.approx(0.7)


def test_an_event_is_waited_for_only_while_time_is_left_before_the_next_tick() -> None:
    clock, event = Clock(), threading.Event()
    ticker = Ticker(0.1, clock, clock.sleep)
    event.set()
    assert ticker.next_s == pytest.approx(0.1)
    assert ticker.wait_for(event, 0.02)
    clock.now_s = 0.085
    assert not ticker.wait_for(event, 0.02), "it came, and is left for after the tick"
    event.clear()
    clock.now_s = 0.0799
    assert not ticker.wait_for(event, 0.02)


def test_an_event_that_comes_just_before_the_next_tick_is_left_for_after_it() -> None:
    clock = Clock()

    class Late(threading.Event):
        waited_s = 0.0

        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            self.waited_s, clock.now_s = timeout, 0.09
            return True

    event = Late()
    assert not Ticker(0.1, clock, clock.sleep).wait_for(event, 0.02)
    assert event.waited_s == pytest.approx(0.1), "one sleep for the whole period"


def test_cadence_reports_rate_and_worst_period() -> None:
    cadence = Cadence(0.1)
    assert cadence.rate_hz == 0.0
    for t in (0.0, 0.1, 0.2, 0.35, 0.4):
        cadence.tick(t)
    assert cadence.rate_hz == pytest.approx(10.0)
    assert cadence.period_error_s(1.0) == pytest.approx(0.05)


def test_a_stamp_of_now_lies_between_two_readings_of_the_system_s_clock() -> None:
    stamp = Time()
    before_s = time.time()
    stamp_now(stamp)
    assert before_s - 1e-6 <= stamp_to_s(stamp) <= time.time() + 1e-6
    assert 0 <= stamp.nanosec < 1_000_000_000
