"""The move to the ready posture, against the drivers' own guards, on a fake clock."""

from __future__ import annotations

import numpy as np
from fake_robot import FakeRobot

from vitra_control.driver_watch import Interruption
from vitra_control.setpoints import Mode
from vitra_control.settings import ARM_PERIOD_S
from vitra_description.postures import home, open_hand
from vitra_policy.action_space import Side


def test_home_goes_slowly_to_the_ready_posture_and_reports_back() -> None:
    made = FakeRobot()
    made.arms[Side.RIGHT].position = home("right") + np.array([0.3, -0.2, 0.1, 0.2, -0.4, 0.1, 0.5])
    made.hands[Side.RIGHT].position = open_hand() + 0.1
    made.arm_and_settle()
    assert made.generator.go_home() == ""
    assert "already" in made.generator.go_home()
    assert made.generator.offer(made.chunk((0.0, 0.2, 0.0)), made.now_s) == {}, "chunks are ignored on the way"
    previous = made.arms[Side.RIGHT].position
    for _ in range(1000):
        made.run(ARM_PERIOD_S)
        now = made.arms[Side.RIGHT].position
        assert np.abs(now - previous).max() / ARM_PERIOD_S <= 0.5 * np.deg2rad(45) + 1e-6
        previous = now
        result = made.generator.take_home_result()
        if result:
            break
    assert result is not None
    assert result.success
    np.testing.assert_allclose(made.arms[Side.RIGHT].position, home("right"), atol=2e-3)
    np.testing.assert_allclose(made.hands[Side.RIGHT].position, open_hand(), atol=2e-2)
    assert made.generator.take_home_result() is None
    assert made.refused == {}


def test_home_that_is_asked_for_right_after_a_rearm_begins_once_the_joints_rest() -> None:
    made = FakeRobot()
    made.allow()
    made.run(ARM_PERIOD_S)
    assert made.generator.mode is Mode.SEEDING
    assert made.generator.go_home() == ""
    assert "already" in made.generator.home_refusal()
    made.run(8.0)
    result = made.generator.take_home_result()
    assert result is not None
    assert result.success


def test_home_that_waits_for_rest_does_not_outlive_a_stop() -> None:
    made = FakeRobot()
    made.feedback_age_s = 0.5  # it cannot begin
    made.allow()
    made.run(ARM_PERIOD_S)
    assert made.generator.go_home() == ""
    made.allow(epoch=2)  # a stop and a re-arm, of which it heard only this
    made.run(ARM_PERIOD_S)
    result = made.generator.take_home_result()
    assert result is not None
    assert "a new epoch began" in result.message
    made.feedback_age_s = 0.0
    made.run(1.0)
    assert made.generator.mode is Mode.FOLLOWING


LATE = Interruption("right_arm is stopping by itself: feedback_missing: last feedback 51 ms ago", is_late=True)


def on_the_way() -> FakeRobot:
    made = FakeRobot()
    made.arms[Side.RIGHT].position = home("right") + 0.3
    made.arm_and_settle()
    assert made.generator.go_home() == ""
    made.run(0.5)
    return made


def test_home_goes_on_from_rest_when_something_only_came_late() -> None:
    made = on_the_way()
    made.generator.interrupted(LATE)
    assert made.generator.mode is Mode.SEEDING
    made.run(8.0)
    result = made.generator.take_home_result()
    assert result is not None
    assert result.success
    np.testing.assert_allclose(made.arms[Side.RIGHT].position, home("right"), atol=2e-3)
    assert made.refused == {}


def test_home_is_broken_off_when_a_driver_stops_for_another_reason() -> None:
    made = on_the_way()
    made.generator.interrupted(Interruption("right_arm is stopping by itself: fault: something holds the arm"))
    result = made.generator.take_home_result()
    assert result is not None
    assert "something holds the arm" in result.message
    made.run(2.0)
    assert made.generator.mode is Mode.FOLLOWING


def test_home_does_not_go_on_when_more_than_lateness_is_heard_of_before_the_arms_rest() -> None:
    made = on_the_way()
    made.generator.interrupted(LATE)
    made.generator.interrupted(Interruption("left_arm has stopped and refuses: velocity: joint 3"))
    result = made.generator.take_home_result()
    assert result is not None
    assert "joint 3" in result.message
    made.run(2.0)
    assert made.generator.mode is Mode.FOLLOWING


def test_home_that_is_late_again_and_again_is_broken_off() -> None:
    made = on_the_way()
    for _ in range(4):
        made.generator.interrupted(LATE)
        assert made.generator.take_home_result() is None
        while made.generator.mode is not Mode.HOMING:
            assert made.generator.mode is Mode.SEEDING
            made.run(ARM_PERIOD_S)
    made.generator.interrupted(LATE)
    result = made.generator.take_home_result()
    assert result is not None
    assert not result.success
    made.arm_and_settle()
    assert made.generator.go_home() == ""
    made.run(0.2)
    made.generator.interrupted(LATE)
    assert made.generator.take_home_result() is None, "the next one may be late as often as the first"


def test_home_does_not_wait_longer_for_rest_than_its_operator_would() -> None:
    made = on_the_way()
    made.generator.interrupted(LATE)
    made.feedback_age_s = 0.5
    made.run(4.9)
    assert made.generator.take_home_result() is None
    made.run(0.3)
    result = made.generator.take_home_result()
    assert result is not None
    assert "right: no fresh joint feedback" in result.message
    made.feedback_age_s = 0.0
    made.run(1.0)
    assert made.generator.mode is Mode.FOLLOWING


def lowered(made: FakeRobot, down_m: float) -> np.ndarray:
    """Put the right wrist this much below the ready posture, a bit aside; the pose, (4, 4) in the arm's base."""
    side = made.generator.sides[Side.RIGHT]
    goal = made.wrist()
    goal[:3, 3] += side._base_from_arm[:3, :3].T @ np.array([0.05, 0.03, -down_m])
    q = made.arms[Side.RIGHT].position
    for _ in range(40):
        q = side._solve(goal, q)
    made.arms[Side.RIGHT].position = q
    return made.wrist()


def test_home_rises_straight_up_with_the_fingers_as_they_are_before_it_goes_sideways() -> None:
    made = FakeRobot()
    start = lowered(made, 0.15)
    made.hands[Side.RIGHT].position = np.full(12, 0.17)
    made.arm_and_settle()
    made.generator.go_home()
    base = made.generator.sides[Side.RIGHT]._base_from_arm[:3, :3]
    aside_m, risen_m, result = 0.0, 0.0, None
    while result is None and len(made.setpoints) < 3000:
        made.run(ARM_PERIOD_S)
        away = base @ (made.wrist()[:3, 3] - start[:3, 3])
        risen_m = max(risen_m, away[2])
        if risen_m < 0.14:
            aside_m = max(aside_m, float(np.hypot(*away[:2])))
            np.testing.assert_allclose(made.hands[Side.RIGHT].position, 0.17, atol=1e-3)
        result = made.generator.take_home_result()
    assert result is not None
    assert result.success
    assert aside_m < 0.002
    assert made.refused == {}
    np.testing.assert_allclose(made.arms[Side.RIGHT].position, home("right"), atol=2e-3)


def test_home_in_the_middle_of_a_motion_comes_to_rest_before_it_rises() -> None:
    made = FakeRobot()
    lowered(made, 0.1)
    made.arm_and_settle()
    made.generator.offer(made.chunk((0.0, 0.2, 0.0), steps=60), made.now_s)
    made.run(0.5)
    made.generator.go_home()
    made.run(0.6)
    assert made.generator.take_home_result() is None
    made.run(6.0)
    assert made.generator.take_home_result().success
    assert made.refused == {}


def test_home_is_refused_when_disarmed_and_broken_off_when_the_permit_goes() -> None:
    made = FakeRobot()
    assert "rearm" in made.generator.go_home()
    made.arms[Side.RIGHT].position = home("right") + 0.3
    made.arm_and_settle()
    made.generator.go_home()
    made.run(0.2)
    made.allow(allowed=False)
    made.run(0.02)
    result = made.generator.take_home_result()
    assert not result.success
    assert "permit" in result.message


def test_what_held_the_arms_on_their_path_does_not_cancel_the_rise() -> None:
    made = FakeRobot()
    start = lowered(made, 0.15)
    made.arm_and_settle()
    made.generator._arms.limit = "collision: of a chunk that is over"
    made.generator.go_home()
    up = made.generator.sides[Side.RIGHT]._base_from_arm[2, :3]
    while up @ (made.wrist()[:3, 3] - start[:3, 3]) < 0.1:
        made.run(ARM_PERIOD_S)
        assert made.generator.take_home_result() is None
        away = made.wrist()[:3, 3] - start[:3, 3]
        assert np.linalg.norm(away - up * (up @ away)) < 0.002
