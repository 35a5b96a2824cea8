"""The setpoint stream at its bounds: exact times and distances, and what is remembered for how long."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_description.limits import JointLimits
from vitra_safety.guard import GuardSettings
from vitra_safety.motion_gate import MotionState
from vitra_safety.setpoint_stream import Beginning, SetpointStream

PERIOD_S = 0.005
LIMITS = JointLimits.build([-4.0], [4.0], [1.0], [8.0])
SETTINGS = GuardSettings(LIMITS, PERIOD_S, max_step_rad=0.5, first_command_rad=0.5)


def measured(rest_error_rad: float = np.inf, at_rad: float = 0.0, now_s: float = 64.0) -> SetpointStream:
    """A stream that has measured its joint."""
    stream = SetpointStream(SETTINGS, rest_error_rad=rest_error_rad)
    stream.on_feedback([at_rad], now_s)
    return stream


class Drive:
    """A joint that follows what is sent at once, and commands that speed up to a speed and stay there."""

    def __init__(self, stream: SetpointStream) -> None:
        self.stream, self.now_s, self.sequence = stream, 64.0, 0
        self.command_rad = self.speed_rad_s = 0.0
        self.sent_rad: list[float] = []

    def run(self, ticks: int, top_rad_s: float | None, behind_rad: float = 0.0) -> MotionState:
        """Feedback, permit and a command (None: none) for each tick; the joint is measured `behind_rad`."""
        for _ in range(ticks):
            self.now_s += PERIOD_S
            self.stream.on_feedback([(self.sent_rad or [0.0])[-1] - behind_rad], self.now_s)
            self.stream.on_permit(1, True, self.now_s)
            if top_rad_s is not None:
                self.sequence += 1
                self.speed_rad_s = min(top_rad_s, self.speed_rad_s + 7.9 * PERIOD_S)
                self.command_rad += self.speed_rad_s * PERIOD_S
                said = {"sequence": self.sequence, "epoch": 1, "age_s": 0.0, "now_s": self.now_s}
                assert self.stream.on_command([self.command_rad], **said) is None  # type: ignore[arg-type]
            if (setpoint := self.stream.tick(self.now_s)) is not None:
                self.sent_rad.append(float(setpoint[0]))
        return self.stream.state


def test_a_stop_begins_with_the_speed_there_is_also_within_the_tolerance_above_the_limit() -> None:
    drive = Drive(measured())
    assert drive.run(50, 1.04) is MotionState.MOVING
    drive.run(60, None)
    velocity = np.diff(drive.sent_rad) / PERIOD_S
    assert velocity.max() == pytest.approx(1.04)
    assert -np.diff(velocity).min() / PERIOD_S <= 8.0 + 1e-6, "no leap down to the limit"
    assert drive.sent_rad[-1] > drive.command_rad


def test_while_it_moves_a_joint_that_lags_behind_is_no_reason_to_withdraw_the_permit() -> None:
    drive = Drive(measured(rest_error_rad=0.01))
    drive.run(20, 0.5)
    assert drive.run(20, 0.5, behind_rad=0.05) is MotionState.MOVING


@pytest.mark.parametrize(("rest_error_rad", "begins"), [(0.25, True), (np.nextafter(0.25, 0.0), False)])
def test_a_motion_begins_up_to_exactly_the_distance_at_which_something_holds_the_device(
    rest_error_rad: float, begins: bool
) -> None:
    stream = measured(rest_error_rad)
    assert stream.recall([0.25], within_rad=1.0)
    stream.on_permit(1, True, 64.0)
    assert (stream.gate.epoch == 1) is begins


@pytest.mark.parametrize(("within_rad", "can_be"), [(0.25, True), (np.nextafter(0.25, 0.0), False)])
def test_what_is_exactly_as_far_as_it_may_be_was_held(within_rad: float, can_be: bool) -> None:
    assert measured().recall([0.25], within_rad) is can_be


def test_what_was_recalled_is_held_until_something_else_moves_the_device() -> None:
    stream = measured()
    stream.recall([0.1], within_rad=1.0)
    for tick in range(5):
        assert stream.tick(64.0 + tick * PERIOD_S) is None
    assert stream.held_rad == [0.1]
    stream.forget_held()
    assert stream.held_rad is None
    assert stream.start_rad == [0.0]


def test_what_is_to_be_forgotten_in_motion_is_forgotten_when_the_device_rests() -> None:
    drive = Drive(measured())
    drive.run(20, 0.5)
    drive.stream.forget_held()
    assert drive.run(1, 0.5) is MotionState.MOVING
    assert drive.stream.held_rad is not None
    assert drive.run(60, None) is MotionState.HOLDING
    assert drive.stream.held_rad is None


def test_who_was_forgotten_begins_where_it_is_measured() -> None:
    stream = measured()
    stream.recall([0.1], within_rad=1.0)
    stream.forget_held()
    stream.on_permit(1, True, 64.0)
    assert stream.on_command([0.0], sequence=1, epoch=1, age_s=0.0, now_s=64.0) is None
    assert stream.tick(64.0) is not None
    assert stream.begins is Beginning.MEASURED


def test_only_a_beginning_is_true() -> None:
    """The process beside the driver asks whether a setpoint begins a motion."""
    assert [bool(one) for one in (Beginning.NONE, Beginning.MEASURED, Beginning.HELD)] == [False, True, True]
    assert len(Beginning) == 3


def test_a_setpoint_may_leave_a_billionth_of_a_second_early_and_no_earlier() -> None:
    for now_s, leaves in ((PERIOD_S - 1e-9, True), (PERIOD_S - 1.1e-9, False)):
        stream = measured(now_s=0.0)
        stream.on_permit(1, True, 0.0)
        stream.on_command([0.0], sequence=1, epoch=1, age_s=0.0, now_s=0.0)
        assert stream.tick(0.0) is not None
        stream.on_command([0.0], sequence=2, epoch=1, age_s=0.0, now_s=0.0)
        assert (stream.tick(now_s) is not None) is leaves


def test_who_does_not_say_who_it_is_is_source_zero_for_permits_and_for_commands() -> None:
    stream = measured()
    stream.on_permit(1, True, 64.0)
    stream.on_permit(1, True, 64.0, source=0)
    said = {"epoch": 1, "age_s": 0.0, "now_s": 64.0}
    assert stream.on_command([0.0], sequence=1, **said) is None  # type: ignore[arg-type]
    assert stream.on_command([0.0], sequence=2, source=0, **said) is None  # type: ignore[arg-type]
    assert stream.gate.cause is None
