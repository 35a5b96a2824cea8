"""Driver logic with a link that only remembers, and a clock of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from arm_bench import HOME, PERIOD_S, Bench

from realman_driver.arm_driver import DriverStatus
from realman_driver.frames import Operation
from realman_driver.link import LinkState
from vitra_safety.guard import GuardReason


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def moving(bench: Bench) -> Bench:
    bench.speed_up()
    assert bench.driver.status is DriverStatus.MOVING
    return bench


def largest_deceleration(setpoints: list[np.ndarray]) -> float:
    path = np.array(setpoints)
    return float(np.abs(np.diff(path, 2, axis=0)).max() / PERIOD_S**2)


def test_every_accepted_command_is_passed_on_at_once(moving: Bench) -> None:
    count = len(moving.link.streamed)
    moving.now_s += PERIOD_S
    moving.goal_rad = moving.goal_rad + np.eye(7)[0] * 0.5 * PERIOD_S
    assert moving.command(moving.goal_rad) is None
    assert len(moving.link.streamed) == count + 1
    assert moving.link.streamed[-1] == pytest.approx(moving.goal_rad)


def test_without_a_permit_nothing_is_streamed(bench: Bench) -> None:
    bench.permitting = False
    bench.run(1.0)
    assert bench.link.streamed == []
    assert bench.driver.status is DriverStatus.HOLDING


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda q: q * np.nan, GuardReason.NOT_FINITE),
        (lambda q: q[:6], GuardReason.WRONG_LENGTH),
        (lambda q: q + 0.5, GuardReason.STEP),
        (lambda q: q + np.eye(7)[1] * 5.0, GuardReason.POSITION),
    ],
)
def test_a_bad_command_is_refused_and_counted(moving: Bench, change: Callable, reason: GuardReason) -> None:
    count, refused = len(moving.link.streamed), moving.driver.refused
    moving.now_s += PERIOD_S
    refusal = moving.command(change(moving.goal_rad))
    assert refusal is not None
    assert refusal.reason is reason
    assert len(moving.link.streamed) == count
    assert moving.driver.refused == refused + 1
    assert moving.driver.last_refusal.startswith(reason.value)


def test_stale_foreign_and_repeated_commands_are_refused(moving: Bench) -> None:
    moving.now_s += PERIOD_S
    assert moving.command(moving.goal_rad, age_s=0.2).reason is GuardReason.STALE
    assert moving.command(moving.goal_rad, epoch=2).reason is GuardReason.WRONG_EPOCH
    moving.sequence = 3
    assert moving.command(moving.goal_rad).reason is GuardReason.OUT_OF_ORDER


def test_the_first_command_must_begin_where_the_arm_is(bench: Bench) -> None:
    bench.commanding = False
    bench.run(0.1)
    refusal = bench.command(HOME + np.deg2rad(1.5))
    assert refusal is not None
    assert refusal.reason is GuardReason.FIRST_COMMAND
    assert bench.command(HOME + np.deg2rad(0.5)) is None


@pytest.mark.parametrize("missing", ["permitting", "commanding", "feeding"])
def test_when_something_goes_missing_the_arm_decelerates_within_limits_and_holds(moving: Bench, missing: str) -> None:
    setattr(moving, missing, False)
    first = len(moving.link.streamed) - 1
    moving.run(0.3, 0.5)
    assert moving.driver.status in (DriverStatus.HOLDING, DriverStatus.STOPPING)
    count = len(moving.link.streamed)
    moving.run(0.1)
    assert len(moving.link.streamed) == count
    setpoints = moving.link.streamed[first:]
    assert setpoints[-1][0] > setpoints[0][0]
    assert largest_deceleration(setpoints) <= 10.0 * 1.01


def test_missing_commands_bring_the_arm_to_rest_within_150_ms(moving: Bench) -> None:
    moving.commanding = False
    before_s = moving.now_s
    moving.run(0.15)
    count = len(moving.link.streamed)
    moving.run(0.2)
    assert len(moving.link.streamed) == count
    assert moving.now_s - before_s == pytest.approx(0.35)


def test_half_a_second_without_commands_latches_and_stops_the_controller(moving: Bench) -> None:
    moving.commanding = False
    moving.run(1.0)
    assert moving.driver.status is DriverStatus.LATCHED
    assert moving.link.requests == [Operation.SLOW_STOP]
    assert "command_missing" in moving.driver.stop_cause
    assert moving.driver.fault == ""


def test_a_latch_ends_only_with_a_new_epoch(moving: Bench) -> None:
    moving.commanding = False
    moving.run(1.0)
    moving.commanding, moving.goal_rad = True, moving.measured_rad
    count = len(moving.link.streamed)
    moving.run(0.2)
    assert len(moving.link.streamed) == count
    moving.epoch, moving.sequence = 2, 0
    moving.run(0.2)
    assert moving.driver.status is DriverStatus.MOVING
    assert len(moving.link.streamed) > count


def test_an_error_of_the_arm_stops_it_and_is_named_until_it_is_gone(moving: Bench) -> None:
    moving.errors = (0x100D,)
    moving.run(0.5, 0.5)
    assert moving.driver.status is DriverStatus.FAULT
    assert moving.driver.fault == "collision detected (0x100D)"
    assert moving.link.requests == [Operation.STOP]
    moving.errors = ()
    moving.run(0.1)
    assert moving.driver.fault == ""
    assert moving.driver.status is DriverStatus.LATCHED


def test_a_new_epoch_does_not_help_while_the_fault_lasts(moving: Bench) -> None:
    moving.errors = (0x100D,)
    moving.run(0.5, 0.5)
    moving.epoch = 2
    count = len(moving.link.streamed)
    moving.run(0.5)
    assert moving.driver.status is DriverStatus.FAULT
    assert len(moving.link.streamed) <= count + 1


def test_a_disabled_joint_is_a_fault(bench: Bench) -> None:
    bench.enabled = 0b1110111
    bench.run(0.05)
    assert bench.driver.fault == "joints 4 are not enabled"


def test_an_arm_that_does_not_follow_is_stopped(bench: Bench) -> None:
    bench.speed_up(0.05)
    bench.follows = False
    bench.run(4.5, 0.05)
    assert bench.driver.status is not DriverStatus.MOVING
    assert "does not follow" in bench.driver.stop_cause


def test_an_arm_that_does_not_get_on_is_a_fault_within_100_ms(moving: Bench) -> None:
    moving.run(0.2, 0.5)
    moving.follows = False
    moving.run(0.1, 0.5)
    assert "does not get on: its joints came 0.0 of" in moving.driver.stop_cause
    count = len(moving.link.streamed)
    moving.run(0.2, 0.5)
    assert np.abs(moving.link.streamed[-1] - moving.measured_rad).max() < np.deg2rad(5.0)
    assert len(moving.link.streamed) - count < 30
    assert moving.link.requests == [Operation.STOP]


def test_an_arm_that_lags_by_less_than_40_ms_gets_on(bench: Bench) -> None:
    bench.follows = False
    bench.run(0.05)
    for i in range(200):
        bench.run(PERIOD_S, 0.5 * min(1.0, 8 * PERIOD_S * i))
        bench.measured_rad = bench.link.streamed[max(0, len(bench.link.streamed) - 8)]
    assert bench.driver.status is DriverStatus.MOVING


def test_a_child_that_does_not_take_setpoints_is_a_fault_while_its_connection_lives(moving: Bench) -> None:
    moving.link.stalled = "the SDK's process has not taken setpoints for 90 ms"
    moving.run(0.3, 0.5)
    assert moving.driver.status is DriverStatus.LATCHED
    assert "has not taken setpoints" in moving.driver.stop_cause


def test_only_a_motion_that_begins_where_the_arm_is_measured_says_so(moving: Bench) -> None:
    assert moving.link.begins == 1
    moving.commanding = False
    moving.run(0.15)
    moving.commanding, moving.goal_rad = True, moving.link.streamed[-1]
    moving.run(0.1)
    assert moving.driver.status is DriverStatus.MOVING
    assert moving.link.begins == 1


def test_the_driver_says_what_its_controller_holds(bench: Bench) -> None:
    assert bench.driver.held_rad == []
    bench.speed_up()
    np.testing.assert_array_equal(bench.driver.held_rad, bench.link.streamed[-1])
    bench.errors = (0x100D,)  # the controller stops by itself, nobody knows where
    bench.commanding = False
    bench.run(0.6)
    assert bench.driver.held_rad == []


def test_refusals_are_told_apart_by_kind(moving: Bench) -> None:
    before = moving.driver.refused_by_kind
    moving.now_s += PERIOD_S
    moving.command(moving.goal_rad, epoch=9)
    moving.command(moving.goal_rad + 0.5)
    assert moving.driver.refused_by_kind == before | {"wrong_epoch": 1, "step": 1}
    assert moving.driver.limit_violations == 1


def test_somebody_else_who_moves_the_arm_is_named(moving: Bench) -> None:
    moving.status = 2
    moving.run(0.3, 0.5)
    assert "somebody else moves the arm" in moving.driver.stop_cause


def test_a_command_that_comes_too_early_waits_for_the_tick_and_is_not_lost(moving: Bench) -> None:
    for _ in range(3):
        moving.goal_rad = moving.goal_rad + np.eye(7)[0] * 0.5 * PERIOD_S
        assert moving.command(moving.goal_rad) is None
    assert moving.link.streamed[-1] != pytest.approx(moving.goal_rad)
    moving.commanding = False
    for _ in range(4):
        moving.run(PERIOD_S)
    assert moving.link.streamed[-1][0] >= moving.goal_rad[0]


def test_an_arm_that_something_holds_away_from_its_setpoint_at_rest_latches_and_nothing_leaps(moving: Bench) -> None:
    moving.commanding = False
    moving.run(0.15)
    assert moving.driver.status is DriverStatus.HOLDING
    count = len(moving.link.streamed)
    moving.follows = False
    moving.measured_rad = moving.measured_rad + np.eye(7)[4] * np.deg2rad(8.0)
    moving.run(PERIOD_S)
    refusal = moving.command(moving.measured_rad)  # a commander begins again where the arm is
    assert refusal is not None
    assert refusal.reason is GuardReason.FIRST_COMMAND
    moving.run(0.35)
    assert moving.driver.status is DriverStatus.FAULT
    assert "something holds the arm: it rests 8.0 deg from its setpoint, allowed 3.0" in moving.driver.stop_cause
    assert len(moving.link.streamed) == count


@pytest.mark.parametrize("way", ["drag mode", "clear_errors"])
def test_an_arm_led_by_hand_begins_where_it_is_and_only_then(moving: Bench, way: str) -> None:
    moving.commanding = False
    moving.run(1.0)
    moving.follows = False
    moving.measured_rad = moving.measured_rad + np.eye(7)[4] * np.deg2rad(8.0)
    moving.run(0.5)
    assert "rests 8.0 deg from its setpoint" in moving.driver.fault
    moving.epoch, moving.sequence, moving.goal_rad, moving.commanding = 2, 0, moving.measured_rad, True
    moving.run(0.2)
    assert moving.driver.status is DriverStatus.FAULT
    if way == "drag mode":
        moving.status = 12
        moving.run(PERIOD_S)
        moving.status = 0
    else:
        moving.driver.clear_errors()
    moving.run(2 * PERIOD_S)
    assert moving.driver.status is DriverStatus.MOVING
    np.testing.assert_array_equal(moving.link.streamed[-1], moving.measured_rad)


def test_a_lost_connection_is_a_fault_and_coming_back_does_not_move_the_arm(moving: Bench) -> None:
    moving.link.state, moving.link.problem = LinkState.DOWN, "no state push"
    moving.feeding = False
    moving.run(0.5, 0.5)
    assert moving.driver.status is DriverStatus.DISCONNECTED
    assert moving.driver.fault == "no connection: no state push"
    moving.link.state, moving.feeding = LinkState.UP, True
    moving.goal_rad = moving.measured_rad
    count = len(moving.link.streamed)
    moving.run(0.5)
    assert moving.driver.status is DriverStatus.LATCHED
    assert len(moving.link.streamed) == count


def test_closing_comes_to_rest_and_ignores_permits_until_reopened(moving: Bench) -> None:
    moving.driver.close("deactivated")
    moving.run(0.5, 0.5)
    assert moving.driver.at_rest
    moving.epoch = 2
    moving.run(0.2)
    assert moving.driver.status is DriverStatus.LATCHED
    moving.driver.reopen()
    moving.epoch, moving.sequence, moving.goal_rad = 3, 0, moving.measured_rad
    moving.run(0.2)
    assert moving.driver.status is DriverStatus.MOVING


def test_cadence_reports_feedback_and_commands(moving: Bench) -> None:
    moving.run(1.0)
    feedback_hz, command_hz, _ = moving.driver.cadence
    assert feedback_hz == pytest.approx(200.0, rel=0.01)
    assert command_hz == pytest.approx(200.0, rel=0.01)


def test_a_fault_before_the_first_arming_leaves_nothing_to_clear(bench: Bench) -> None:
    bench.permitting = bench.commanding = False
    bench.link.state, bench.link.problem = LinkState.CONNECTING, "no answer"
    bench.run(0.1)
    assert bench.driver.status is DriverStatus.DISCONNECTED
    bench.link.state = LinkState.UP
    bench.run(0.1)
    assert bench.driver.status is DriverStatus.HOLDING
    assert bench.driver.stop_cause == ""
