"""Measured positions that cannot be true are no feedback."""

from __future__ import annotations

import math

import numpy as np
import pytest

from realman_driver.plausible import PositionCheck
from vitra_description.postures import home

HOME_DEG = tuple(np.rad2deg(home("left")).tolist())


@pytest.fixture
def check() -> PositionCheck:
    made = PositionCheck()
    assert made.start(HOME_DEG, 5.0) == ""
    return made


@pytest.mark.parametrize(
    "position", [(), HOME_DEG[:6], (*HOME_DEG[:6], 2_147_483.0), (math.nan, *HOME_DEG[1:]), (0.0,) * 7]
)
def test_missing_short_and_impossible_positions_are_refused(check: PositionCheck, position: tuple) -> None:
    assert not check.accepts(position, 5.005)
    assert check.refused == 1
    assert check.last_deg == HOME_DEG
    assert check.accepts(HOME_DEG, 5.01)


def test_joints_may_come_as_far_as_they_can_move_meanwhile(check: PositionCheck) -> None:
    moved = (HOME_DEG[0] + 10.0, *HOME_DEG[1:])
    assert not check.accepts(moved, 5.005)
    assert check.accepts(moved, 5.1)


def test_the_first_positions_come_from_a_query_and_must_be_possible_too() -> None:
    assert "cannot reach" in PositionCheck().start((400.0,) * 7, 0.0)
