"""How often an arm must be too far from its setpoint before it counts as not following."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_control.setpoints import Feedback
from vitra_control.settings import GeneratorSettings
from vitra_control.tracking_watch import CONSECUTIVE_ERRORS, TrackingWatch
from vitra_policy.action_space import Side

SETTINGS = GeneratorSettings()
LIMIT_RAD = SETTINGS.max_tracking_error_rad


class Bench:
    """One arm whose setpoint is zero, and its measured joints."""

    def __init__(self) -> None:
        self.arm_rad, self.age_s = np.zeros(7), 0.0
        self.watch = TrackingWatch((Side.RIGHT,), SETTINGS, self._feedback)

    def _feedback(self, side: Side) -> Feedback | None:
        return Feedback(arm_rad=self.arm_rad, hand_rad=np.zeros(12), age_s=self.age_s)

    def check(self, error_rad: float = 0.0, age_s: float = 0.0) -> str:
        self.arm_rad = np.zeros(7)
        self.arm_rad[3], self.age_s = error_rad, age_s
        return self.watch.lost(lambda side: np.zeros(7))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_third_error_in_a_row_counts_and_not_the_second(bench: Bench) -> None:
    found = [bench.check(LIMIT_RAD + 0.05) for _ in range(3)]
    assert CONSECUTIVE_ERRORS == 3
    assert found == ["", "", f"right: the arm does not follow ({LIMIT_RAD + 0.05:.2f} rad away)"]


def test_a_good_check_between_begins_the_count_anew(bench: Bench) -> None:
    assert [bench.check(e) for e in (1.0, 1.0, 0.0, 1.0, 1.0)] == [""] * 5
    assert bench.check(-1.0)


def test_the_limit_itself_is_allowed(bench: Bench) -> None:
    assert [bench.check(LIMIT_RAD) for _ in range(5)] == [""] * 5


def test_old_feedback_neither_counts_nor_clears(bench: Bench) -> None:
    assert [bench.check(1.0), bench.check(1.0)] == ["", ""]
    assert bench.check(1.0, age_s=SETTINGS.feedback_timeout_s * 1.01) == ""
    assert bench.check(1.0, age_s=SETTINGS.feedback_timeout_s)


def test_a_reset_forgets_what_was_counted(bench: Bench) -> None:
    bench.check(1.0)
    bench.check(1.0)
    bench.watch.reset()
    assert [bench.check(1.0), bench.check(1.0)] == ["", ""]
    assert bench.check(1.0)


@pytest.mark.parametrize("error_rad", [0.06, -0.01])
def test_an_arm_is_as_far_from_its_setpoints_as_was_measured(bench: Bench, error_rad: float) -> None:
    bench.check(error_rad)
    found = bench.watch.offsets_rad(lambda side: np.full(7, 0.5))
    np.testing.assert_allclose(found[Side.RIGHT], bench.arm_rad - 0.5)


def test_old_feedback_says_nothing_about_where_an_arm_is(bench: Bench) -> None:
    bench.check(0.1, SETTINGS.feedback_timeout_s + 0.01)
    assert bench.watch.offsets_rad(lambda side: np.zeros(7)) == {}
