"""A driver that stops by itself is heard at its first word."""

from __future__ import annotations

from vitra_control.driver_watch import DriverWatch


def said(*states: str, refused: tuple[int, ...] | None = None) -> str:
    watch = DriverWatch()
    for state, count in zip(states, refused or (0,) * len(states), strict=True):
        watch.see("right_arm", state, "command_missing: last command 101 ms ago", count, "velocity: joint 3")
    return watch.take()


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
    assert "left_hand" in watch.take()
    assert watch.take() == ""
