"""A driver that stops by itself is heard at its first word."""

from __future__ import annotations

import pytest

from vitra_control.driver_watch import DriverWatch


def said(*states: str, refused: tuple[int, ...] | None = None) -> str:
    watch = DriverWatch()
    for state, count in zip(states, refused or (0,) * len(states), strict=True):
        watch.see("right_arm", state, "command_missing: last command 101 ms ago", count, "velocity: joint 3")
    interruption = watch.take()
    return interruption.why if interruption else ""


def test_a_driver_that_holds_before_the_first_setpoint_is_no_interruption() -> None:
    assert said("holding", "holding", "moving", "moving") == ""


def test_stopping_is_one_at_once_and_says_why() -> None:
    assert "command_missing" in said("moving", "stopping")


def test_a_stop_that_was_over_before_it_was_heard_of_is_one() -> None:
    assert "has stopped" in said("moving", "holding")
    assert "has stopped" in said("moving", "latched")


def test_a_driver_at_rest_that_refuses_is_one() -> None:
    assert "velocity: joint 3" in said("holding", "holding", refused=(0, 4))
    assert said("moving", "moving", refused=(0, 4)) == "", "single refusals on the way are the guard's business"


def test_it_is_told_once() -> None:
    watch = DriverWatch()
    watch.see("left_hand", "moving", "", 0, "")
    watch.see("left_hand", "stopping", "", 0, "")
    watch.see("left_hand", "stopping", "", 0, "")
    assert "left_hand" in watch.take().why
    assert watch.take() is None


@pytest.mark.parametrize(
    ("state", "cause", "is_late"),
    [
        ("stopping", "permit_missing: last permit 103 ms ago, allowed 100 ms", True),
        ("holding", "feedback_missing: last feedback 51 ms ago, allowed 50 ms", True),
        ("stopping", "command_missing: last command 101 ms ago, allowed 100 ms", True),
        ("latched", "command_missing: last command 101 ms ago, allowed 100 ms", False),
        ("stopping", "permit_denied: the supervisor gives no permit", False),
        ("stopping", "fault: something holds the arm", False),
        ("stopping", "", False),
    ],
)
def test_what_only_came_late_is_told_apart(state: str, cause: str, is_late: bool) -> None:
    watch = DriverWatch()
    watch.see("right_arm", "moving", "", 0, "")
    watch.see("right_arm", state, cause, 0, "")
    assert watch.take().is_late is is_late


def test_a_later_word_that_something_was_late_does_not_cover_a_worse_one() -> None:
    watch = DriverWatch()
    for device, cause in (("left_arm", "fault: something holds the arm"), ("right_arm", "command_missing: late")):
        watch.see(device, "moving", "", 0, "")
        watch.see(device, "stopping", cause, 0, "")
    assert not watch.take().is_late
