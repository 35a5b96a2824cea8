"""The chunk timeline at its bounds: the very end of a chunk, the shortest change-over, what is not said."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_policy.chunks.curve import Curve, Layout, TimedSteps
from vitra_policy.chunks.timeline import ChunkTimeline, Phase, Verdict

SCALAR = Layout(width=1)
STEP_S, BLEND_S, STOP_S = 1 / 30, 0.1, 0.15


def ramp(stamp_s: float, *, start: float = 0.0) -> TimedSteps:
    """Sixteen steps at one metre a second."""
    return TimedSteps(1, stamp_s, STEP_S, start + STEP_S * np.arange(1, 17)[:, None])


def at_rest(at: float = 0.0, blend_s: float = BLEND_S) -> ChunkTimeline:
    """A timeline that holds a place."""
    made = ChunkTimeline(SCALAR, blend_s=blend_s, stop_s=STOP_S)
    made.rest_at([at], 0.0)
    return made


def test_at_the_very_end_of_a_chunk_it_is_still_followed() -> None:
    timeline = at_rest()
    timeline.offer(ramp(8.0), 8.0)
    end_s = Curve(ramp(8.0), SCALAR, STOP_S).end_s
    for path_s, phase in ((end_s, Phase.TRACKING), (np.nextafter(end_s, 99.0), Phase.DECELERATING)):
        sample = timeline.sample(path_s)
        assert sample is not None
        assert sample.phase is phase
    assert timeline.starved == 1
    rest_s = Curve(ramp(8.0), SCALAR, STOP_S).rest_s
    for path_s, phase in ((np.nextafter(rest_s, 0.0), Phase.DECELERATING), (rest_s, Phase.HOLDING)):
        sample = timeline.sample(path_s)
        assert sample is not None
        assert sample.phase is phase
    assert timeline.starved == 1, "it ran out once"
    assert timeline.rests_from(rest_s)
    assert not timeline.rests_from(np.nextafter(rest_s, 0.0))


def test_a_change_over_can_be_made_longer_and_not_shorter() -> None:
    timeline = ChunkTimeline(SCALAR, blend_s=BLEND_S, stop_s=STOP_S)
    timeline.prolong(9.0)
    assert timeline.blend_s == 0.0
    timeline.offer(ramp(8.0), 8.0)
    timeline.prolong(9.0)
    assert timeline.blend_s == 0.0, "the first chunk has nothing to change over from"
    timeline.offer(ramp(8.1, start=0.5), 8.1)
    assert timeline.blend_s == BLEND_S
    timeline.prolong(0.5 * BLEND_S)
    assert timeline.blend_s == BLEND_S
    timeline.prolong(2.0 * BLEND_S)
    assert timeline.blend_s == 2.0 * BLEND_S
    half_way = timeline.value(8.1 + BLEND_S)
    raw = Curve(ramp(8.1, start=0.5), SCALAR, STOP_S).value(8.1 + BLEND_S)
    assert half_way is not None
    assert abs(half_way[0] - raw[0]) > 0.1, "it is half way over, no more"


def test_a_rest_is_not_followed_backwards_and_a_chunk_of_its_own_time_is_taken() -> None:
    timeline = ChunkTimeline(SCALAR, blend_s=BLEND_S, stop_s=STOP_S)
    timeline.rest_at([0.0], 8.0)
    assert timeline.offer(ramp(np.nextafter(8.0, 0.0)), 8.0) is Verdict.STALE
    assert timeline.offer(ramp(8.0), 8.0) is Verdict.ACCEPTED


def test_a_chunk_whose_first_look_comes_at_its_end_took_effect_with_its_last_step() -> None:
    timeline = at_rest()
    timeline.offer(ramp(8.0), 8.0)
    sample = timeline.sample(8.0 + 16 * STEP_S + 0.5 * STOP_S)
    assert sample is not None
    assert sample.first_step == 15


def test_without_being_told_a_change_over_takes_a_tenth_of_a_second_and_clocks_may_differ_by_a_fiftieth() -> None:
    timeline = ChunkTimeline(SCALAR)
    timeline.rest_at([0.0], 0.0)
    assert timeline.offer(ramp(10.021), 10.0) is Verdict.FUTURE
    assert timeline.offer(ramp(10.019), 10.0) is Verdict.ACCEPTED
    assert timeline.blend_s == 0.1
    sample = timeline.sample(10.0)
    assert sample is not None
    assert sample.delay_s == 0.0, "nothing is seen before it happens"
    end_s = 10.019 + 16 * STEP_S
    assert not timeline.rests_from(end_s + 0.149)
    assert timeline.rests_from(end_s + 0.151)


def test_an_observation_may_be_ahead_of_now_by_just_as_much_as_clocks_may_differ() -> None:
    timeline = ChunkTimeline(SCALAR, clock_tolerance_s=0.5)
    timeline.rest_at([0.0], 0.0)
    assert timeline.offer(ramp(np.nextafter(8.5, 9.0)), 8.0) is Verdict.FUTURE
    assert timeline.offer(ramp(8.5), 8.0) is Verdict.ACCEPTED


def test_a_chunk_that_ends_just_now_is_late() -> None:
    timeline = at_rest()
    chunk = TimedSteps(1, 8.0, 0.5, np.zeros((4, 1)))  # until 10.0, exactly
    assert timeline.offer(chunk, 10.0) is Verdict.LATE
    assert timeline.offer(chunk, np.nextafter(10.0, 9.0)) is Verdict.ACCEPTED


def test_a_target_that_is_still_changed_over_to_does_not_rest_though_its_chunk_does() -> None:
    timeline = at_rest(blend_s=4.0)
    timeline.offer(ramp(8.0, start=0.2), 8.0)
    assert not timeline.rests_from(np.nextafter(12.0, 0.0))
    assert timeline.rests_from(12.0)


def test_before_a_change_over_begins_the_target_goes_on_as_it_was() -> None:
    """A seam may lie ahead in path time; whoever looks at a time before it sees where it begins."""
    timeline = at_rest(0.3)
    still = TimedSteps(1, 10.0, STEP_S, np.full((16, 1), 0.7))
    timeline.offer(still, 10.0, seam_path_s=10.2)
    for path_s in (10.1, 10.2):
        shown = timeline.value(path_s)
        assert shown is not None
        assert shown[0] == pytest.approx(0.3)
