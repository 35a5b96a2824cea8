from __future__ import annotations

import pytest

from vitra_evaluation.errors import RefusedError
from vitra_evaluation.session.attempt import Outcome
from vitra_evaluation.session.trial import KEYS, Command, Phase, Status, Trial
from vitra_policy.errors import UnknownNameError


def make(automatic: bool = False) -> Trial:
    trial = Trial(10.0, ("reached", "grasped"), ("missed_grasp", "other"), automatic)
    trial.passed_preflight()
    trial.is_home()
    trial.was_reset()
    trial.begin(100.0)
    return trial


def test_a_person_labels_a_success_during_the_run() -> None:
    trial = make()
    trial.apply(Command.SUCCESS, 103.5)
    assert (trial.phase, trial.outcome, trial.duration_s) == (Phase.SAVING, Outcome.SUCCESS, 3.5)
    trial.saved()
    assert trial.phase is Phase.FINISHED


def test_the_time_limit_ends_the_run_and_asks_for_a_label() -> None:
    trial = make()
    trial.see(Status(109.9))
    assert trial.phase is Phase.RUNNING
    trial.see(Status(110.0))
    assert (trial.phase, trial.outcome) == (Phase.LABEL, None)
    trial.apply(Command.FAIL, 130.0, "missed_grasp: slipped twice")
    assert (trial.outcome, trial.failure_code, trial.note) == (Outcome.FAIL, "missed_grasp", "slipped twice")
    assert trial.duration_s == 10.0


def test_a_stop_ends_the_run_as_a_safety_stop() -> None:
    trial = make()
    trial.see(Status(101.0, stop_cause="heartbeat_lost (policy)"))
    assert (trial.phase, trial.outcome) == (Phase.LABEL, Outcome.SAFETY_STOP)
    assert "heartbeat_lost" in trial.end_reason


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        (Status(104.0, success=True), Outcome.SUCCESS, ""),
        (Status(104.0, failed=True), Outcome.FAIL, "object_lost"),
        (Status(111.0), Outcome.FAIL, "time_limit"),
        (Status(104.0, policy_ended="policy_error"), Outcome.FAIL, ""),
        (Status(104.0, stop_cause="limit", success=True), Outcome.SAFETY_STOP, "stopped"),
    ],
)
def test_simulated_trials_judge_themselves(status: Status, outcome: Outcome, code: str) -> None:
    trial = make(automatic=True)
    trial.see(status)
    assert (trial.phase, trial.outcome, trial.failure_code) == (Phase.SAVING, outcome, code)


def test_a_person_is_not_judged_for_by_the_simulation() -> None:
    trial = make()
    trial.see(Status(104.0, success=True))
    assert trial.phase is Phase.RUNNING


def test_milestones_are_kept_with_their_time_in_order() -> None:
    trial = make()
    trial.apply(Command.MILESTONE, 101.0)
    trial.apply(Command.MILESTONE, 102.0, "grasped")
    trial.apply(Command.MILESTONE, 103.0, "grasped")
    assert trial.reached == {"reached": 1.0, "grasped": 2.0}
    with pytest.raises(UnknownNameError, match="milestone"):
        trial.apply(Command.MILESTONE, 103.0, "graspd")


def test_void_needs_a_reason() -> None:
    trial = make()
    with pytest.raises(RefusedError, match="needs a reason"):
        trial.apply(Command.VOID, 101.0)
    assert trial.phase is Phase.RUNNING
    trial.apply(Command.VOID, 101.0, "bumped the table")
    assert (trial.phase, trial.void_reason) == (Phase.SAVING, "bumped the table")


def test_a_failure_needs_a_code_from_the_plan() -> None:
    trial = make()
    with pytest.raises(UnknownNameError, match="Did you mean 'missed_grasp'"):
        trial.apply(Command.FAIL, 101.0, "misd_grasp")
    assert trial.phase is Phase.RUNNING


@pytest.mark.parametrize("command", [Command.SUCCESS, Command.FAIL, Command.VOID, Command.MILESTONE])
def test_nothing_can_be_labelled_before_it_runs(command: Command) -> None:
    trial = Trial(10.0, ("a",), ("other",))
    with pytest.raises(RefusedError, match="phase 'preflight'"):
        trial.apply(command, 0.0, "other")


def test_every_command_has_exactly_one_key() -> None:
    assert sorted(KEYS.values()) == sorted(Command)


def test_the_scene_is_not_reset_while_the_arms_go_home() -> None:
    trial = Trial(10.0, ("a",), ("other",))
    trial.passed_preflight()
    assert trial.phase is Phase.HOMING
    with pytest.raises(RefusedError, match="phase 'homing'"):
        trial.apply(Command.CONFIRM_RESET, 0.0)
    trial.is_home()
    trial.apply(Command.CONFIRM_RESET, 0.0)
    trial.homes_again()  # and what was set up may have been knocked over
    trial.is_home()
    assert trial.phase is Phase.RESET


@pytest.mark.parametrize("automatic", [True, False])
def test_a_stop_that_a_person_pressed_is_a_question_not_a_safety_stop(automatic: bool) -> None:
    trial = make(automatic)
    trial.see(Status(101.0, stop_cause="operator_stop", stopped_by_person=True))
    assert (trial.phase, trial.outcome) == (Phase.LABEL, None)
    assert "Did the policy make it necessary?" in trial.question
    trial.apply(Command.VOID, 102.0, "somebody came into the room")
    assert trial.void_reason


def test_a_stop_that_nobody_can_explain_is_void() -> None:
    trial = make(automatic=True)
    trial.attended = False
    trial.see(Status(101.0, stop_cause="operator_stop", stopped_by_person=True))
    assert trial.phase is Phase.SAVING
    assert "nobody is there to say why" in trial.void_reason
