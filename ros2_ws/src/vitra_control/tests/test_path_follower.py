"""Where a path that has changed begins."""

from __future__ import annotations

import numpy as np

from vitra_control.joint_follower import JointFollower
from vitra_control.joint_path import JointPath
from vitra_control.path_follower import PathFollower
from vitra_control.settings import ARM_PERIOD_S, PATH_SPACING_S
from vitra_description.limits import JointLimits

LIMITS = JointLimits.build([-3.0, -3.0], [3.0, 3.0], 1.0, 8.0)


def following(cycles: int) -> PathFollower:
    """Both joints along a straight path at 0.2 rad/s, for so many cycles."""
    made = PathFollower(JointFollower(LIMITS, 200.0, ARM_PERIOD_S), JointPath(LIMITS, PATH_SPACING_S))
    made.reset(np.zeros(2), 0.0)
    for number in range(1, 60):
        made.path.append(np.full(2, 0.2 * PATH_SPACING_S * number))
    for _ in range(cycles):
        made.take(made.propose())
    return made


def braked(made: PathFollower) -> PathFollower:
    while not made.joints.at_rest:
        made.brake()
    return made


def test_a_robot_that_moves_goes_on_in_its_direction_and_on_its_path() -> None:
    made = following(60)
    here, slope = made.path.position(made.path_s), made.path.slope(made.path_s)
    made.turn()
    np.testing.assert_allclose(made.path.position(made.path_s), here)
    np.testing.assert_allclose(made.path.slope(made.path_s), slope)
    assert slope[0] > 0.1


def test_a_robot_that_was_braked_off_its_path_begins_where_it_is_and_in_no_direction() -> None:
    made = braked(following(60))
    assert made.off_path_rad > 1e-3
    made.turn()
    assert made.off_path_rad == 0.0
    np.testing.assert_array_equal(made.path.slope(made.path_s), 0.0)
