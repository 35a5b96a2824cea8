"""Joint trajectories of other programs: read and refused, followed through the drivers' guards, and ended by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_robot import FakeRobot

from vitra_control.joint_trajectory import JointTrajectory, TrajectoryPoints, TrajectoryRefusedError, read_trajectory
from vitra_control.setpoints import Mode
from vitra_control.settings import GeneratorSettings
from vitra_description.names import arm_joints
from vitra_description.postures import home
from vitra_policy.action_space import Side

NAMES = arm_joints("right")
LIMITS = GeneratorSettings().arm_limits
HOME = home("right")
GOAL = HOME + [0.2, -0.15, 0.1, 0.1, 0.2, 0.1, -0.3]


def made(side: Side = Side.RIGHT, goal: Any = None, seconds: float = 2.0) -> JointTrajectory:
    start = home(side)
    goal = start + (GOAL - HOME if side is Side.RIGHT else HOME - GOAL) if goal is None else goal
    points = TrajectoryPoints(
        arm_joints(side), [0.0, seconds / 2, seconds], [start, (start + goal) / 2, goal], [[]] * 3
    )
    return read_trajectory(side, points, start, LIMITS)


def robot(**more: Any) -> FakeRobot:
    one = FakeRobot(**more)
    one.arm_and_settle()
    return one


def test_it_goes_through_its_points_in_the_joints_own_order_and_rests_at_both_ends() -> None:
    order = [3, 0, 6, 1, 2, 5, 4]
    middle = (HOME + GOAL) / 2
    points = [p[order] for p in (HOME, middle, GOAL)]
    given = TrajectoryPoints([NAMES[i] for i in order], [0.0, 1.0, 2.0], points, [[], [], []])
    read = read_trajectory(Side.RIGHT, given, HOME, LIMITS)
    for time_s, point in ((0.0, HOME), (1.0, middle), (2.0, GOAL), (9.0, GOAL)):
        np.testing.assert_allclose(read.at(time_s)[0], point, atol=1e-12)
    assert np.abs(read.at(0.0)[1]).max() == np.abs(read.at(2.0)[1]).max() == 0
    assert read.at(1.0)[1][0] > 0.05, "it does not stop on the way"


def test_a_first_point_later_than_the_start_is_led_up_to() -> None:
    read = read_trajectory(Side.RIGHT, TrajectoryPoints(NAMES, [1.5], [GOAL], [[]]), HOME, LIMITS)
    np.testing.assert_allclose(read.at(0.0)[0], HOME)
    assert read.duration_s == 1.5


def test_one_point_at_once_is_where_it_rests() -> None:
    read = read_trajectory(Side.RIGHT, TrajectoryPoints(NAMES, [0.0], [HOME], [[]]), HOME, LIMITS)
    for time_s in (0.0, 1.0):
        np.testing.assert_array_equal(read.at(time_s), (HOME, np.zeros(7)))


def test_a_limit_exceeded_for_one_sample_of_a_long_trajectory_is_found() -> None:
    times = np.linspace(0.0, 100.0, 500)
    speeds = np.zeros((500, 7))
    speeds[321] = 4.0
    given = TrajectoryPoints(NAMES, times, np.tile(HOME, (500, 1)), speeds)
    with pytest.raises(TrajectoryRefusedError, match="velocity limit"):
        read_trajectory(Side.RIGHT, given, HOME, LIMITS)


def test_a_leap_between_two_looks_at_a_long_trajectory_is_found() -> None:
    """Two points a millisecond apart, where the check's own grid has none."""
    points = TrajectoryPoints(NAMES, [0.0, 5.0041, 5.0051, 9.0], [HOME, HOME, GOAL, GOAL], [[0.0] * 7] * 4)
    with pytest.raises(TrajectoryRefusedError, match="velocity limit"):
        read_trajectory(Side.RIGHT, points, HOME, LIMITS)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"names": NAMES[:6]}, "Joints must be right_joint_1"),
        ({"names": arm_joints("left")}, "Joints must be right_joint_1"),
        ({"times": [0.0, 0.0]}, "Times must rise"),
        ({"times": [0.0, 1e4]}, "Times must rise"),
        ({"times": [0.0, float("nan")]}, "finite"),
        ({"points": [HOME, GOAL * np.nan]}, "finite"),
        ({"points": [HOME, GOAL[:6]]}, "needs 7 positions"),
        ({"points": [HOME + 0.2, GOAL]}, "starts 0.20 rad from where the right arm is"),
        ({"times": [0.0, 0.1]}, "velocity limit"),
        ({"points": [HOME, HOME + 3.0], "times": [0.0, 60.0]}, "position limit"),
        ({"points": [HOME, HOME * 0 + 1e308], "times": [0.0, 60.0]}, "position limit"),
        (
            {"times": [0.0, 1.0, 2.0], "points": [HOME, HOME, GOAL], "speeds": [[0.0] * 7, [1e308] * 7, [0.0] * 7]},
            "limit by",
        ),
        ({"times": [0.0, 0.001]}, "velocity limit"),
        ({"times": [0.0, 5e-324]}, "velocity limit"),
        ({"speeds": [[0.0] * 3, []]}, "needs 7 velocities"),
        ({"speeds": [[0.0] * 7, [0.0] * 6 + [-0.1]]}, "must end at rest"),
        ({"times": [], "points": [], "speeds": []}, "1 to 500 points"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_reason(change: dict[str, Any], says: str) -> None:
    given = {"names": NAMES, "times": [0.0, 2.0], "points": [HOME, GOAL], "speeds": [[], []]} | change
    with pytest.raises(TrajectoryRefusedError, match=says):
        read_trajectory(
            Side.RIGHT,
            TrajectoryPoints(given["names"], given["times"], given["points"], given["speeds"]),
            HOME,
            LIMITS,
        )


def test_the_arm_follows_it_through_the_guard_and_chunks_are_followed_again_afterwards() -> None:
    one = robot()
    trajectory = made()
    assert one.generator.begin_trajectory(Side.RIGHT, trajectory, one.now_s) == ""
    farthest = 0.0
    for tick in range(1, 400):
        one.run(0.005)
        target = trajectory.at(max(tick * 0.005 - one.generator._arms._joints.delay_s, 0.0))[0]
        farthest = max(farthest, float(np.abs(one.arms[Side.RIGHT].position - target).max()))
    assert farthest < 0.01, "it is where the trajectory is, a cycle or two late"
    one.run(0.5)
    results = one.generator.take_trajectory_results()
    assert results[Side.RIGHT].success, results
    assert one.generator.take_trajectory_results() == {}
    np.testing.assert_allclose(one.arms[Side.RIGHT].position, GOAL, atol=3e-3)
    assert one.refused == {}
    assert one.generator.mode is Mode.FOLLOWING
    before = one.wrist()[:3, 3].copy()
    one.generator.offer(one.chunk((0.05, 0.0, 0.0)), one.now_s)
    one.run(0.6)
    assert one.wrist()[0, 3] > before[0] + 0.01
    assert one.refused == {}


def test_it_is_refused_while_a_policy_holds_the_arm_and_taken_when_that_is_over() -> None:
    one = robot()
    one.generator.offer(one.chunk((0.02, 0.0, 0.0)), one.now_s)
    one.run(0.1)
    assert "a policy or a teleoperator holds the arms" in one.generator.begin_trajectory(Side.RIGHT, made(), one.now_s)
    one.run(0.8)
    assert "holds the arms" in one.generator.trajectory_refusal(Side.RIGHT, one.now_s), "between two chunks"
    one.run(1.5)
    assert one.generator.trajectory_refusal(Side.RIGHT, one.now_s) == ""


def test_a_run_that_has_sent_no_chunk_yet_holds_the_arms_too() -> None:
    one = robot(sides=(Side.LEFT, Side.RIGHT))
    one.generator.begin_trajectory(Side.LEFT, made(Side.LEFT), one.now_s)
    one.generator.policy_runs = True
    assert "run is under way" in one.generator.begin_trajectory(Side.RIGHT, made(), one.now_s), "beside another one"
    one.run(3.0)
    assert one.generator.take_trajectory_results()[Side.LEFT].success, "what had begun goes on to its end"
    assert "policy/stop" in one.generator.begin_trajectory(Side.RIGHT, made(), one.now_s)
    one.generator.policy_runs = False
    assert one.generator.begin_trajectory(Side.RIGHT, made(), one.now_s) == ""


def test_chunks_during_a_trajectory_are_dropped() -> None:
    one = robot()
    one.generator.begin_trajectory(Side.RIGHT, made(), one.now_s)
    one.run(0.5)
    assert one.generator.offer(one.chunk((0.2, 0.0, 0.0)), one.now_s) == {}
    one.run(2.2)
    np.testing.assert_allclose(one.arms[Side.RIGHT].position, GOAL, atol=3e-3)


def test_without_a_permit_nothing_begins_and_a_stop_ends_it() -> None:
    asleep = FakeRobot()
    assert "not armed" in asleep.generator.begin_trajectory(Side.RIGHT, made(), asleep.now_s)
    one = robot()
    one.generator.begin_trajectory(Side.RIGHT, made(), one.now_s)
    one.run(0.5)
    one.allow(allowed=False)
    one.run(0.3)
    (result,) = one.generator.take_trajectory_results().values()
    assert not result.success
    assert "permit was withdrawn" in result.message
    rested = one.arms[Side.RIGHT].position.copy()
    one.allow(epoch=2)
    one.run(1.0)
    np.testing.assert_allclose(one.arms[Side.RIGHT].position, rested, atol=1e-6)


def test_a_cancel_brings_the_arm_to_rest_within_its_limits() -> None:
    one = robot()
    one.generator.begin_trajectory(Side.RIGHT, made(), one.now_s)
    one.run(1.0)
    where = one.arms[Side.RIGHT].position.copy()
    one.generator.cancel_trajectory(Side.RIGHT)
    one.run(0.6)
    result = one.generator.take_trajectory_results()[Side.RIGHT]
    assert (result.success, result.message) == (False, "canceled")
    assert np.abs(one.arms[Side.RIGHT].position - where).max() < 0.05
    assert one.refused == {}
    assert one.generator.mode is Mode.FOLLOWING


def test_two_arms_follow_their_own_and_a_second_one_for_the_same_arm_is_refused() -> None:
    one = robot(sides=(Side.LEFT, Side.RIGHT))
    assert one.generator.begin_trajectory(Side.LEFT, made(Side.LEFT), one.now_s) == ""
    one.run(0.4)
    assert one.generator.begin_trajectory(Side.RIGHT, made(), one.now_s) == ""
    assert "another trajectory" in one.generator.begin_trajectory(Side.RIGHT, made(), one.now_s)
    one.run(3.0)
    results = one.generator.take_trajectory_results()
    assert {side: result.success for side, result in results.items()} == {Side.LEFT: True, Side.RIGHT: True}
    np.testing.assert_allclose(one.arms[Side.LEFT].position, home("left") + HOME - GOAL, atol=3e-3)


def test_a_way_through_the_table_is_held_and_said() -> None:
    one = robot(settings=GeneratorSettings(table_height_m=1.1))
    down = HOME.copy()
    down[1] -= 0.7
    assert one.generator.begin_trajectory(Side.RIGHT, made(goal=down, seconds=6.0), one.now_s) == ""
    one.run(8.0)
    result = one.generator.take_trajectory_results()[Side.RIGHT]
    assert not result.success
    assert "table" in result.message
    assert one.refused == {}
    assert one.generator.mode is Mode.FOLLOWING


def test_a_speed_share_slows_a_trajectory_down_and_takes_no_arm_off_it() -> None:
    one = robot()
    one.generator.set_speed_share(0.5)
    one.run(1.0)
    trajectory = made()
    one.generator.begin_trajectory(Side.RIGHT, trajectory, one.now_s)
    one.run(2.0)
    half = one.arms[Side.RIGHT].position
    np.testing.assert_allclose(half, trajectory.at(1.0)[0], atol=0.02)
    one.run(2.6)
    assert one.generator.take_trajectory_results()[Side.RIGHT].success
    np.testing.assert_allclose(one.arms[Side.RIGHT].position, GOAL, atol=3e-3)
