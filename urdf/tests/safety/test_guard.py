"""The command guard: what is accepted is safe, what is refused is named and leaves no trace."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_description.calibration import default_calibration
from vitra_description.kinematics import ArmModel
from vitra_description.limits import ARM_LIMITS
from vitra_description.postures import home
from vitra_safety.guard import ARM_GUARD, HAND_GUARD, CommandGuard, GuardReason, PostureCheck, Refusal
from vitra_safety.posture_checks import WorkspaceBox, WorkspaceCheck, arm_posture_checks

START = home("right")
PERIOD_S = ARM_GUARD.period_s
DIRECTION = np.array([1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0])


class Feed:
    """A guard with a command source that counts sequence and time."""

    def __init__(self, guard: CommandGuard | None = None, epoch: int = 1) -> None:
        self.guard = guard or CommandGuard(ARM_GUARD)
        self.guard.rearm(epoch, START)
        self.epoch, self.sequence, self.now_s = epoch, 0, 100.0

    def send(self, q: object, **changes: object) -> Refusal | None:
        self.sequence += 1
        self.now_s += PERIOD_S
        fields = {"sequence": self.sequence, "epoch": self.epoch, "age_s": 0.002, "now_s": self.now_s} | changes
        return self.guard.check(q, **fields)  # type: ignore[arg-type]


def reason(refusal: Refusal | None) -> GuardReason | None:
    return None if refusal is None else refusal.reason


def bad(index: int, value: float) -> np.ndarray:
    q = START.copy()
    q[index] = value
    return q


def test_a_smooth_stream_is_accepted() -> None:
    feed = Feed()
    for t in np.arange(600) * PERIOD_S:
        assert feed.send(START + 0.3 * (1 - np.cos(2.5 * t)) * DIRECTION) is None
    assert feed.guard.accepted == 600
    assert not feed.guard.refused


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    feed = Feed()
    assert reason(feed.send(bad(2, value))) is GuardReason.NOT_FINITE
    assert feed.send(START) is None


@pytest.mark.parametrize("q", [[], [0.0] * 6, [0.0] * 8, 0.0, [[0.0] * 7]])
def test_a_vector_of_another_length_is_refused(q: object) -> None:
    assert reason(Feed().send(q)) is GuardReason.WRONG_LENGTH


@pytest.mark.parametrize("q", [None, "seven", [None] * 7, ["a"] * 7])
def test_what_is_no_vector_is_refused(q: object) -> None:
    assert reason(Feed().send(q)) in (GuardReason.NOT_FINITE, GuardReason.WRONG_LENGTH)


@pytest.mark.parametrize("epoch", [0, 2])
def test_another_epoch_is_refused(epoch: int) -> None:
    assert reason(Feed().send(START, epoch=epoch)) is GuardReason.WRONG_EPOCH


def test_nothing_is_accepted_before_arming_and_after_disarming() -> None:
    guard = CommandGuard(ARM_GUARD)
    assert reason(guard.check(START, sequence=1, epoch=0, age_s=0, now_s=0)) is GuardReason.NOT_ARMED
    feed = Feed(guard)
    assert feed.send(START) is None
    guard.disarm()
    assert reason(feed.send(START)) is GuardReason.NOT_ARMED


@pytest.mark.parametrize("back", [0, 1, 5])
def test_a_repeated_or_late_sequence_is_refused(back: int) -> None:
    feed = Feed()
    for _ in range(6):
        feed.send(START)
    assert reason(feed.send(START, sequence=6 - back)) is GuardReason.OUT_OF_ORDER


@pytest.mark.parametrize("age_s", [0.11, -0.2, -0.003, np.nan])
def test_a_stale_command_or_one_from_the_future_is_refused(age_s: float) -> None:
    assert reason(Feed().send(START, age_s=age_s)) is GuardReason.STALE


def test_a_joint_beyond_its_margin_is_refused_with_the_allowed_range() -> None:
    feed = Feed()
    refusal = feed.send(bad(3, ARM_LIMITS.upper_rad[3] + 0.01))
    assert reason(refusal) is GuardReason.POSITION
    assert "joint 4" in refusal.detail
    assert f"{ARM_LIMITS.upper_rad[3]:.4f}" in refusal.detail


@pytest.mark.parametrize(("degrees", "expected"), [(0.9, None), (1.1, GuardReason.FIRST_COMMAND)])
def test_the_first_command_must_begin_where_the_arm_is(degrees: float, expected: GuardReason | None) -> None:
    assert reason(Feed().send(bad(0, START[0] + np.deg2rad(degrees)))) is expected


def test_a_teleporting_command_is_refused_and_so_are_all_that_follow_it_there() -> None:
    feed = Feed()
    feed.send(START)
    far = bad(0, START[0] + 0.5)
    assert reason(feed.send(far)) is GuardReason.STEP
    assert reason(feed.send(far)) is GuardReason.AHEAD
    assert feed.send(START) is None
    np.testing.assert_array_equal(feed.guard.position_rad, START)


def test_too_fast_is_refused() -> None:
    feed = Feed()
    q = START.copy()
    reasons = []
    speed = 0.0
    for _ in range(60):
        speed += 9.0 * PERIOD_S
        q = q + speed * PERIOD_S * np.eye(7)[1]
        reasons.append(reason(feed.send(q)))
    assert reasons[0] is None
    assert GuardReason.VELOCITY in reasons
    first = reasons.index(GuardReason.VELOCITY)
    assert (first + 1) * 9.0 * PERIOD_S == pytest.approx(ARM_LIMITS.velocity_rad_s[1] * 1.05, rel=0.05)


def test_too_sudden_is_refused() -> None:
    feed = Feed()
    feed.send(START)
    feed.send(START)
    assert reason(feed.send(bad(1, START[1] + 12 * PERIOD_S**2))) is GuardReason.ACCELERATION


@pytest.mark.parametrize(("speed_rad_s", "expected"), [(0.15, None), (0.4, GuardReason.ACCELERATION)])
def test_a_source_may_be_slowly_under_way_at_its_first_command(speed_rad_s: float, expected: object) -> None:
    feed = Feed()
    assert feed.send(START + speed_rad_s * PERIOD_S * DIRECTION) is None
    assert reason(feed.send(START + 2 * speed_rad_s * PERIOD_S * DIRECTION)) is expected


def test_after_a_refusal_speed_is_judged_from_the_last_accepted_command() -> None:
    feed, q = Feed(), START.copy()
    for i in range(40):
        q = q + min(0.04 * i, 0.4) * PERIOD_S * DIRECTION
        refusal = feed.send(np.full(7, np.nan) if i == 30 else q)
        assert reason(refusal) is (GuardReason.NOT_FINITE if i == 30 else None)
    np.testing.assert_allclose(feed.guard.velocity_rad_s, 0.4 * DIRECTION)


@pytest.mark.parametrize("lost", [1, 3, 6])
def test_lost_commands_do_not_look_like_a_jump(lost: int) -> None:
    feed = Feed()
    for i in range(100):
        t = i * PERIOD_S
        q = START + 0.2 * (1 - np.cos(3 * t)) * DIRECTION
        if i % 20 < lost and i > 20:
            feed.sequence += 1
            feed.now_s += PERIOD_S
            continue
        assert feed.send(q) is None, i


def test_bunched_delivery_does_not_look_like_a_jump() -> None:
    feed = Feed()
    for i in range(200):
        arrival_s = 100.0 + (i // 4) * 4 * PERIOD_S  # four at once
        q = START + 0.2 * (1 - np.cos(3 * i * PERIOD_S)) * DIRECTION
        assert feed.send(q, now_s=arrival_s) is None, i


def flood(interval_s: float, step_rad: float, *, skip: int = 1, settings: object = ARM_GUARD) -> tuple[float, float]:
    """How far and how long a source got that sends `step_rad` every `interval_s` and claims `skip` ticks for each."""
    guard = CommandGuard(settings)  # type: ignore[arg-type]
    dof = guard.settings.limits.dof
    start = START if dof == 7 else np.full(dof, 0.1)
    guard.rearm(1, start)
    now_s, sequence, first_s = 100.0, 0, 0.0
    for _ in range(4000):
        now_s += interval_s
        sequence += skip
        q = guard.position_rad
        speed = float(guard.velocity_rad_s[0]) + 0.8 * 10.0 * guard.settings.period_s
        q[0] += np.sign(-q[0]) * min(step_rad, speed * guard.settings.period_s * skip)
        if guard.check(q, sequence=sequence, epoch=1, age_s=0.001, now_s=now_s) is None:
            first_s = first_s or now_s
        if abs(q[0]) < 0.1:
            break
    return float(np.abs(guard.position_rad - start)[0]), now_s - first_s


@pytest.mark.parametrize("interval_s", [0.00025, 0.001, 0.0025])
@pytest.mark.parametrize("skip", [1, 3, 1000])
def test_messages_that_come_faster_buy_no_speed_whatever_their_numbers_claim(interval_s: float, skip: int) -> None:
    travelled_rad, seconds = flood(interval_s, np.deg2rad(0.45), skip=skip)
    allowed_rad = ARM_LIMITS.velocity_rad_s[0] * 1.05 * (seconds + ARM_GUARD.slack_s + PERIOD_S)
    assert travelled_rad <= allowed_rad


def test_a_flood_of_messages_is_refused_by_name() -> None:
    feed = Feed()
    reasons = [reason(feed.send(START, now_s=100.0 + 0.0001 * i)) for i in range(400)]
    accepted = reasons.count(None)
    assert GuardReason.RATE in reasons
    assert accepted <= (0.04 + ARM_GUARD.slack_s) / (PERIOD_S / 2) + 2


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.0, 0.02), st.floats(-0.04, 0.04), st.integers(1, 50)),
        min_size=1,
        max_size=80,
    )
)
def test_over_any_span_of_time_the_accepted_path_is_no_longer_than_the_receivers_clock_allows(commands: list) -> None:
    guard = CommandGuard(ARM_GUARD)
    guard.rearm(1, START)
    sequence, now_s = 0, 10.0
    path = [(now_s, START[0])]
    for wait_s, change, jump in commands:
        now_s, sequence = now_s + wait_s, sequence + jump
        q = guard.position_rad + change * np.eye(7)[0]
        if guard.check(q, sequence=sequence, epoch=1, age_s=0.0, now_s=now_s) is None:
            path.append((now_s, q[0]))
    for i, (begin_s, begin) in enumerate(path[1:], 1):
        for end_s, end in path[i:]:
            span_s = end_s - begin_s + ARM_GUARD.slack_s
            assert abs(end - begin) <= ARM_LIMITS.velocity_rad_s[0] * 1.05 * span_s + 1e-9


def test_a_second_source_of_commands_is_refused_within_an_epoch_only() -> None:
    feed = Feed()
    feed.send(START, source=5)
    assert reason(feed.send(START, source=6)) is GuardReason.WRONG_SOURCE
    feed.guard.rearm(2, START)
    assert feed.send(START, epoch=2, source=6) is None


def test_only_what_a_sound_commander_never_asks_for_counts_as_a_violation() -> None:
    feed = Feed()
    feed.send(START)
    feed.send(START, epoch=7)
    feed.send(START, age_s=1.0)
    feed.send(START, sequence=1)
    assert feed.guard.limit_violations == 0
    assert reason(feed.send(bad(0, START[0] + 0.5))) is GuardReason.STEP
    assert reason(feed.send(bad(0, np.nan))) is GuardReason.NOT_FINITE
    assert feed.guard.limit_violations == 2


def test_a_source_that_is_far_ahead_after_a_pause_has_violated_no_limit() -> None:
    feed = Feed()
    for _ in range(10):
        feed.send(START)
    feed.now_s += 0.06
    feed.sequence += 12
    refusal = feed.send(START + np.deg2rad(4.0) * DIRECTION)
    assert reason(refusal) is GuardReason.AHEAD
    assert feed.guard.limit_violations == 0


def test_a_jump_of_the_sequence_buys_no_time() -> None:
    feed = Feed()
    feed.send(START)
    q = bad(1, START[1] + 0.03)
    assert reason(feed.send(q, sequence=1000)) in (GuardReason.VELOCITY, GuardReason.ACCELERATION)


def test_rearming_begins_a_new_sequence_from_the_measured_position() -> None:
    feed = Feed()
    for _ in range(5):
        feed.send(START)
    elsewhere = START + 0.3
    feed.guard.rearm(2, elsewhere)
    assert feed.guard.check(elsewhere, sequence=1, epoch=2, age_s=0, now_s=200.0) is None


def test_refusals_are_counted_by_reason_and_the_last_is_kept() -> None:
    feed = Feed()
    feed.send(bad(0, np.nan))
    feed.send(START[:6])
    feed.send(START[:5])
    assert feed.guard.refused == {GuardReason.NOT_FINITE: 1, GuardReason.WRONG_LENGTH: 2}
    assert "(5,)" in str(feed.guard.last_refusal)


def test_a_hand_is_guarded_by_its_own_limits() -> None:
    guard = CommandGuard(HAND_GUARD)
    guard.rearm(1, np.full(12, 0.05))
    assert guard.check(np.full(12, 0.05), sequence=1, epoch=1, age_s=0, now_s=0) is None
    q = np.full(12, 0.05)
    q[3] = 0.2
    assert reason(guard.check(q, sequence=2, epoch=1, age_s=0, now_s=0.01)) is GuardReason.POSITION


def test_a_wrist_outside_the_workspace_is_refused() -> None:
    extrinsics = default_calibration().right
    arm = ArmModel(side=extrinsics)
    box = WorkspaceBox(lower_m=(0.0, -0.3, 0.8), upper_m=(0.5, 0.3, 1.2))
    height = (extrinsics.base_from_arm_base @ arm.wrist_pose(START))[2, 3]
    check = WorkspaceCheck(arm, extrinsics.base_from_arm_base, box)
    lower, higher = START + 0.01 * np.eye(7)[1], START - 0.01 * np.eye(7)[1]
    if (arm.wrist_pose(lower)[:3, 3] @ extrinsics.base_from_arm_base[2, :3]) > (
        arm.wrist_pose(higher)[:3, 3] @ extrinsics.base_from_arm_base[2, :3]
    ):
        lower, higher = higher, lower
    assert height > 1.2
    refusal = check(higher, START)
    assert reason(refusal) is GuardReason.WORKSPACE
    assert "wrist z" in refusal.detail
    assert check(lower, START) is None  # back in is allowed
    assert WorkspaceCheck(arm, extrinsics.base_from_arm_base)(START, START) is None


def test_an_arm_may_not_run_into_itself_but_may_leave() -> None:
    checks = arm_posture_checks("right", default_calibration(), box=WorkspaceBox((-2, -2, -2), (2, 2, 3)))
    collision = checks[1]
    fold = np.array([0.0, 0.3, 0.0, 2.3, 0.0, 2.1, 0.0])
    path = [share * fold for share in np.linspace(0, 1, 200)]
    refusals = [collision(q, before) for before, q in zip(path, path[1:], strict=False)]
    first = next(i for i, refusal in enumerate(refusals) if refusal is not None)
    assert refusals[first].reason is GuardReason.COLLISION
    assert "allowed 20 mm" in refusals[first].detail
    assert collision(path[first], path[first + 1]) is None


def test_the_first_posture_check_that_refuses_decides_and_leaves_no_trace() -> None:
    asked: list[str] = []

    def check(name: str, refuses: bool) -> PostureCheck:
        def judge(q: np.ndarray, before: np.ndarray) -> Refusal | None:
            asked.append(name)
            np.testing.assert_array_equal(before, START)
            return Refusal(GuardReason.COLLISION, name) if refuses else None

        return judge

    feed = Feed(CommandGuard(ARM_GUARD, [check("fine", False), check("wall", True), check("never", True)]))
    refusal = feed.send(START + 1e-4 * DIRECTION)
    assert refusal == Refusal(GuardReason.COLLISION, "wall")
    assert asked == ["fine", "wall"]
    np.testing.assert_array_equal(feed.guard.position_rad, START)
    assert feed.guard.accepted == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(
                st.one_of(st.floats(-0.02, 0.02), st.floats(allow_nan=True, allow_infinity=True)),
                min_size=7,
                max_size=7,
            ),
            st.integers(-2, 4),
            st.integers(0, 2),
            st.floats(-0.02, 0.15),
        ),
        max_size=60,
    )
)
def test_whatever_comes_the_accepted_path_keeps_every_limit(commands: list) -> None:
    guard = CommandGuard(ARM_GUARD)
    guard.rearm(1, START)
    sequence, now_s, accepted = 0, 10.0, [START]
    for change, jump, epoch, age_s in commands:
        sequence += jump
        now_s += PERIOD_S
        q = guard.position_rad + np.array(change)
        with np.errstate(all="ignore"):
            refusal = guard.check(q, sequence=sequence, epoch=epoch, age_s=age_s, now_s=now_s)
        if refusal is None:
            assert epoch == 1
            assert ARM_LIMITS.contains(q, 1e-5)
            assert np.abs(q - accepted[-1]).max() <= ARM_GUARD.max_step_rad
            accepted.append(q)
    assert guard.accepted == len(accepted) - 1
    assert guard.accepted + sum(guard.refused.values()) == len(commands)


def at(q: np.ndarray, index: int, value: float) -> np.ndarray:
    changed = q.copy()
    changed[index] = value
    return changed


@pytest.mark.parametrize("bound", ["lower", "upper"])
@pytest.mark.parametrize(("beyond_rad", "allowed"), [(0.0, True), (0.9e-6, True), (1e-6, True), (1.2e-6, False)])
def test_a_position_limit_is_kept_to_a_millionth_of_a_radian(bound: str, beyond_rad: float, allowed: bool) -> None:
    sign = 1.0 if bound == "upper" else -1.0
    limit = float(getattr(ARM_LIMITS, f"{bound}_rad")[3]) + sign * beyond_rad
    guard = CommandGuard(ARM_GUARD)
    guard.rearm(1, at(START, 3, limit))
    refusal = guard.check(at(START, 3, limit), sequence=1, epoch=1, age_s=0.0, now_s=1.0)
    assert reason(refusal) is (None if allowed else GuardReason.POSITION)


@pytest.mark.parametrize(("age_s", "allowed"), [(-0.002, True), (-0.0021, False), (0.1, True), (0.1001, False)])
def test_the_oldest_and_the_earliest_command_that_counts(age_s: float, allowed: bool) -> None:
    assert reason(Feed().send(START, age_s=age_s)) is (None if allowed else GuardReason.STALE)


def test_a_refusal_says_what_was_seen_and_what_is_allowed() -> None:
    feed = Feed()
    assert "computed 250.0 ms ago, allowed 100 ms" in str(feed.send(START, age_s=0.25))
    assert "joint 3 is nan" in str(feed.send(bad(2, np.nan)))
    assert "joint 1: 0.5000 rad from what is held, allowed 0.0175" in str(feed.send(bad(0, START[0] + 0.5)))
    assert feed.send(START) is None
    assert "sequence 4, must be above 4" in str(feed.send(START, sequence=4))
    assert "epoch 9, allowed 1" in str(feed.send(START, epoch=9))
    at_once_s = feed.now_s
    said = [str(feed.send(START, now_s=at_once_s)) for _ in range(20)]  # the slack is used up
    assert "commands come faster than 400 Hz" in said[-1]


def test_twice_the_rate_is_the_fastest_that_may_come_for_long() -> None:
    feed = Feed()
    for i in range(400):
        assert feed.send(START, now_s=100.0 + 0.5001 * PERIOD_S * i) is None


def test_a_step_from_what_was_sent_may_be_as_long_as_allowed_and_no_longer() -> None:
    longest = ARM_GUARD.max_step_rad
    for step_rad, expected in ((0.999 * longest, GuardReason.VELOCITY), (1.001 * longest, GuardReason.STEP)):
        feed = Feed()
        feed.send(START)
        assert reason(feed.send(at(START, 0, START[0] + step_rad))) is expected


def test_a_command_is_measured_from_what_was_sent_not_from_what_was_accepted() -> None:
    feed = Feed()
    q = START.copy()
    for i in range(40):
        q = q + min(0.04 * i, 0.4) * PERIOD_S * DIRECTION
        assert feed.send(q) is None
    feed.guard.sent(q - (ARM_GUARD.max_step_rad - 0.0005) * DIRECTION)
    assert reason(feed.send(q + 0.4 * PERIOD_S * DIRECTION)) is GuardReason.AHEAD
    feed.guard.sent(q)
    assert feed.send(q + 2 * 0.4 * PERIOD_S * DIRECTION) is None


def test_disarmed_it_forgets_nothing_but_the_epoch() -> None:
    feed = Feed()
    feed.send(START)
    feed.guard.disarm()
    feed.send(START)
    assert feed.guard.refused[GuardReason.NOT_ARMED] == 1
    assert feed.guard.accepted == 1


def test_after_a_resync_the_next_command_is_a_first_one_again() -> None:
    feed = Feed()
    for _ in range(3):
        feed.send(START)
    elsewhere = START + 0.2
    feed.guard.resync(elsewhere)
    np.testing.assert_array_equal(feed.guard.velocity_rad_s, np.zeros(7))
    assert reason(feed.send(START)) is GuardReason.FIRST_COMMAND
    assert feed.send(elsewhere) is None


def test_a_command_after_exactly_half_a_period_is_just_in_time() -> None:
    """All times are powers of two, so that nothing is rounded."""
    period_s = 2.0**-7
    exact = replace(ARM_GUARD, period_s=period_s, slack_s=8 * period_s)
    for wait_s, expected in ((period_s / 2, None), (period_s / 2 - 2.0**-30, GuardReason.RATE)):
        guard = CommandGuard(exact)
        guard.rearm(1, START)
        for sequence in range(8):
            assert guard.check(START, sequence=sequence, epoch=1, age_s=0.0, now_s=64.0) is None
        refusal = guard.check(START, sequence=8, epoch=1, age_s=0.0, now_s=64.0 + wait_s)
        assert reason(refusal) is expected


@pytest.mark.parametrize(("missed", "expected"), [(0, GuardReason.STEP), (1, GuardReason.AHEAD)])
def test_a_leap_is_judged_by_the_commanders_own_last_two_commands(missed: int, expected: GuardReason) -> None:
    feed = Feed()
    feed.send(START)
    feed.send(START)
    feed.sequence += missed
    feed.now_s += missed * PERIOD_S
    assert reason(feed.send(at(START, 0, START[0] + 1.5 * ARM_GUARD.max_step_rad))) is expected
