"""The chunk timeline: chosen by clock, no jump at a seam, late and disordered chunks dropped and counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_policy.chunks.curve import WRIST_AND_HAND, Curve, Layout, StepsError, TimedSteps
from vitra_policy.chunks.timeline import ChunkTimeline, Phase, Verdict
from vitra_policy.transforms import quaternion_from_rotvec

STEP_S, TICK_S, BLEND_S, STOP_S = 1 / 30, 0.005, 0.1, 0.15
SCALAR = Layout(width=1)


def ramp(stamp_s: float, speed: float = 1.0, start: float = 0.0, steps: int = 16, sequence: int = 1) -> TimedSteps:
    values = start + speed * STEP_S * np.arange(1, steps + 1)[:, None]
    return TimedSteps(sequence, stamp_s, STEP_S, values)


def scalar_timeline() -> ChunkTimeline:
    timeline = ChunkTimeline(SCALAR, blend_s=BLEND_S, stop_s=STOP_S)
    timeline.rest_at([0.0], 0.0)
    return timeline


def test_before_anything_arrives_there_is_no_target() -> None:
    assert ChunkTimeline(SCALAR).sample(1.0) is None


def test_at_rest_the_target_is_where_it_was_put() -> None:
    sample = scalar_timeline().sample(5.0)
    assert sample is not None
    assert (sample.value[0], sample.phase) == (0.0, Phase.HOLDING)
    of_no_chunk = (sample.sequence, sample.stamp_s, sample.position_steps, sample.first_step, sample.delay_s)
    assert of_no_chunk == (0, 0.0, 0.0, 0, 0.0)


def test_the_step_is_chosen_by_clock_and_past_steps_are_skipped() -> None:
    timeline = scalar_timeline()
    now = 10.0 + 3.4 * STEP_S
    assert timeline.offer(ramp(10.0), now) is Verdict.ACCEPTED
    sample = timeline.sample(now)
    assert sample is not None
    assert sample.first_step == 3
    assert sample.position_steps == pytest.approx(3.4)
    assert sample.delay_s == pytest.approx(3.4 * STEP_S)
    later = timeline.sample(10.0 + 9.0 * STEP_S)
    assert later is not None
    assert later.value[0] == pytest.approx(9.0 * STEP_S)
    assert later.first_step == 3, "the delay is that of the first executed step, not of the present one"


@pytest.mark.parametrize(
    ("stamp_s", "now_s", "verdict"),
    [
        (10.0, 10.2, Verdict.DUPLICATE),
        (9.9, 10.2, Verdict.OUT_OF_ORDER),
        (10.01, 10.01 + 16 * STEP_S, Verdict.LATE),
        (0.5, 10.2, Verdict.STALE),
        (10.6, 10.2, Verdict.FUTURE),
        (10.1, 10.2, Verdict.ACCEPTED),
    ],
)
def test_a_chunk_that_cannot_be_executed_is_dropped_and_counted(stamp_s: float, now_s: float, verdict: Verdict) -> None:
    timeline = scalar_timeline()
    timeline.rest_at([0.0], 1.0)
    timeline.offer(ramp(10.0, sequence=5), 10.05)
    accepted = timeline.counts[Verdict.ACCEPTED]
    before = timeline.sample(10.1)
    assert timeline.offer(ramp(stamp_s, sequence=6), now_s) is verdict
    sample = timeline.sample(now_s)
    assert before is not None
    assert sample is not None
    assert sample.sequence == (6 if verdict is Verdict.ACCEPTED else 5)
    assert timeline.counts[verdict] == (accepted + 1 if verdict is Verdict.ACCEPTED else 1)


def test_a_restarted_sender_that_counts_from_zero_again_is_followed() -> None:
    timeline = scalar_timeline()
    timeline.offer(ramp(10.0, sequence=900), 10.05)
    assert timeline.offer(ramp(10.1, sequence=0), 10.15) is Verdict.ACCEPTED


def test_running_out_decelerates_then_holds_and_is_counted_once() -> None:
    timeline = scalar_timeline()
    timeline.offer(ramp(10.0), 10.0)
    end = 10.0 + 16 * STEP_S
    phases = [timeline.sample(end + dt) for dt in (-0.01, 0.01, STOP_S + 0.01, 3.0)]
    assert [p.phase for p in phases if p] == [Phase.TRACKING, Phase.DECELERATING, Phase.HOLDING, Phase.HOLDING]
    assert timeline.starved == 1
    timeline.offer(ramp(end + 3.0), end + 3.0)
    resumed = timeline.sample(end + 3.1)
    assert resumed is not None
    assert resumed.phase is Phase.TRACKING
    assert timeline.starved == 1


def test_a_malformed_chunk_is_refused_and_leaves_the_target_alone() -> None:
    timeline = scalar_timeline()
    timeline.offer(ramp(10.0), 10.0)
    with pytest.raises(StepsError):
        timeline.offer(TimedSteps(2, 10.1, STEP_S, np.array([[np.nan]])), 10.2)
    sample = timeline.sample(10.2)
    assert sample is not None
    assert sample.sequence == 1


def test_after_the_blend_the_target_is_exactly_the_new_chunk() -> None:
    timeline = scalar_timeline()
    timeline.offer(ramp(10.0, speed=1.0), 10.0)
    new = ramp(10.2, speed=-0.5, start=0.3)
    timeline.offer(new, 10.25)
    curve = Curve(new, SCALAR, STOP_S)
    for t in (10.25 + BLEND_S, 10.4, 10.5):
        sample = timeline.sample(t)
        assert sample is not None
        np.testing.assert_allclose(sample.value, curve.value(t), atol=1e-12)


def _pose_chunk(rng: np.random.Generator, stamp_s: float, sequence: int, scale: float) -> TimedSteps:
    """A chunk with its own idea of where the wrist is, so that seams have something to hide."""
    position = rng.normal(0, 0.05 * scale, 3) + np.cumsum(rng.normal(0, 0.01, (16, 3)), axis=0)
    turn = rng.normal(0, 0.3 * scale, 3) + np.cumsum(rng.normal(0, 0.05, (16, 3)), axis=0)
    quaternion = quaternion_from_rotvec(turn) * rng.choice([-1.0, 1.0])
    fingers = rng.normal(0.5, 0.2 * scale, 12) + np.cumsum(rng.normal(0, 0.02, (16, 12)), axis=0)
    return TimedSteps(sequence, stamp_s, STEP_S, np.concatenate([position, quaternion, fingers], axis=1))


Arrivals = list[tuple[float, float, bool, float]]
arrivals = st.lists(
    st.tuples(
        st.floats(0.0, 8.0),  # delay of the chunk in steps
        st.floats(0.0, 0.05),  # jitter of the arrival [s]
        st.booleans(),  # lost on the way
        st.floats(0.02, 0.4),  # time to the next observation [s]
    ),
    min_size=1,
    max_size=8,
)


def _arrive(arrivals: Arrivals, scale: float, seed: int) -> list[tuple[float, TimedSteps]]:
    """Chunks with the time they arrive at, in order of arrival."""
    rng = np.random.default_rng(seed)
    stamp, queue = 1.0, []
    for sequence, (delay, jitter, lost, pause) in enumerate(arrivals, start=1):
        steps = _pose_chunk(rng, stamp, sequence, scale)
        if not lost:
            queue.append((stamp + delay * STEP_S + jitter, steps))
        stamp += pause
    return sorted(queue, key=lambda item: item[0])


@settings(max_examples=40, deadline=None)
@given(arrivals=arrivals, scale=st.floats(0.0, 2.0), seed=st.integers(0, 2**16))
def test_there_is_no_jump_beyond_what_the_new_chunk_asks(arrivals: Arrivals, scale: float, seed: int) -> None:
    """Every tick changes by no more than the chunk in charge changes, plus the fading of the seam's gap and rate."""
    timeline = ChunkTimeline(WRIST_AND_HAND, blend_s=BLEND_S, stop_s=STOP_S)
    timeline.rest_at([0, 0, 0, 0, 0, 0, 1, *[0.5] * 12], 0.0)
    queue = _arrive(arrivals, scale, seed)
    curve, allowance = None, np.zeros(19)
    shown, bounds = [_value(timeline, 1.0)], []
    for now in np.arange(1.0, (queue[-1][0] if queue else 1.0) + 0.8, TICK_S):
        while queue and queue[0][0] <= now:
            steps = queue.pop(0)[1]
            rate = (_value(timeline, now) - _value(timeline, now - 1e-7)) / 1e-7
            if timeline.offer(steps, now) is Verdict.ACCEPTED:
                curve = Curve(steps, WRIST_AND_HAND, STOP_S)
                curve.align_to(shown[-1], now)
                gap = np.abs(shown[-1] - curve.value(now))
                allowance = 1.5 * gap / BLEND_S + np.abs(rate - curve.velocity(now))
        asked = 0.0 if curve is None else np.abs(curve.value(now + TICK_S) - curve.value(now))
        shown.append(_value(timeline, now + TICK_S))
        bounds.append(asked + allowance * TICK_S + 1e-6)
    change, bound = np.abs(np.diff(shown, axis=0)), np.array(bounds)
    plain = np.r_[0:3, 7:19]
    assert np.all(change[:, plain] <= bound[:, plain])
    # Normalising a quaternion that is more than 60 deg from where it fades to stretches its path, at most threefold.
    assert np.all(np.linalg.norm(change[:, 3:7], axis=1) <= 3 * np.linalg.norm(bound[:, 3:7], axis=1))
    np.testing.assert_allclose(np.linalg.norm(np.array(shown)[:, 3:7], axis=1), 1.0)


def _value(timeline: ChunkTimeline, now: float) -> np.ndarray:
    sample = timeline.sample(now)
    assert sample is not None
    return sample.value


@settings(max_examples=100, deadline=None)
@given(
    delay=st.floats(0.0, 8.0),
    gap=st.floats(-0.2, 0.2),
    old_speed=st.floats(-0.5, 0.5),
    new_speed=st.floats(-0.5, 0.5),
)
def test_place_and_velocity_are_continuous_at_a_seam(
    delay: float, gap: float, old_speed: float, new_speed: float
) -> None:
    timeline = scalar_timeline()
    timeline.offer(ramp(10.0, old_speed), 10.0)
    seam = 10.2 + delay * STEP_S
    before = [timeline.sample(seam - dt) for dt in (1e-4, 0.0)]
    timeline.offer(ramp(10.2, new_speed, start=gap), seam)
    after = [timeline.sample(seam + dt) for dt in (0.0, 1e-4)]
    (b0, b1), (a0, a1) = ([s.value[0] for s in pair if s] for pair in (before, after))
    assert a0 == pytest.approx(b1, abs=1e-12)
    # The acceleration of a fade is at most 6 gap / blend^2 + 4 rate / blend, here below 300 per s^2.
    assert (a1 - a0) / 1e-4 == pytest.approx((b1 - b0) / 1e-4, abs=0.06)


@settings(max_examples=50, deadline=None)
@given(times=st.lists(st.floats(0.0, 0.6), min_size=2, max_size=10, unique=True))
def test_chunks_in_any_order_end_on_the_newest_observation(times: list[float]) -> None:
    timeline = scalar_timeline()
    now = 10.7
    fresh = [10.0 + t for t in times if 10.0 + t + 16 * STEP_S > now]
    for sequence, stamp in enumerate(fresh, start=1):
        timeline.offer(ramp(stamp, sequence=sequence), now)
    sample = timeline.sample(now)
    assert sample is not None
    if fresh:
        assert sample.stamp_s == max(fresh)
    assert sum(timeline.counts.values()) == len(fresh)


def test_what_was_observed_at_the_moment_of_rest_counts_and_anything_before_does_not() -> None:
    timeline = scalar_timeline()
    timeline.rest_at([0.0], 10.0)
    assert timeline.offer(ramp(10.0 - 1e-6), 10.1) is Verdict.STALE
    assert timeline.offer(ramp(10.0), 10.1) is Verdict.ACCEPTED


def test_a_rotation_goes_on_at_its_speed_through_a_seam_however_far_its_curve_is_from_unit_length() -> None:
    """Big steps are interpolated inside the unit sphere; the speed that is shown is that after normalising."""
    layout = Layout(width=4, quaternions=(0,))
    timeline = ChunkTimeline(layout, blend_s=BLEND_S, stop_s=STOP_S)
    timeline.rest_at([0.0, 0.0, 0.0, 1.0], 0.0)
    turns = np.array([[0.0, 0.0, 2.8 * k] for k in range(1, 9)])
    fast = TimedSteps(1, 10.0, STEP_S, quaternion_from_rotvec(turns))
    timeline.offer(fast, 10.0)
    seam_s, h = 10.0 + 4.3 * STEP_S, 1e-7
    raw = Curve(fast, layout, STOP_S).value(seam_s)
    assert np.linalg.norm(raw) < 0.9, "the curve is far inside the sphere there"
    before = (timeline.value(seam_s) - timeline.value(seam_s - h)) / h
    timeline.offer(replace(fast, sequence=2, stamp_s=10.0 + STEP_S, values=fast.values[::-1]), seam_s)
    after = (timeline.value(seam_s + h) - timeline.value(seam_s)) / h
    np.testing.assert_allclose(after, before, atol=2e-3 * np.abs(before).max())


def test_while_nothing_is_changed_over_there_is_no_blend() -> None:
    timeline = scalar_timeline()
    assert timeline.blend_s == 0.0
    timeline.offer(ramp(10.0, start=0.2), 10.0)
    assert timeline.blend_s == pytest.approx(BLEND_S)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("blend_s", [0.1, 0.4])
def test_a_chunk_that_comes_during_a_change_over_goes_on_at_its_speed(blend_s: float, share: float) -> None:
    timeline = ChunkTimeline(SCALAR, blend_s=blend_s, stop_s=STOP_S)
    timeline.rest_at([0.0], 0.0)
    timeline.offer(ramp(10.0, start=0.2), 10.0)
    now_s, step_s = 10.0 + share * blend_s, 1e-5

    def shown(time_s: float) -> float:
        sample = timeline.sample(time_s)
        assert sample is not None
        return float(sample.value[0])

    before = (shown(now_s) - shown(now_s - step_s)) / step_s
    assert timeline.offer(ramp(10.01, speed=-1.0, start=0.5, sequence=2), now_s) is Verdict.ACCEPTED
    after = (shown(now_s + step_s) - shown(now_s)) / step_s
    assert after == pytest.approx(before, abs=0.02)
