"""The motion gate at its bounds: ages that are exactly as long as allowed."""

import pytest

from vitra_safety.motion_gate import FreshnessLimits, MotionGate, MotionState, StopCause

EXACT = FreshnessLimits(permit_s=0.125, command_s=0.125, feedback_s=0.0625, latch_s=0.5, source_s=0.5)
"""Sums of powers of two, so that ages come out exactly."""


@pytest.mark.parametrize(("what", "limit_s"), [("permit", 0.125), ("feedback", 0.0625), ("command", 0.125)])
def test_an_input_of_exactly_the_allowed_age_is_fresh(what: str, limit_s: float) -> None:
    gate = MotionGate(EXACT)
    gate.on_permit(1, True, 64.0)
    gate.on_feedback(64.0)
    gate.on_command(64.0)
    assert gate.update(64.0, True) is MotionState.MOVING
    if what != "permit":
        gate.on_permit(1, True, 64.0 + limit_s)
    if what != "feedback":
        gate.on_feedback(64.0 + limit_s)
    if what != "command":
        gate.on_command(64.0 + limit_s)
    assert gate.update(64.0 + limit_s, False) is MotionState.MOVING
    assert gate.update(64.0 + limit_s + 2**-20, False) is MotionState.STOPPING


def test_a_loss_of_exactly_the_allowed_time_latches() -> None:
    gate = MotionGate(EXACT)
    gate.on_permit(1, True, 64.0)
    gate.on_feedback(64.0)
    gate.on_command(64.0)
    gate.update(64.0, True)
    gate.on_permit(1, False, 64.0)
    assert gate.update(64.0, False) is MotionState.STOPPING
    assert gate.update(64.125, True) is MotionState.HOLDING
    assert gate.update(64.5 - 2**-20, True) is MotionState.HOLDING
    assert gate.update(64.5, True) is MotionState.LATCHED


@pytest.mark.parametrize(
    ("age_s", "counts"), [(0.125, True), (0.125 + 2**-20, False), (-0.002, True), (-0.0021, False)]
)
def test_a_permit_may_have_been_on_its_way_for_just_so_long(age_s: float, counts: bool) -> None:
    gate = MotionGate(EXACT)
    gate.on_permit(1, True, 64.0, age_s=age_s)
    gate.on_feedback(64.0)
    assert gate.accepts_commands(64.0) is counts


def test_a_new_epoch_begins_exactly_when_there_has_been_one_supervisor_for_long_enough() -> None:
    for wait_s, begins in ((0.5 - 2**-20, False), (0.5, True)):
        gate = MotionGate(EXACT)
        gate.on_permit(1, True, 64.0, source=1)
        gate.on_permit(1, True, 64.0, source=2)
        gate.update(64.0, True)
        assert gate.on_permit(2, True, 64.0 + wait_s, source=1) is begins


def test_a_supervisor_that_was_silent_for_exactly_long_enough_may_be_replaced() -> None:
    for wait_s, replaced in ((0.5 - 2**-20, False), (0.5, True)):
        gate = MotionGate(EXACT)
        gate.on_permit(1, True, 64.0, source=1)
        gate.update(64.0, True)
        assert gate.on_permit(2, True, 64.0 + wait_s, source=2) is replaced


def test_who_does_not_say_who_it_is_is_source_zero() -> None:
    gate = MotionGate(EXACT)
    gate.on_permit(1, True, 64.0)
    gate.on_permit(1, True, 64.0, source=0)
    assert gate.cause is None
    gate.on_permit(1, True, 64.0, source=1)
    assert gate.cause is StopCause.SECOND_SUPERVISOR
