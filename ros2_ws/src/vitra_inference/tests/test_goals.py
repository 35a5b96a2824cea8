"""Goals of runs, without ROS."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from vitra_inference.goals import ARMED_PATIENCE_S, Ending, RunGoals, RunOutcome, RunProgress, ending_of
from vitra_inference.session import Run, RunRefusedError, RunSession, TerminationReason

HANDS = np.array([False, True])


@dataclass
class Sender:
    """A goal that remembers what it was told."""

    instruction: str = "wave"
    time_limit_s: float = 0.0
    is_cancel_requested: bool = False
    reports: list[RunProgress] = field(default_factory=list)
    outcomes: list[RunOutcome] = field(default_factory=list)

    def report(self, progress: RunProgress) -> None:
        self.reports.append(progress)

    def finish(self, outcome: RunOutcome) -> None:
        self.outcomes.append(outcome)


class Robot:
    """A session with goals, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s, self.armed, self.refusal = 10.0, True, ""
        self.session = RunSession(lambda: self.now_s)
        self.goals = RunGoals(self.session, self.begin, lambda: self.armed, lambda: self.now_s)

    def begin(self, instruction: str, time_limit_s: float) -> Run:
        if not self.armed or self.refusal:
            raise RunRefusedError(self.refusal or "not armed")
        return self.session.start(instruction, HANDS, time_limit_s)


@pytest.fixture
def robot() -> Robot:
    return Robot()


def test_a_goal_starts_a_run_and_hears_of_it_until_it_ends(robot: Robot) -> None:
    goal = Sender(instruction="lift", time_limit_s=4.0)
    robot.goals.take(goal)
    run = robot.session.run
    assert run is not None
    assert (run.instruction, run.time_limit_s) == ("lift", 4.0)
    robot.session.count_chunk(run, 0.25)
    robot.now_s += 2.0
    robot.goals.watch()
    assert goal.reports == [RunProgress(1, 2.0, 0.25, 0.5)]
    assert not goal.outcomes
    robot.session.end(TerminationReason.POLICY_DONE, "it is done")
    robot.now_s += 5.0
    robot.goals.watch()
    robot.goals.watch()
    assert goal.outcomes == [RunOutcome(Ending.SUCCEEDED, "policy_done", "it is done", 1, 2.0)]
    assert len(goal.reports) == 1


def test_a_goal_that_cannot_begin_is_refused_with_the_reason(robot: Robot) -> None:
    robot.refusal = "no instruction"
    goal = Sender()
    robot.goals.take(goal)
    assert goal.outcomes == [RunOutcome(Ending.ABORTED, "refused", "no instruction")]


def test_a_canceled_goal_ends_its_own_run_only(robot: Robot) -> None:
    first, second = Sender(), Sender()
    robot.goals.take(first)
    robot.session.end(TerminationReason.STOPPED, "stop")
    robot.goals.take(second)
    first.is_cancel_requested = True
    robot.goals.watch()
    assert [outcome.reason for outcome in first.outcomes] == ["stopped"]
    assert not second.outcomes
    second.is_cancel_requested = True
    robot.goals.watch()
    assert [outcome.ending for outcome in second.outcomes] == [Ending.CANCELED]
    assert robot.session.run is None


def test_a_goal_that_overtakes_the_news_of_arming_waits_for_it(robot: Robot) -> None:
    robot.armed = False
    goal = Sender()
    robot.goals.take(goal)
    robot.now_s += 0.5 * ARMED_PATIENCE_S
    robot.goals.watch()
    assert robot.goals.waiting == 1
    assert not goal.outcomes
    robot.armed = True
    robot.goals.watch()
    assert robot.goals.waiting == 0
    assert robot.session.run is not None


def test_a_goal_waits_no_longer_than_the_patience(robot: Robot) -> None:
    robot.armed = False
    goal = Sender()
    robot.goals.take(goal)
    robot.now_s += ARMED_PATIENCE_S
    robot.goals.watch()
    assert [outcome.detail for outcome in goal.outcomes] == ["not armed"]
    assert robot.goals.waiting == 0


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        (TerminationReason.CANCELED, Ending.CANCELED),
        (TerminationReason.POLICY_DONE, Ending.SUCCEEDED),
        (TerminationReason.TIME_LIMIT, Ending.SUCCEEDED),
        (TerminationReason.STOPPED, Ending.ABORTED),
        (TerminationReason.POLICY_ERROR, Ending.ABORTED),
    ],
)
def test_the_reason_decides_how_a_goal_ends(reason: TerminationReason, ending: Ending) -> None:
    assert ending_of(reason) == ending
