"""Fingers do not leap when the clutch engages."""

from __future__ import annotations

import numpy as np

from vitra_teleop.finger_anchor import FingerAnchor

ROBOT, OPERATOR = np.full(12, 1.7), np.zeros(12)


def test_engaging_moves_no_finger_and_a_still_operator_none_either() -> None:
    anchor = FingerAnchor(ROBOT, OPERATOR)
    for _ in range(100):
        np.testing.assert_array_equal(anchor(OPERATOR), ROBOT)


def test_the_robot_is_where_the_operator_asks_once_he_has_moved_as_far_as_they_were_apart() -> None:
    anchor = FingerAnchor(ROBOT, OPERATOR)
    asked = [anchor(np.full(12, angle)) for angle in (*np.linspace(0, 1, 51), *np.linspace(1, 0, 51))]
    steps = np.abs(np.diff(np.array(asked), axis=0)).max()
    assert steps <= 2 * 0.02 + 1e-12
    np.testing.assert_allclose(asked[-1], 0.0, atol=1e-12)
