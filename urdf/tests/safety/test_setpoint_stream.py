"""What a driver sends: commands while they come, a smooth stop when they do not, nothing while it may not move."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_description.limits import ARM_LIMITS
from vitra_description.postures import home
from vitra_safety.guard import ARM_GUARD, GuardReason
from vitra_safety.motion_gate import MotionState, StopCause
from vitra_safety.setpoint_stream import STANDS_S, Beginning, SetpointStream
from vitra_safety.stop_profile import StopProfile

START = home("right")
TICK_S = ARM_GUARD.period_s


class Rig:
    """A stream with a perfect arm and a source that accelerates joint 1 to 0.75 rad/s."""

    def __init__(self) -> None:
        self.stream, self.now_s, self.epoch, self.sequence = SetpointStream(ARM_GUARD), 50.0, 1, 0
        self.arm, self.command, self.speed = START.copy(), START.copy(), 0.0
        self.sending = self.permitting = True
        self.sent: list[np.ndarray] = []
        self.path: list[np.ndarray] = []

    def run(self, ticks: int) -> MotionState:
        for _ in range(ticks):
            self.now_s += TICK_S
            self.stream.on_feedback(self.arm, self.now_s)
            if self.permitting:
                self.stream.on_permit(self.epoch, True, self.now_s)
            self.sequence += 1
            if self.sending:
                self.speed = min(0.75, self.speed + 8 * TICK_S)
                self.command = self.command + self.speed * TICK_S * np.eye(7)[0]
                self.stream.on_command(
                    self.command, sequence=self.sequence, epoch=self.epoch, age_s=0.001, now_s=self.now_s
                )
            setpoint = self.stream.tick(self.now_s)
            if setpoint is not None:
                self.sent.append(setpoint)
                self.arm = setpoint
            self.path.append(self.arm.copy())
        return self.stream.state


def test_accepted_commands_are_sent_as_they_are() -> None:
    rig = Rig()
    assert rig.run(60) is MotionState.MOVING
    np.testing.assert_array_equal(rig.sent[-1], rig.command)
    assert rig.stream.guard.accepted == 60


def test_when_commands_stop_the_arm_decelerates_within_limits_and_is_at_rest_before_150_ms() -> None:
    rig = Rig()
    rig.run(60)
    rig.sending = False
    last = rig.now_s
    assert rig.run(30) is MotionState.HOLDING
    velocity = np.diff(np.array(rig.path)[:, 0]) / TICK_S
    moving = np.flatnonzero(np.abs(velocity) > 1e-9)
    assert (moving[-1] + 1 - 59) * TICK_S <= 0.085
    assert rig.now_s - last == pytest.approx(0.15)
    assert np.all(velocity >= -1e-9)
    assert (-np.diff(velocity[57:]) / TICK_S).max() <= ARM_LIMITS.acceleration_rad_s2[0] + 1e-6


def test_a_short_gap_is_bridged_without_stopping() -> None:
    rig = Rig()
    rig.run(60)
    rig.sending = False
    rig.run(6)
    rig.sending = True
    for _ in range(6):
        rig.command = rig.command + rig.speed * TICK_S * np.eye(7)[0]  # the source kept its clock
    assert rig.run(20) is MotionState.MOVING
    assert not rig.stream.guard.refused
    np.testing.assert_array_equal(rig.arm, rig.command)


def test_after_a_stop_a_command_elsewhere_is_refused() -> None:
    rig = Rig()
    rig.run(60)
    rig.sending = False
    rig.run(40)
    rig.command = rig.arm + 0.1
    rig.sending = True
    rig.run(5)
    assert rig.stream.guard.refused[GuardReason.FIRST_COMMAND] == 5
    assert rig.stream.state is MotionState.HOLDING


def test_half_a_second_without_permit_latches_and_a_new_epoch_starts_from_the_measured_arm() -> None:
    rig = Rig()
    rig.run(60)
    rig.permitting = False
    assert rig.run(130) is MotionState.LATCHED
    count = len(rig.sent)
    assert "last permit" in str(rig.stream.guard.last_refusal)
    assert "re-arm" in str(rig.stream.guard.last_refusal)
    rig.permitting = True
    assert rig.run(20) is MotionState.LATCHED
    assert len(rig.sent) == count
    rig.epoch, rig.sequence, rig.command, rig.speed = 2, 0, rig.arm.copy(), 0.0
    assert rig.run(10) is MotionState.MOVING
    np.testing.assert_array_equal(rig.sent[-1], rig.command)


def test_nothing_moves_before_anything_is_measured() -> None:
    stream = SetpointStream(ARM_GUARD)
    stream.on_permit(1, True, 1.0)
    refusal = stream.on_command(START, sequence=1, epoch=1, age_s=0, now_s=1.0)
    assert refusal is not None
    assert refusal.reason is GuardReason.NOT_PERMITTED
    assert stream.tick(1.0) is None
    assert stream.gate.epoch == 0


@pytest.mark.parametrize("measured", [np.full(7, np.nan), np.zeros(6)])
def test_broken_feedback_counts_as_none(measured: np.ndarray) -> None:
    stream = SetpointStream(ARM_GUARD)
    stream.on_feedback(measured, 1.0)
    stream.on_permit(1, True, 1.0)
    assert stream.gate.feedback_age_s(1.0) == np.inf
    assert stream.gate.epoch == 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-1, 1), min_size=7, max_size=7),
    st.lists(st.floats(-3, 3), min_size=7, max_size=7),
)
def test_a_stop_profile_keeps_every_limit_and_ends(share: list[float], velocity: list[float]) -> None:
    q = np.array(share) * ARM_LIMITS.upper_rad
    stop = StopProfile(q, velocity, ARM_LIMITS)
    times = np.arange(0, stop.duration_s + 0.1, TICK_S)
    path = np.array([stop.position_rad(t) for t in times])
    assert stop.duration_s <= float(np.max(ARM_LIMITS.velocity_rad_s / ARM_LIMITS.acceleration_rad_s2)) + 1e-9
    assert all(ARM_LIMITS.contains(p) for p in path)
    np.testing.assert_allclose(path[0], q)
    np.testing.assert_array_equal(path[-1], path[-2])
    inside = np.abs(path[-1]) < ARM_LIMITS.upper_rad - 1e-9
    acceleration = np.diff(path, 2, axis=0) / TICK_S**2
    assert np.all(np.abs(acceleration[:, inside]) <= ARM_LIMITS.acceleration_rad_s2[inside] + 1e-6)


def test_a_stop_from_rest_is_over_at_once() -> None:
    stop = StopProfile(START, np.zeros(7), ARM_LIMITS)
    assert stop.done(0.0)
    np.testing.assert_array_equal(stop.position_rad(1.0), START)
    np.testing.assert_array_equal(stop.velocity_rad_s(1.0), 0)


def test_a_stop_from_the_usual_speed_takes_less_than_a_tenth_of_a_second() -> None:
    assert StopProfile(START, np.full(7, 0.8), ARM_LIMITS).duration_s <= 0.1


def test_a_fault_of_the_device_while_moving_decelerates_within_limits_and_latches() -> None:
    rig = Rig()
    rig.run(60)
    for _ in range(3):  # reported again and again
        rig.stream.on_fault("a joint is too hot")
        assert rig.run(1) is MotionState.STOPPING
    assert rig.run(30) is MotionState.LATCHED
    velocity = np.diff(np.array(rig.path)[:, 0]) / TICK_S
    assert np.abs(np.diff(velocity[57:]) / TICK_S).max() <= ARM_LIMITS.acceleration_rad_s2[0] + 1e-6


def test_an_arm_that_sags_at_rest_continues_what_its_controller_holds() -> None:
    rig = Rig()
    rig.run(60)
    rig.sending = False
    rig.run(40)
    told = rig.arm.copy()
    rig.arm = told + 0.03 * np.eye(7)[4]  # its own weight
    rig.stream.on_feedback(rig.arm, rig.now_s)
    rig.stream.on_permit(rig.epoch, True, rig.now_s)
    where = {"epoch": rig.epoch, "age_s": 0.001, "now_s": rig.now_s}
    refusal = rig.stream.on_command(rig.arm, sequence=999, **where)
    assert refusal is not None
    assert refusal.reason is GuardReason.FIRST_COMMAND
    assert rig.stream.on_command(told, sequence=1000, **where) is None


def test_re_arming_again_and_again_does_not_let_a_sagging_arm_sink() -> None:
    rig = Rig()
    rig.run(60)
    told = rig.arm.copy()
    for epoch in range(2, 11):
        rig.sending = rig.permitting = False
        rig.run(130)
        start = rig.stream.start_rad
        assert start is not None
        rig.arm = start - np.deg2rad(0.9) * np.eye(7)[1]
        rig.epoch, rig.command, rig.speed, rig.permitting = epoch, start, 0.0, True
        rig.run(2)
        now = {"epoch": epoch, "age_s": 0.001, "now_s": rig.now_s}
        assert rig.stream.on_command(start, sequence=rig.sequence + 1, **now) is None
        rig.sequence += 1
    np.testing.assert_allclose(start[1], told[1], atol=1e-9)


def test_a_new_epoch_does_not_begin_while_the_arm_rests_far_from_what_is_held() -> None:
    rig = Rig()
    rig.stream = SetpointStream(ARM_GUARD, rest_error_rad=np.deg2rad(3.0))
    rig.run(60)
    rig.sending = rig.permitting = False
    rig.run(130)
    rig.arm = rig.arm + np.deg2rad(3.85) * np.eye(7)[1]
    rig.epoch, rig.permitting = 2, True
    count = len(rig.sent)
    assert rig.run(40) is MotionState.LATCHED
    assert len(rig.sent) == count
    rig.sending, rig.command, rig.speed = True, rig.arm.copy(), 0.0
    rig.stream.forget_held()  # a person has led it there
    assert rig.run(10) is MotionState.MOVING


def frames_of(rig: Rig) -> tuple[np.ndarray, np.ndarray]:
    """Velocities and accelerations of what was sent, one setpoint being one period."""
    velocity = np.diff(np.array(rig.sent), axis=0) / TICK_S
    return velocity, np.diff(velocity, axis=0) / TICK_S


@pytest.mark.parametrize("lost", [2, 4, 6, 8])
def test_after_a_gap_the_setpoints_catch_up_within_limits(lost: int) -> None:
    rig = Rig()
    rig.run(60)
    rig.sending = False
    rig.run(lost)
    rig.sending = True
    for _ in range(lost):
        rig.command = rig.command + rig.speed * TICK_S * np.eye(7)[0]
    assert rig.run(100) is MotionState.MOVING
    velocity, acceleration = frames_of(rig)
    assert np.abs(velocity).max() <= ARM_LIMITS.velocity_rad_s[0] * 1.05
    assert np.abs(acceleration).max() <= ARM_LIMITS.acceleration_rad_s2[0] * 1.05 + 1e-6
    np.testing.assert_allclose(rig.arm, rig.command, atol=1e-9)


def test_a_driver_that_was_stalled_catches_up_within_limits() -> None:
    rig = Rig()
    rig.run(60)
    rig.now_s += 8 * TICK_S  # the process stood still; the newest command waited
    for _ in range(8):
        rig.sequence += 1
        rig.command = rig.command + rig.speed * TICK_S * np.eye(7)[0]
    rig.run(100)
    velocity, acceleration = frames_of(rig)
    assert np.abs(velocity).max() <= ARM_LIMITS.velocity_rad_s[0] * 1.05
    assert np.abs(acceleration).max() <= ARM_LIMITS.acceleration_rad_s2[0] * 1.05 + 1e-6


def test_after_a_pause_in_which_nothing_was_sent_the_arm_stands_and_no_stop_moves_it_again() -> None:
    rig = Rig()
    rig.run(60)
    rig.sending = rig.permitting = False
    rig.now_s += 0.5
    where = rig.arm.copy()
    assert rig.run(40) is MotionState.HOLDING
    np.testing.assert_array_equal(rig.arm, where)


def test_what_follows_a_pause_starts_from_rest() -> None:
    rig = Rig()
    rig.run(60)
    rig.now_s += STANDS_S + TICK_S
    before = len(rig.sent)
    rig.run(30)
    velocity = np.diff(np.array(rig.sent[before - 1 :])[:, 0]) / TICK_S
    most = ARM_LIMITS.acceleration_rad_s2[0] * TICK_S
    assert velocity[0] <= most * 1.06
    assert np.abs(np.diff(velocity)).max() <= most * 1.06


def test_setpoints_leave_at_their_rate_however_commands_are_bunched() -> None:
    stream = SetpointStream(ARM_GUARD)
    sent_s, sequence, q = [], 0, START.copy()
    for millisecond in range(1000):
        now_s = 20.0 + millisecond * 1e-3
        stream.on_feedback(START, now_s)
        stream.on_permit(1, True, now_s)
        for _ in range(4 if millisecond % 20 == 0 else 0):
            sequence += 1
            assert stream.on_command(q, sequence=sequence, epoch=1, age_s=0.001, now_s=now_s) is None
            if stream.tick(now_s) is not None:
                sent_s.append(now_s)
        if stream.tick(now_s) is not None:
            sent_s.append(now_s)
    assert sum(1 for a, b in zip(sent_s, sent_s[1:], strict=False) if b - a < 1e-4) <= len(sent_s) / 4 + 1
    for first, third in zip(sent_s, sent_s[2:], strict=False):
        assert third - first >= TICK_S - 1.1e-3


def test_a_second_commander_ends_the_motion_by_name() -> None:
    rig = Rig()
    rig.run(60)
    rig.stream.on_command(rig.command, sequence=rig.sequence + 1, epoch=1, age_s=0.001, now_s=rig.now_s, source=0xBAD)
    assert rig.run(30) is MotionState.LATCHED
    assert rig.stream.gate.cause is StopCause.SECOND_COMMANDER
    assert "bad" in rig.stream.gate.detail
    velocity = np.diff(np.array(rig.path)[:, 0]) / TICK_S
    assert np.abs(np.diff(velocity[57:]) / TICK_S).max() <= ARM_LIMITS.acceleration_rad_s2[0] + 1e-6


@pytest.mark.parametrize("joint_rad", [np.deg2rad(2_147_483.0), -7.6, 1e300])
def test_measured_positions_no_joint_can_have_count_as_none(joint_rad: float) -> None:
    stream = SetpointStream(ARM_GUARD)
    measured = START.copy()
    measured[6] = joint_rad
    stream.on_feedback(measured, 1.0)
    assert stream.gate.feedback_age_s(1.0) == np.inf


def test_what_the_controller_has_held_since_before_is_where_the_next_motion_begins() -> None:
    stream = SetpointStream(ARM_GUARD)
    held = START + 0.01
    assert not stream.recall(held, within_rad=0.02), "nothing was measured yet"
    stream.on_feedback(START, 50.0)
    assert not stream.recall(held, within_rad=0.009), "something has moved it"
    assert stream.held_rad is None
    assert stream.rest_error_now_rad == 0.0
    assert stream.recall(held, within_rad=0.0101)
    np.testing.assert_array_equal(stream.held_rad, held)
    np.testing.assert_array_equal(stream.start_rad, held)
    assert stream.rest_error_now_rad == pytest.approx(0.01)
    assert not stream.recall(START, within_rad=1.0), "it is known already"


def test_the_first_command_continues_what_was_recalled() -> None:
    stream = SetpointStream(ARM_GUARD)
    held = START + 0.01
    stream.on_feedback(START, 50.0)
    stream.recall(held, within_rad=0.02)
    stream.on_permit(1, True, 50.0)
    assert not stream.has_pending
    assert stream.on_command(held, sequence=1, epoch=1, age_s=0.001, now_s=50.0) is None
    assert stream.has_pending
    setpoint = stream.tick(50.0)
    assert setpoint is not None
    np.testing.assert_allclose(setpoint, held)
    assert not stream.has_pending


def test_a_stop_from_rest_has_no_speed_and_goes_nowhere() -> None:
    profile = StopProfile(START, np.zeros(7), ARM_LIMITS)
    assert profile.duration_s == 0
    assert profile.done(0.0)
    np.testing.assert_array_equal(profile.velocity_rad_s(0.0), np.zeros(7))
    np.testing.assert_array_equal(profile.position_rad(1.0), START)


def moving() -> Rig:
    """A rig in motion."""
    rig = Rig()
    assert rig.run(60) is MotionState.MOVING
    return rig


def test_in_motion_a_command_that_is_too_sudden_is_refused_though_it_is_near() -> None:
    rig = moving()
    rig.now_s += TICK_S
    rig.stream.on_feedback(rig.arm, rig.now_s)
    rig.stream.on_permit(1, True, rig.now_s)
    back = rig.command - 0.75 * TICK_S * np.eye(7)[0]
    refusal = rig.stream.on_command(back, sequence=rig.sequence + 1, epoch=1, age_s=0.001, now_s=rig.now_s)
    assert refusal is not None
    assert refusal.reason is GuardReason.ACCELERATION


def test_a_command_that_was_dropped_before_it_left_is_not_continued() -> None:
    stream = SetpointStream(ARM_GUARD)
    stream.on_feedback(START, 50.0)
    stream.on_permit(1, True, 50.0)
    there = START + np.deg2rad(0.9) * np.eye(7)[0]
    assert stream.on_command(there, sequence=1, epoch=1, age_s=0.0, now_s=50.0) is None
    stream.on_permit(1, False, 50.001)
    assert stream.tick(50.001) is None
    assert not stream.has_pending
    stream.on_permit(1, True, 50.01)
    other = START - np.deg2rad(0.9) * np.eye(7)[0]
    assert stream.on_command(other, sequence=2, epoch=1, age_s=0.0, now_s=50.01) is None


def test_before_anything_was_sent_the_guard_goes_with_the_arm() -> None:
    stream = SetpointStream(ARM_GUARD)
    stream.on_feedback(START, 50.0)
    stream.on_feedback(START + 0.3, 50.01)
    np.testing.assert_array_equal(stream.guard.position_rad, START + 0.3)
    rig = moving()
    accepted = rig.stream.guard.position_rad
    rig.stream.on_feedback(rig.arm + 0.1, rig.now_s + TICK_S)
    np.testing.assert_array_equal(rig.stream.guard.position_rad, accepted)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize(("beyond_rad", "counts"), [(-1e-6, True), (0.0, True), (1e-6, False)])
def test_feedback_counts_up_to_a_tenth_and_ten_degrees_beyond_the_limits(
    sign: float, beyond_rad: float, counts: bool
) -> None:
    largest = np.maximum(np.abs(ARM_LIMITS.lower_rad), np.abs(ARM_LIMITS.upper_rad))
    bound = 1.1 * largest + np.deg2rad(10.0)
    for joint in range(7):
        stream = SetpointStream(ARM_GUARD)
        measured = START.copy()
        measured[joint] = sign * (bound[joint] + beyond_rad)
        stream.on_feedback(measured, 1.0)
        assert (stream.gate.feedback_age_s(1.0) == 0.0) is counts


def test_only_one_setpoint_leaves_in_a_period_and_none_without_a_command() -> None:
    stream = SetpointStream(ARM_GUARD)
    stream.on_feedback(START, 50.0)
    stream.on_permit(1, True, 50.0)
    assert stream.tick(50.0) is None
    assert stream.setpoint_rad is None
    stream.on_command(START, sequence=1, epoch=1, age_s=0.0, now_s=50.0)
    assert stream.tick(50.0) is not None
    np.testing.assert_array_equal(stream.setpoint_rad, START)
    stream.on_command(START, sequence=2, epoch=1, age_s=0.0, now_s=50.002)
    assert stream.tick(50.002) is None, "within the period"
    assert stream.has_pending
    assert stream.tick(50.0051) is not None


def test_where_a_motion_begins_is_said_with_its_first_setpoint_only() -> None:
    rig = Rig()
    rig.run(1)
    assert rig.stream.begins is Beginning.MEASURED
    rig.run(1)
    assert rig.stream.begins is Beginning.NONE
    stream = SetpointStream(ARM_GUARD)
    stream.on_feedback(START, 50.0)
    assert stream.recall(START + 0.005, within_rad=0.01)
    stream.on_permit(1, True, 50.0)
    stream.on_command(START + 0.005, sequence=1, epoch=1, age_s=0.0, now_s=50.0)
    stream.tick(50.0)
    assert stream.begins is Beginning(2)
