"""Path time: with the clock, or behind it as far as the robot is held back."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_policy.chunks.curve import WRIST_AND_HAND, Curve, Layout, StepsError, TimedSteps
from vitra_policy.chunks.ensemble import mean_rotation
from vitra_policy.chunks.path_clock import PathClock
from vitra_policy.chunks.timeline import ChunkTimeline, Verdict

STEP_S = 0.1
SCALAR = Layout(width=1)


def ramp(stamp_s: float, start: float = 0.0) -> TimedSteps:
    return TimedSteps(1, stamp_s, STEP_S, start + STEP_S * np.arange(1, 17)[:, None])


def test_without_a_history_it_is_the_clock() -> None:
    assert PathClock().at(5.0) == 5.0
    clock = PathClock()
    clock.reset(7.0)
    assert (clock.at(6.0), clock.at(8.0), clock.lag_s) == (6.0, 8.0, 0.0)


def test_times_are_placed_where_the_robot_was() -> None:
    clock = PathClock()
    clock.reset(10.0)
    clock.advance(11.0, 10.5)  # half speed for a second
    clock.advance(12.0, 11.5)
    assert clock.lag_s == 0.5
    assert clock.at(10.5) == pytest.approx(10.25)
    assert clock.at(11.5) == pytest.approx(11.0)
    assert clock.at(12.2) == pytest.approx(11.7), "from the last entry on with the clock"
    assert clock.at(9.0) == 9.0


def test_before_its_history_a_time_is_placed_with_the_oldest_lag_that_is_known() -> None:
    clock = PathClock(history_s=0.02, period_s=0.005)
    clock.reset(10.0)
    for tick in range(1, 9):
        clock.advance(10.0 + 0.005 * tick, 10.0 + 0.0025 * tick)  # half speed
    for clock_s, lag_s in ((10.024, 0.0125), (10.025, 0.0125), (10.0275, 0.01375), (10.04, 0.02), (11.0, 0.02)):
        assert clock_s - clock.at(clock_s) == pytest.approx(lag_s)


def test_three_seconds_of_two_hundred_ticks_each_are_remembered() -> None:
    clock = PathClock()
    for tick in range(1000):
        clock.advance(10.0 + 0.005 * tick, 10.0 + 0.0025 * tick)
    oldest_s = 10.0 + 0.005 * 400
    for clock_s, lag_s in ((oldest_s, 1.0), (oldest_s - 1.0, 1.0), (oldest_s + 0.1, 1.05)):
        assert clock_s - clock.at(clock_s) == pytest.approx(lag_s)


def test_two_entries_are_remembered_however_short_the_history() -> None:
    clock = PathClock(history_s=0.0)
    for clock_s, path_s in ((1.0, 1.0), (2.0, 1.5), (3.0, 2.0)):
        clock.advance(clock_s, path_s)
    assert clock.at(1.0) == 0.5, "with the lag of the second"
    assert clock.at(2.5) == 1.75


def test_a_late_robot_enters_a_chunk_where_it_is_and_not_where_the_clock_is() -> None:
    clock, timeline = PathClock(), ChunkTimeline(SCALAR)
    timeline.rest_at([0.0], 0.0)
    clock.reset(10.0)
    clock.advance(10.4, 10.15)  # observed at 10.0, arrives 0.4 s later, the robot came 0.15 s further
    verdict = timeline.offer(ramp(10.0), 10.4, stamp_path_s=clock.at(10.0), seam_path_s=10.15)
    assert verdict is Verdict.ACCEPTED
    sample = timeline.sample(10.15)
    assert sample is not None
    assert sample.first_step == 1
    assert sample.position_steps == pytest.approx(1.5)
    assert sample.delay_s == pytest.approx(0.4), "its age is by the clock"
    assert sample.stamp_s == 10.0


def test_order_is_judged_by_the_clock_even_where_path_time_stands_still() -> None:
    timeline = ChunkTimeline(SCALAR)
    timeline.rest_at([0.0], 0.0)
    assert timeline.offer(ramp(10.0), 10.05, stamp_path_s=9.0, seam_path_s=9.0) is Verdict.ACCEPTED
    assert timeline.offer(ramp(10.1), 10.15, stamp_path_s=9.0, seam_path_s=9.0) is Verdict.ACCEPTED
    assert timeline.offer(ramp(10.1), 10.15, stamp_path_s=9.0, seam_path_s=9.0) is Verdict.DUPLICATE
    assert timeline.offer(ramp(10.0), 10.15, stamp_path_s=9.0, seam_path_s=9.0) is Verdict.OUT_OF_ORDER


def test_a_change_over_takes_as_long_as_it_needs() -> None:
    timeline = ChunkTimeline(SCALAR, blend_s=0.1, blend_for=lambda offset, rate: 4 * float(np.abs(offset).max()))
    timeline.rest_at([0.0], 0.0)
    timeline.offer(ramp(10.0, start=0.1), 10.0)
    curve = Curve(ramp(10.0, start=0.1), SCALAR, 0.15)
    assert timeline.value(10.2)[0] != pytest.approx(curve.value(10.2)[0], abs=1e-6)
    assert timeline.value(10.41)[0] == pytest.approx(curve.value(10.41)[0], abs=1e-12)


def test_looking_ahead_counts_nothing() -> None:
    timeline = ChunkTimeline(SCALAR)
    assert timeline.value(1.0) is None
    timeline.rest_at([0.0], 0.0)
    timeline.offer(ramp(10.0), 10.0)
    timeline.value(99.0)
    assert timeline.starved == 0
    assert not timeline.rests_from(10.5)
    assert timeline.rests_from(12.0)


def test_a_quaternion_that_is_no_rotation_is_refused_and_never_divides_by_zero() -> None:
    values = np.zeros((4, 19))
    with pytest.raises(StepsError, match="quaternion of step 0"):
        Curve(TimedSteps(1, 0.0, STEP_S, values), WRIST_AND_HAND, 0.1)
    assert np.isfinite(mean_rotation(np.zeros((2, 4)), np.array([0.5, 0.5]))).all()
