"""A clock that is set is told from time that passes, drifts and waits."""

import pytest

from vitra_runtime.clock_steps import StepDetector


def test_a_clock_that_is_set_shows_once_and_time_that_passes_does_not():
    now = [100.0]
    step = StepDetector(lambda: now[0])
    assert step(5000.0) == 0.0
    now[0] += 3.0
    assert (step(5003.0), step.silence_s) == (0.0, 3.0)
    now[0] += 0.03
    assert step(5003.53) == pytest.approx(0.5)
    now[0] += 0.03
    assert step(5003.56) == 0.0
    now[0] += 0.03
    assert step(5001.59) == pytest.approx(-2.0)


def test_a_thread_that_waits_a_little_between_two_readings_is_no_step():
    now = [0.0]
    step = StepDetector(lambda: now[0])
    step(10.0)
    for late_s in (0.05, 0.0, 0.07, 0.0):
        now[0] += 0.03
        assert step(now[0] + 10.0 - late_s) == 0.0


def test_a_clock_that_is_slewed_never_steps():
    now = [0.0]
    step = StepDetector(lambda: now[0])
    for frame in range(20_000):
        now[0] = frame / 30
        assert step(1000.0 + now[0] * (1 + 5e-4)) == 0.0
