"""The robot in words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pretend_robot import ARMED, DISARMED, STOPPED, FakeRobot

from vitra_console.operate import words
from vitra_console.operate.robot_view import RobotView
from vitra_control.stop_reason import StopCause


def test_a_stop_says_what_happened_and_what_mends_it() -> None:
    robot = FakeRobot()
    robot.safety(STOPPED, "operator_stop")
    safety = robot.view.page()["safety"]
    assert safety["headline"] == "STOPPED"
    assert safety["cause"].startswith("Somebody pressed STOP.")
    assert "re-arm" in safety["mend"]


def test_what_a_device_says_itself_stands_beside_the_supervisors_cause() -> None:
    robot = FakeRobot()
    robot.view.hear("right_arm", SimpleNamespace(state="fault", fault="something holds the arm", stop_cause=""))
    robot.safety(STOPPED, "driver_latched")
    assert "Something holds the arm." in robot.view.page()["safety"]["cause"]


def test_that_the_permit_is_gone_is_no_news_of_a_device() -> None:
    robot = FakeRobot()
    for part in ("arm", "hand"):
        denied = SimpleNamespace(state="latched", fault="", stop_cause="permit_denied: the supervisor gives no permit")
        robot.view.hear(f"right_{part}", denied)
    robot.safety(STOPPED, "operator_stop")
    assert "permit" not in robot.view.page()["safety"]["cause"].lower()


@pytest.mark.parametrize("cause", list(StopCause))
def test_every_cause_that_the_supervisor_knows_has_words_and_a_mend(cause: StopCause) -> None:
    what, mend = words.stop_words(str(cause), "somebody", "")
    assert str(cause).replace("_", " ") not in what
    assert mend.endswith(".")


def test_a_cause_that_nobody_foresaw_is_shown_as_it_is() -> None:
    assert words.stop_words("new_cause", "who", "why") == ("new cause (who: why)", words._UNKNOWN[1])


def test_stops_are_counted_once_each() -> None:
    robot = FakeRobot()
    for state in (ARMED, STOPPED, STOPPED, ARMED, STOPPED, DISARMED):
        robot.safety(state)
    assert robot.view.stops == 2


def test_joints_near_the_end_of_their_range_are_named() -> None:
    limits = [(-1.0, 1.0)] * 2
    assert (
        words.joint_warning(["right_joint_1", "right_joint_2"], [0.0, 0.95], limits) == "joint 2 is 3° from its limit"
    )
    assert words.joint_warning(["right_joint_1", "right_joint_2"], [0.0, 0.5], limits) == ""


def test_what_is_old_is_not_shown_as_present() -> None:
    now = [0.0]
    view = RobotView(("right",), lambda: now[0])
    view.hear("safety", SimpleNamespace(state=1, stop_cause="", stop_source="", stop_detail="", not_ready=[]))
    view.hear_beat(SimpleNamespace(node="/policy", state=1, detail=""))
    assert view.page()["safety"]["state"] == "armed"
    now[0] = 4.0
    page = view.page()
    assert page["safety"]["state"] == "unknown"
    assert page["diagnostics"] == [{"name": "policy", "level": "error", "message": "silent for 4 s"}]
    assert page["executor"]["words"] == "silent"
