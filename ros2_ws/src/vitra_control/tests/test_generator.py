"""The setpoint generator against the drivers' own guards, on a fake clock."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from fake_robot import STEP_S, FakeRobot
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_control.executor_node import must_hear
from vitra_control.setpoints import Mode
from vitra_control.settings import ARM_PERIOD_S, GeneratorSettings
from vitra_description.limits import ARM_LIMITS, HAND_LIMITS
from vitra_description.postures import home
from vitra_policy.action_space import SIDES, Side
from vitra_policy.chunks.curve import StepsError, TimedSteps
from vitra_policy.chunks.timeline import Phase, Verdict
from vitra_runtime.discovery_check import DeafError


def robot(**kwargs: object) -> FakeRobot:
    made = FakeRobot(**kwargs)
    made.arm_and_settle()
    return made


def test_without_a_permit_nothing_is_sent() -> None:
    made = FakeRobot()
    made.run(0.2)
    assert set(made.setpoints) == {None}
    made.allow(allowed=False)
    made.run(0.2)
    assert set(made.setpoints) == {None}


def test_with_a_permit_it_holds_where_the_joints_were_measured() -> None:
    made = robot()
    assert made.generator.mode is Mode.FOLLOWING
    np.testing.assert_allclose(made.setpoints[-1].arms[Side.RIGHT], home("right"), atol=1e-9)
    before = len([s for s in made.setpoints if s])
    made.run(0.1)
    sent = [s for s in made.setpoints if s]
    assert len(sent) == before + 20, "a setpoint every tick, also while nothing happens"
    assert sum(bool(s.hands) for s in sent[-20:]) == 10, "hands every second tick"
    assert made.refused == {}


def test_it_does_not_start_before_the_joints_are_at_rest() -> None:
    made = FakeRobot()
    made.allow()
    arm = made.arms[Side.RIGHT]
    for _ in range(40):
        arm.position = arm.position + 0.003
        made.run(ARM_PERIOD_S)
    assert set(made.setpoints) == {None}
    assert "not at rest" in made.generator.limits()
    made.run(0.1)
    np.testing.assert_allclose(made.setpoints[-1].arms[Side.RIGHT], arm.position, atol=1e-9)


def test_it_does_not_start_from_old_feedback() -> None:
    made = FakeRobot()
    made.feedback_age_s = 0.5
    made.arm_and_settle()
    assert set(made.setpoints) == {None}
    assert "no fresh joint feedback" in made.generator.limits()


def test_who_is_permitted_and_hears_no_joints_for_long_starts_again() -> None:
    made = FakeRobot()
    made.feedback_age_s = 0.5
    made.allow()
    made.run(2.0)
    must_hear(made.generator.unheard_s(made.now_s), made.generator.waiting_for)
    made.run(1.5)
    with pytest.raises(DeafError, match="right: no fresh joint feedback for 3 s"):
        must_hear(made.generator.unheard_s(made.now_s), made.generator.waiting_for)
    made.feedback_age_s = 0.0
    made.run(0.5)
    assert made.generator.unheard_s(made.now_s) == 0.0
    assert made.setpoints[-1] is not None


def test_without_a_permit_nobody_needs_to_be_heard() -> None:
    made = FakeRobot()
    made.feedback_age_s = 0.5
    made.allow()
    made.run(2.0)
    made.allow(allowed=False)
    made.run(4.0)
    assert made.generator.unheard_s(made.now_s) == 0.0


def test_a_chunk_from_rest_is_followed_on_its_path_and_late_only_by_its_beginning() -> None:
    made = robot()
    start, began = made.wrist(), made.now_s
    made.run(0.05)
    verdicts = made.generator.offer(made.chunk((0.0, 0.06, 0.0), stamp_s=began), made.now_s)
    assert verdicts == {Side.RIGHT: Verdict.ACCEPTED}
    made.run(0.35)
    lag_s = made.generator.lag_s
    assert 0.0 <= lag_s < 0.15, "an arm at rest begins as slowly as its acceleration takes"
    expected = start[:3, 3] + np.array([0.0, 0.06, 0.0]) * (made.now_s - lag_s - began)
    np.testing.assert_allclose(made.wrist()[:3, 3], expected, atol=1e-3)
    made.run(0.1)
    assert made.generator.lag_s == pytest.approx(lag_s, abs=1e-3), "once in motion it falls no further behind"
    np.testing.assert_allclose(made.wrist()[:3, :3], start[:3, :3], atol=5e-3)
    sample = made.generator.newest_sample()
    assert sample.first_step == 1
    assert sample.phase is Phase.TRACKING
    assert made.refused == {}


def test_running_out_of_steps_decelerates_and_then_holds_while_setpoints_go_on() -> None:
    made = robot()
    made.generator.offer(made.chunk((0.0, 0.08, 0.0)), made.now_s)
    made.run(16 * STEP_S)
    made.run(made.generator.lag_s + 0.05)
    assert made.generator.newest_sample().phase is Phase.DECELERATING
    made.run(0.5)
    assert made.generator.newest_sample().phase is Phase.HOLDING
    assert made.generator.starved == 1
    place = made.arms[Side.RIGHT].position
    made.run(0.5)
    np.testing.assert_allclose(made.arms[Side.RIGHT].position, place, atol=1e-6)
    assert all(made.setpoints[-100:])
    assert made.refused == {}


def test_losing_the_permit_stops_the_output_at_once_and_a_stale_one_within_its_timeout() -> None:
    made = robot()
    made.allow(allowed=False)
    made.run(0.02)
    assert made.setpoints[-1] is None
    made.allow(epoch=2)
    made.run(0.4)
    assert made.setpoints[-1] is not None
    made.permit_stays_fresh = False
    made.run(0.095)
    assert made.setpoints[-1] is not None
    made.run(0.01)
    assert made.setpoints[-1] is None


def test_a_new_epoch_drops_chunks_and_starts_from_measured_joints() -> None:
    made = robot()
    seen = made.now_s
    old = made.chunk((0.0, 0.2, 0.0), stamp_s=seen)
    made.generator.offer(old, made.now_s)
    made.run(0.2)
    made.allow(allowed=False)
    made.run(0.5)
    made.arms[Side.RIGHT].position = home("right") + 0.2
    made.arms[Side.RIGHT].stream.on_feedback(home("right") + 0.2, made.now_s)
    made.arms[Side.RIGHT].stream.forget_held()  # somebody has led it there
    made.allow(epoch=2)
    made.run(0.3)
    assert made.setpoints[-1].epoch == 2
    np.testing.assert_allclose(made.setpoints[-1].arms[Side.RIGHT], home("right") + 0.2, atol=1e-6)
    assert made.generator.newest_sample().sequence == 0
    assert made.generator.offer(made.chunk(stamp_s=seen + 0.01), made.now_s) == {Side.RIGHT: Verdict.STALE}
    assert made.refused == {}


def test_a_new_epoch_continues_what_a_sagging_arm_holds() -> None:
    made = robot()
    made.run(0.2)
    held = made.arms[Side.RIGHT].stream.held_rad
    sagging = held + np.deg2rad(0.8) * np.eye(7)[1]
    for epoch in range(2, 8):
        made.allow(epoch=epoch - 1, allowed=False)
        made.run(0.3)
        made.arms[Side.RIGHT].position = sagging
        made.allow(epoch=epoch)
        made.run(0.3)
        assert made.setpoints[-1].epoch == epoch
        np.testing.assert_allclose(made.setpoints[-1].arms[Side.RIGHT], held, atol=1e-6)
    assert made.refused == {}


@pytest.mark.parametrize("stall_s", [0.01, 0.03, 0.06, 0.12, 0.3])
def test_a_stalled_process_goes_on_without_a_refused_command(stall_s: float) -> None:
    made = robot()
    made.generator.offer(made.chunk((0.0, 0.15, 0.0), steps=60), made.now_s)
    made.run(0.5)
    made.run(stall_s, stalled=True)
    made.run(0.5)
    assert made.setpoints[-1] is not None
    assert made.refused == {}
    made.generator.offer(made.chunk((0.0, -0.15, 0.0)), made.now_s)
    turning_point = made.wrist()[1, 3]
    made.run(0.5)
    assert made.wrist()[1, 3] < turning_point - 0.015, "it moves again"
    assert made.refused == {}


@pytest.mark.parametrize("share", [0.02, 0.2])
def test_commands_lost_on_the_way_do_not_make_the_next_ones_refused(share: float) -> None:
    made, rng = robot(), np.random.default_rng(3)
    for device in (made.arms[Side.RIGHT], made.hands[Side.RIGHT]):
        device.lost = lambda: rng.random() < share
    made.generator.offer(made.chunk((0.0, 0.1, 0.05), fingers=np.full(12, 0.1), steps=40), made.now_s)
    made.run(1.8)
    assert made.refused == {}


def test_an_arm_that_does_not_follow_is_not_pulled_further() -> None:
    made = robot()
    stuck = made.arms[Side.RIGHT].position.copy()
    made.generator.offer(made.chunk((0.0, 0.25, 0.0), steps=60), made.now_s)
    for _ in range(300):
        made.run(ARM_PERIOD_S)
        made.arms[Side.RIGHT].position = stuck
    assert made.generator.reseeds >= 1
    assert np.abs(made.generator.arm_rad(Side.RIGHT) - stuck).max() < 0.45


def test_a_hand_keeps_its_grip_over_a_pause_within_an_epoch() -> None:
    made = robot()
    made.generator.offer(made.chunk(fingers=np.full(12, 0.1)), made.now_s)
    made.run(0.6)
    made.hands[Side.RIGHT].position = np.full(12, 0.06)  # an object is in the way
    made.run(0.3, stalled=True)
    made.run(0.3)
    np.testing.assert_allclose(made.generator.sides[Side.RIGHT].hand_rad, np.full(12, 0.1), atol=1e-3)


def test_a_lower_speed_share_slows_the_arm_on_its_path_and_at_once() -> None:
    slow, full = robot(), robot()
    slow.generator.set_speed_share(0.25)
    for made in (slow, full):
        made.run(0.5)
        start = made.wrist()
        for _ in range(20):
            made.generator.offer(made.chunk((0.0, 0.4, 0.0), steps=60), made.now_s)
            made.run(0.1)
        made.gone_m = made.wrist()[:3, 3] - start[:3, 3]
    assert slow.gone_m[1] < 0.5 * full.gone_m[1]
    assert np.hypot(slow.gone_m[0], slow.gone_m[2]) < 0.002, "late, not elsewhere"
    fastest = np.abs(np.diff([s.arms[Side.RIGHT] for s in slow.setpoints if s], axis=0)).max() / ARM_PERIOD_S
    assert fastest <= 0.25 * np.deg2rad(45) + 1e-6
    assert slow.refused == full.refused == {}


def test_work_done_ahead_of_a_tick_changes_no_setpoint() -> None:
    ahead, not_ahead = robot(), robot()
    for step in range(60):
        for made in (ahead, not_ahead):
            if step % 20 == 5:
                made.generator.offer(made.chunk((0.05 * (step % 40), 0.1, 0.05)), made.now_s)
            if made is ahead:
                made.generator.prepare()
                made.generator.prepare()
            made.run(ARM_PERIOD_S)
    sent = [np.array([s.arms[Side.RIGHT] for s in made.setpoints if s]) for made in (ahead, not_ahead)]
    assert np.ptp(sent[0], axis=0).max() > 0.02
    np.testing.assert_array_equal(*sent)


def test_both_arms_are_driven_and_a_chunk_for_one_leaves_the_other_alone() -> None:
    made = robot(sides=SIDES)
    left = made.arms[Side.LEFT].position.copy()
    made.generator.offer(made.chunk((0.0, -0.1, 0.0), side=Side.RIGHT), made.now_s)
    made.run(0.3)
    np.testing.assert_allclose(made.arms[Side.LEFT].position, left, atol=1e-9)
    assert np.abs(made.arms[Side.RIGHT].position - home("right")).max() > 0.01
    assert made.refused == {}


def test_a_chunk_for_an_arm_that_is_not_driven_is_ignored() -> None:
    made = robot()
    steps = made.chunk()[Side.RIGHT]
    assert made.generator.offer({Side.LEFT: steps}, made.now_s) == {}


def test_a_bad_chunk_is_refused_also_while_nothing_is_followed() -> None:
    made = FakeRobot()
    with pytest.raises(StepsError, match="finite"):
        made.generator.offer({Side.RIGHT: TimedSteps(1, made.now_s, STEP_S, np.full((4, 19), np.nan))}, made.now_s)


def test_a_chunk_with_a_bad_side_is_refused_as_a_whole() -> None:
    made = robot(sides=SIDES)
    good, bad = made.chunk()[Side.RIGHT], np.full((4, 19), np.nan)
    with pytest.raises(StepsError, match="finite"):
        made.generator.offer({Side.RIGHT: good, Side.LEFT: TimedSteps(1, made.now_s, STEP_S, bad)}, made.now_s)
    made.run(0.02)
    assert made.generator.newest_sample().sequence == 0


@pytest.mark.parametrize("direction", [(1.0, 0, 0), (-1.0, 0, 0), (0, 1.0, 0), (0, -1.0, 0), (0, 0, 1.0), (0, 0, -1.0)])
def test_a_target_out_of_reach_is_reported_and_stays_within_limits(direction: tuple[float, ...]) -> None:
    made = robot()
    made.generator.offer(made.chunk(0.8 * np.array(direction), steps=40), made.now_s)
    said = ""
    for _ in range(60):  # late, where the joints are at their limits of speed
        made.run(0.1)
        said += made.generator.limits()
    assert "right" in said
    assert made.refused == {}
    assert ARM_LIMITS.contains(made.arms[Side.RIGHT].position)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    scale=st.floats(0.1, 3.0),
    delays=st.lists(st.floats(0.0, 0.3), min_size=2, max_size=4),
    speed=st.sampled_from([0.2, 1.0, 1.8]),
    stall_s=st.sampled_from([0.0, 0.0, 0.01, 0.02, 0.05, 0.2]),
)
def test_whatever_the_chunks_ask_no_command_is_refused(
    seed: int, scale: float, delays: list[float], speed: float, stall_s: float
) -> None:
    """Wild chunks, any delay, a stalling process: the guards see velocity, acceleration, step and range kept."""
    rng = np.random.default_rng(seed)
    made = FakeRobot(settings=GeneratorSettings(speed=speed))
    made.arm_and_settle()
    for sequence, delay in enumerate(delays, start=1):
        stamp = made.now_s
        chunk = made.chunk(rng.normal(0, 0.2 * scale, 3), stamp_s=stamp, sequence=sequence)[Side.RIGHT]
        chunk.values[:, :3] += rng.normal(0, 0.02 * scale, 3) + rng.normal(0, 0.003 * scale, (16, 3))
        chunk.values[:, 3:7] += rng.normal(0, 0.2 * scale, 4)
        chunk.values[:, 7:] = rng.uniform(HAND_LIMITS.lower_rad - 0.2, HAND_LIMITS.upper_rad + 0.2, (16, 12))
        made.run(delay)
        made.generator.offer({Side.RIGHT: chunk}, made.now_s)
        made.run(0.2)
        made.run(stall_s, stalled=True)
    made.run(0.6)
    assert made.refused == {}
    for before, after in itertools.pairwise(made.setpoints):
        if before is not None and after is not None:
            step = np.abs(after.arms[Side.RIGHT] - before.arms[Side.RIGHT])
            assert np.all(step <= (made.settings.arm_limits.velocity_rad_s + 0.04) * ARM_PERIOD_S)


def test_a_failed_computation_is_named_and_does_not_end_the_setpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    made = robot()
    side = made.generator.sides[Side.RIGHT]
    made.generator.offer(made.chunk((0.0, 0.1, 0.0), steps=60), made.now_s)
    made.run(0.2)
    with monkeypatch.context() as patch:
        patch.setattr(side, "node", lambda *_: (_ for _ in ()).throw(np.linalg.LinAlgError("SVD did not converge")))
        made.run(0.1)
    assert made.generator.failures == 1
    assert "SVD did not converge" in made.generator.limits()
    made.run(0.5)
    assert made.generator.mode is Mode.FOLLOWING
    assert made.setpoints[-1] is not None
    assert made.refused == {}


@pytest.mark.parametrize("column", [3, 0])
def test_zero_quaternions_and_absurd_places_harm_nothing(column: int) -> None:
    made = robot(settings=GeneratorSettings(ensemble_decay=0.1))
    steps = made.chunk((0.0, 0.1, 0.0))[Side.RIGHT]
    steps.values[:, column : column + 3 + (column == 3)] = 0.0 if column == 3 else 1e6
    try:
        made.generator.offer({Side.RIGHT: steps}, made.now_s)
    except StepsError as error:
        assert "quaternion" in str(error) or "1e+06 m" in str(error)  # noqa: PT017
    made.run(0.3)
    assert made.setpoints[-1] is not None
    assert made.refused == {}


def test_both_arms_of_a_chunk_are_late_together() -> None:
    made = robot(sides=SIDES, settings=GeneratorSettings(speed=0.3, check_collisions=False))
    slow = made.chunk((0.0, -0.05, 0.0), side=Side.RIGHT, steps=30)[Side.RIGHT]
    fast = made.chunk((0.0, 0.5, 0.3), side=Side.LEFT, steps=30)[Side.LEFT]
    start = {side: made.wrist(side)[:3, 3] for side in SIDES}
    made.generator.offer({Side.RIGHT: slow, Side.LEFT: fast}, made.now_s)
    made.run(0.6)
    assert made.generator.speed < 0.6, "the left arm is at its limits"
    assert "late" in made.generator.limits()
    went = {side: made.wrist(side)[:3, 3] - start[side] for side in SIDES}
    # At the same place in it: the share of a step by which the tenfold speed shows is that of rounding the corner.
    np.testing.assert_allclose(went[Side.RIGHT][1] / -0.05, went[Side.LEFT][1] / 0.5, atol=4e-3)


def test_both_arms_of_a_chunk_change_over_together() -> None:
    made = robot(sides=SIDES, settings=GeneratorSettings(check_collisions=False))
    first = {side: made.chunk((0.0, 0.0, 0.05), side=side, steps=30)[side] for side in SIDES}
    made.generator.offer(first, made.now_s)
    made.run(0.3)
    stamp = made.now_s
    gap = made.chunk((0.0, 0.0, 0.05), side=Side.LEFT, offset_m=(0.03, 0.0, 0.0), sequence=2, stamp_s=stamp)
    made.generator.offer(gap | made.chunk((0.0, 0.0, 0.05), side=Side.RIGHT, sequence=2, stamp_s=stamp), made.now_s)
    left, right = (made.generator.sides[side].timeline.blend_s for side in SIDES)
    assert left == right > 0.15, "a gap of 3 cm takes longer than the blend, for both"
