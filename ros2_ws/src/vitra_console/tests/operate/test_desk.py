"""What the desk does with orders."""

from __future__ import annotations

from typing import Any

import pytest
from pretend_robot import ARMED, STOPPED, FakeRobot

from vitra_console.web.server import STALE, Told


@pytest.fixture
def robot() -> FakeRobot:
    return FakeRobot()


def give(robot: FakeRobot, what: str, text: str = "", **said: Any) -> str:
    return robot.desk.order(Told(what, text, "ann", said))


def message(robot: FakeRobot) -> tuple[str, bool]:
    page = robot.desk.state()
    return page["message"], page["message_ok"]


def test_a_whole_task_from_arming_to_a_saved_episode(robot: FakeRobot) -> None:
    assert give(robot, "rearm") == ""
    give(robot, "home")
    give(robot, "record")
    give(robot, "run", "Right hand: Wave.", time_limit_s=5)
    assert robot.desk.state()["policy"]["running"]
    give(robot, "end")
    assert not robot.desk.state()["policy"]["running"]
    give(robot, "save")
    assert message(robot) == ("Saved: runs/sim/episodes/episode_000001", True)
    assert robot.told == [
        "safety_supervisor/rearm_from", "executor/home", "recorder/start", "run Right hand: Wave. 5", "policy/stop",
        "recorder/save",
    ]  # fmt: skip


def test_a_stop_while_rearming_holds(robot: FakeRobot) -> None:
    robot.hold = True
    give(robot, "rearm")
    robot.desk.stop("ann")
    robot.held.pop()()  # the supervisor armed after the stop
    assert robot.told[-1] == "STOP"
    assert robot.view.safety_state == STOPPED
    assert "STOP was pressed while re-arming" in message(robot)[0]


def test_a_rearm_says_in_which_state_it_was_given_so_that_a_newer_stop_refuses_it(robot: FakeRobot) -> None:
    robot.hold = True
    give(robot, "rearm")
    robot.stops += 1  # somebody else's STOP, which this page has not heard of
    robot.held.pop()()
    assert robot.view.safety_state != ARMED
    assert message(robot) == ("Refused: a STOP is newer than this order", False)


def test_nothing_is_rearmed_whose_state_is_not_known(robot: FakeRobot) -> None:
    robot.view._heard.pop("safety")
    assert "silent" in give(robot, "rearm")
    assert "safety_supervisor/rearm_from" not in robot.told


@pytest.mark.parametrize("order", ["rearm", "run", "home", "record", "instruct", "reset"])
def test_an_order_that_still_waits_for_its_turn_when_stop_is_pressed_is_never_sent(
    robot: FakeRobot, order: str
) -> None:
    robot.turns_wait = True
    give(robot, order, "Right hand: Wave.")
    robot.desk.stop("ann")
    robot.turns.pop()()
    assert robot.told == ["STOP"]
    assert message(robot) == (STALE, False)


def test_a_refusal_is_shown_in_the_words_of_who_refused(robot: FakeRobot) -> None:
    robot.refuse["safety_supervisor/rearm_from"] = "not ready: head_camera has no heartbeat"
    give(robot, "rearm")
    assert message(robot) == ("Not ready: head_camera has no heartbeat", False)


def test_one_order_at_a_time_but_a_run_can_always_be_ended(robot: FakeRobot) -> None:
    robot.hold = True
    give(robot, "record")
    assert give(robot, "home") == "Still starting the recorder."
    assert give(robot, "end") == ""


def test_a_run_ends_when_the_simulated_task_is_judged_done(robot: FakeRobot) -> None:
    robot.safety(ARMED)
    give(robot, "run", "Right hand: Wave.")
    robot.desk.watch()
    assert "policy/stop" not in robot.told
    robot.sim(success=True)
    robot.desk.watch()
    assert robot.told[-1] == "policy/stop"
    assert message(robot) == ("The run has ended: the task is done", True)
    assert robot.view.run["result"] == "the task is done"


def test_a_run_whose_end_nobody_told_is_over_with_the_stop_or_the_policy_node(robot: FakeRobot) -> None:
    for lose in (lambda: robot.safety(STOPPED, "node_fault"), lambda: robot.view._beats.clear()):
        robot.safety(ARMED)
        give(robot, "run", "Right hand: Wave.")
        robot.desk.watch()
        assert robot.view.run["running"]
        lose()
        robot.desk.watch()
        assert not robot.view.run["running"]


def test_the_end_of_a_move_to_the_ready_posture_is_told(robot: FakeRobot) -> None:
    give(robot, "home")
    robot.desk.watch()
    assert message(robot)[0] == "On the way to the ready posture"
    robot.executor(0, homes=1)
    robot.desk.watch()
    assert message(robot) == ("The arms are in the ready posture.", True)
    robot.executor(0, homes=2, home_result="something holds the arm")
    robot.desk.watch()
    assert message(robot)[1] is False


def test_a_reset_sets_the_instruction_of_the_new_task(robot: FakeRobot) -> None:
    give(robot, "reset", "place_can_in_box", seed=3)
    assert robot.told == ["reset place_can_in_box 3", "instruct"]
    assert robot.desk.state()["policy"]["instruction"] == "Right hand: place_can_in_box."


@pytest.mark.parametrize(
    ("order", "text", "said", "answer"),
    [
        ("dance", "", {}, "Unknown order 'dance'."),
        ("instruct", "  ", {}, "Type an instruction first."),
        ("run", "Wave.", {"time_limit_s": "soon"}, "The time limit is a number of seconds; 0 is none."),
        ("reset", "", {"seed": "x"}, "The start state is a whole number."),
    ],
)
def test_nonsense_is_answered_and_goes_nowhere(
    robot: FakeRobot, order: str, text: str, said: dict[str, Any], answer: str
) -> None:
    assert give(robot, order, text, **said) == answer
    assert robot.told == []
