"""The guard at its bounds, and what holds where a caller does not say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vitra_description.limits import JointLimits
from vitra_safety.guard import ARM_GUARD, HAND_GUARD, CommandGuard, GuardReason, GuardSettings

PERIOD_S = 2.0**-7
EXACT = GuardSettings(
    JointLimits.build([-4.0], [4.0], [64.0], [4096.0]),
    period_s=PERIOD_S,
    max_step_rad=0.25,
    first_command_rad=0.5,
    rate_tolerance=0.0,
    slack_s=4 * PERIOD_S,
)
"""Sums of powers of two, so that nothing is rounded."""


class Sender:
    """Commands of one joint, a period apart; says for what each was refused."""

    def __init__(self, settings: GuardSettings = EXACT) -> None:
        self.guard, self.sequence, self.now_s = CommandGuard(settings), 0, 64.0
        self.guard.rearm(1, [0.0])

    def send(self, position_rad: float, **said: int) -> GuardReason | None:
        self.sequence += 1
        self.now_s += PERIOD_S
        fields = {"sequence": self.sequence, "epoch": 1} | said
        refusal = self.guard.check([position_rad], age_s=0.0, now_s=self.now_s, **fields)
        return None if refusal is None else refusal.reason


def test_arms_take_two_hundred_commands_a_second_and_hands_a_hundred() -> None:
    assert (ARM_GUARD.period_s, HAND_GUARD.period_s) == (0.005, 0.01)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_step_of_exactly_what_is_allowed_passes_and_the_next_number_does_not(sign: float) -> None:
    sender = Sender()
    assert sender.send(0.0) is None
    assert sender.send(sign * np.nextafter(0.25, 1.0)) is GuardReason.STEP
    assert sender.send(sign * 0.25) is None


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_first_command_exactly_as_far_as_allowed_passes(sign: float) -> None:
    assert Sender().send(sign * np.nextafter(0.5, 1.0)) is GuardReason.FIRST_COMMAND
    assert Sender().send(sign * 0.5) is None


@pytest.mark.parametrize("speed_rad_s", [8.0, -8.0])
def test_exactly_the_highest_speed_passes_and_the_next_number_does_not(speed_rad_s: float) -> None:
    limits = JointLimits.build([-4.0], [4.0], [8.0], [4096.0])
    sender = Sender(replace(EXACT, limits=limits))
    assert sender.send(0.0) is None
    assert sender.send(speed_rad_s * PERIOD_S * (1 + 2.0**-40)) is GuardReason.VELOCITY
    sender = Sender(replace(EXACT, limits=limits))
    assert sender.send(0.0) is None
    assert sender.send(speed_rad_s * PERIOD_S) is None


def test_a_hardest_start_is_judged_over_the_mean_of_its_interval_and_the_one_before() -> None:
    """Two commands at rest, then one period to 1 rad/s: exactly 128 rad/s^2."""
    for hardest, expected in ((128.0, None), (127.99, GuardReason.ACCELERATION)):
        sender = Sender(replace(EXACT, limits=JointLimits.build([-4.0], [4.0], [64.0], [hardest])))
        assert sender.send(0.0) is None
        assert sender.send(0.0) is None
        assert sender.send(PERIOD_S) is expected


def test_numbers_of_commands_begin_at_zero_and_no_lower() -> None:
    for sequence, expected in ((-2, GuardReason.OUT_OF_ORDER), (-1, GuardReason.OUT_OF_ORDER), (0, None)):
        assert Sender().send(0.0, sequence=sequence) is expected


def test_who_does_not_say_who_it_is_is_source_zero() -> None:
    sender = Sender()
    assert sender.send(0.0) is None
    assert sender.send(0.0, source=0) is None
    assert sender.send(0.0, source=1) is GuardReason.WRONG_SOURCE


def test_who_stands_still_while_the_device_was_led_away_is_ahead_and_has_not_leapt() -> None:
    sender = Sender()
    sender.guard.resync([1.0])
    assert sender.send(1.0) is None
    sender.guard.sent([1.375])
    assert sender.send(1.0) is GuardReason.AHEAD


def test_an_own_step_of_exactly_what_is_allowed_is_no_leap() -> None:
    sender = Sender()
    assert sender.send(0.0) is None
    sender.guard.sent([-0.125])
    assert sender.send(0.25) is GuardReason.AHEAD


def test_before_anything_is_sent_the_guard_stands_still_at_zero() -> None:
    guard = CommandGuard(EXACT)
    np.testing.assert_array_equal(guard.position_rad, [0.0])
    np.testing.assert_array_equal(guard.velocity_rad_s, [0.0])
    assert (guard.accepted, guard.limit_violations) == (0, 0)
