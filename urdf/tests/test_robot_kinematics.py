"""Kinematics for policies that speak of joints or fingertips: there and back, and fingertips met closely."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_description.fingertip_ik import measure, measure_human
from vitra_description.limits import HAND_LIMITS
from vitra_description.postures import home, open_hand
from vitra_description.robot_kinematics import Robot, make_robot
from vitra_policy.action_space import SIDES
from vitra_policy.policies.robot import RobotUnknownError, find_robot


@pytest.fixture(scope="module")
def robot() -> Robot:
    return make_robot()


def test_a_policy_finds_the_robot_without_importing_it() -> None:
    assert isinstance(find_robot(), Robot)
    with pytest.raises(RobotUnknownError, match="Unknown robot 'other'"):
        find_robot(name="other")


@pytest.mark.parametrize("side", [s.value for s in SIDES])
def test_arm_joints_give_a_wrist_and_the_wrist_gives_the_joints(robot: Robot, side: str) -> None:
    near = home(side) + 0.05
    pose = robot.camera_from_wrist(side, near)  # type: ignore[arg-type]
    found = robot.arm_for_wrist(side, pose, home(side))  # type: ignore[arg-type]
    np.testing.assert_allclose(robot.camera_from_wrist(side, found), pose, atol=1e-3)  # type: ignore[arg-type]
    assert np.abs(found - near).max() < 0.2


@pytest.mark.parametrize("side", [s.value for s in SIDES])
def test_fingers_point_where_the_policys_hand_has_them(robot: Robot, side: str) -> None:
    """Right fingers along -x of the wrist frame, left along +x; the thumb on the side of +z."""
    tips = robot.fingertips(side, open_hand())  # type: ignore[arg-type]
    along = -1 if side == "right" else 1
    assert (tips[1:, 0] * along > 0.12).all()
    assert tips[1, 2] > tips[4, 2]


@pytest.mark.parametrize("side", [s.value for s in SIDES])
def test_the_median_fingertip_error_over_the_workspace_is_below_8_mm(side: str) -> None:
    reachable, beside = measure(side, samples=40), measure(side, samples=40, noise_m=0.005)
    assert reachable.median_m < 2e-4
    assert reachable.p95_m < 2e-3
    assert beside.median_m < 8e-3


@pytest.mark.parametrize("side", [s.value for s in SIDES])
def test_of_a_human_hands_fingertips_the_nearest_reachable_points_are_taken(side: str) -> None:
    assert measure_human(side, samples=20).median_m < 14e-3


def test_along_a_path_joints_do_not_leap_and_stay_within_limits(robot: Robot) -> None:
    q = open_hand()
    way = np.linspace(0, 1, 30)[:, None] * np.array([0.0, 0.3, 0.4, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9])
    seed = q
    for step in way:
        found = robot.hand_for_fingertips("right", robot.fingertips("right", q + step), seed)
        assert np.abs(found - seed).max() < 0.12
        assert (found >= HAND_LIMITS.lower_rad - 1e-9).all()
        assert (found <= HAND_LIMITS.upper_rad + 1e-9).all()
        seed = found
    np.testing.assert_allclose(robot.fingertips("right", seed), robot.fingertips("right", q + way[-1]), atol=2e-4)
