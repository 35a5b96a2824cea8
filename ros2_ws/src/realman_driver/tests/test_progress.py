"""The watch over an arm's progress, on made-up samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from realman_driver.progress import ProgressWatch

PERIOD_S = 0.005
SPEED_RAD_S = np.deg2rad([22.0, 1.0, 7.0, 12.0, 23.0, 6.0, 20.0])
Array = np.ndarray


def watched(measured: Callable[[float, Array], Array], seconds: float = 0.6) -> str:
    """What the watch says of an arm told to move steadily; `measured` makes its joints of the time and the way told."""
    watch, told = ProgressWatch(), lambda s: SPEED_RAD_S * max(s, 0.0)
    for tick in range(round(seconds / PERIOD_S)):
        now_s = tick * PERIOD_S
        watch.sent(told(now_s), now_s)
        if said := watch.measured(measured(now_s, told(now_s - 0.02)), now_s):
            return said
    return ""


def test_an_arm_that_follows_gets_on() -> None:
    assert watched(lambda _, way: way) == ""


def test_an_arm_that_stands_while_it_is_told_to_move_does_not() -> None:
    said = watched(lambda s, way: way if s < 0.2 else SPEED_RAD_S * 0.18)
    assert "does not get on: its joints came 0.0 of" in said


def test_a_touched_finger_that_turns_one_joint_back_is_no_stall() -> None:
    def pushed(s: float, way: Array) -> Array:
        push = np.zeros(7)
        push[4] = np.deg2rad(2.0) * np.sin(2 * np.pi * s / 0.5)  # a box pushed it ahead, then back
        return way - np.abs(push)

    assert watched(pushed) == ""


def test_one_joint_that_stands_alone_is_left_to_the_tracking_error() -> None:
    assert watched(lambda s, way: np.where(np.arange(7) == 4, 0.0, way)) == ""
