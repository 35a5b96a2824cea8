"""An arm that is not where its setpoints are: a moment's error is forgiven, three looks in a row are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_robot import FakeRobot

from vitra_control.setpoints import Feedback
from vitra_control.settings import ARM_PERIOD_S
from vitra_policy.action_space import Side

TOO_FAR_RAD = 0.25
TICKS_BETWEEN_LOOKS = 10


class SlippingRobot(FakeRobot):
    """Reports its arm this far from where it is."""

    slip_rad = 0.0

    def feedback(self, side: Side) -> Feedback | None:
        told = super().feedback(side)
        return told and replace(told, arm_rad=told.arm_rad + self.slip_rad * np.eye(7)[2])

    def tick(self, ticks: int) -> bool:
        """Whether setpoints came all the time."""
        count = len(self.setpoints)
        self.run(ticks * ARM_PERIOD_S)
        return all(one is not None for one in self.setpoints[count:])


@pytest.fixture
def slipping() -> SlippingRobot:
    made = SlippingRobot()
    made.arm_and_settle()
    assert made.setpoints[-1] is not None
    return made


def test_an_arm_that_stays_away_is_stopped_at_the_third_look(slipping: SlippingRobot) -> None:
    slipping.slip_rad = TOO_FAR_RAD
    assert slipping.tick(2 * TICKS_BETWEEN_LOOKS), "two looks are forgiven"
    assert not slipping.tick(TICKS_BETWEEN_LOOKS)
    assert "the arm does not follow (0.25 rad away)" in slipping.generator.limits()


def test_a_look_that_finds_it_in_place_begins_the_count_anew(slipping: SlippingRobot) -> None:
    for _ in range(4):
        slipping.slip_rad = TOO_FAR_RAD
        assert slipping.tick(2 * TICKS_BETWEEN_LOOKS)
        slipping.slip_rad = 0.0
        assert slipping.tick(TICKS_BETWEEN_LOOKS)


def test_an_error_at_the_limit_is_allowed_for_any_time(slipping: SlippingRobot) -> None:
    slipping.slip_rad = slipping.settings.max_tracking_error_rad - 1e-9
    assert slipping.tick(6 * TICKS_BETWEEN_LOOKS)
