from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from vitra_evaluation.backends.port import Check
from vitra_evaluation.errors import NotRecordingError, SessionError
from vitra_evaluation.plan.file import parse_plan
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.session import runner
from vitra_evaluation.session.attempt import Outcome
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.orders import Order
from vitra_evaluation.session.runner import Runner
from vitra_evaluation.session.sequential_stop import Verdict, session_decision
from vitra_evaluation.session.trial import Command, Phase
from vitra_evaluation.session.trial_record import Evidence
from vitra_evaluation.session.view import View
from vitra_policy.errors import VitraError


def test_an_unattended_session_runs_to_its_end(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = Session.create(tmp_path, small_plan)
    fake_port.outcome = lambda number: number % 2 == 0
    assert Runner(session, fake_port).run()
    assert session.is_complete
    results = [a.result for a in session.store.attempts()]
    assert [r.outcome for r in results] == [Outcome.FAIL, Outcome.SUCCESS] * 3
    assert all(r.has_bag and r.measures["sparc"] < 0 for r in results)
    assert {p.name for p in (tmp_path / "trials/0001").iterdir()} == {"bag", "first.jpg", "last.jpg"}
    session.close()


def test_a_fault_of_the_simulated_robot_beside_the_stop_does_not_end_an_unattended_session(
    small_plan: Plan, tmp_path: Path, fake_port
) -> None:
    session = Session.create(tmp_path, small_plan)
    whole = fake_port.checks
    fake_port.checks = lambda: [*whole(), Check("right_arm", ok=fake_port.armed, detail="something holds the arm")]
    fake_port.armed = False
    assert Runner(session, fake_port).run()
    assert fake_port.told[0] == "arm"
    session.close()


def test_each_trial_is_committed_before_the_next_one_begins(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = Session.create(tmp_path, small_plan)
    seen = []
    begin = fake_port.start
    fake_port.start = lambda *a: (seen.append(len(session.store.counted())), begin(*a))[1]
    Runner(session, fake_port).run()
    assert seen == [0, 1, 2, 3, 4, 5]
    session.close()


def test_a_session_goes_on_without_the_videos_that_the_disk_refused_and_says_so(
    small_plan: Plan, tmp_path: Path, fake_port, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = Evidence(measures={"messages": 9.0}, no_video="video.mp4 cannot be written: No space left on device")
    monkeypatch.setattr(runner, "keep_evidence", lambda *_: evidence)
    session, said = Session.create(tmp_path, small_plan), []
    assert Runner(session, fake_port, tell=lambda view: said.append(view.message)).run()
    assert len(session.store.counted()) == 6
    events = [(e["attempt"], e["detail"]) for e in session.store.events() if e["kind"] == "no video"]
    assert events == [(number, evidence.no_video) for number in range(1, 7)]
    assert f"trial 6 is recorded: success, without video ({evidence.no_video})" in said
    session.close()


def test_half_a_video_that_a_kill_left_is_cleared_away(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = Session.create(tmp_path, small_plan)
    left = session.trial_folder(session.store.begin(0)) / "video.partial.mp4"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    assert Runner(session, fake_port).run()
    assert not left.exists()
    assert session.store.attempts()[0].files == {}
    session.close()


def test_a_session_goes_on_where_it_was_cut_off(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = Session.create(tmp_path, small_plan)

    class PowerCut(BaseException):
        pass

    def cut(number: int) -> bool:
        if number == 3:
            raise PowerCut
        return True

    fake_port.outcome = cut
    with pytest.raises(PowerCut):
        Runner(session, fake_port).run()
    session.close()
    session = Session.load(tmp_path)
    assert len(session.store.counted()) == 2
    fake_port.outcome = lambda number: True
    assert Runner(session, fake_port).run()
    attempts = session.store.attempts()
    assert [a.slot for a in attempts] == [0, 1, 2, 2, 3, 4, 5]
    assert "interrupted" in attempts[2].void_reason
    session.close()


def test_a_trial_without_a_bag_is_made_again_and_not_for_ever(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = Session.create(tmp_path, small_plan)
    fake_port.bag_works = False
    with pytest.raises(SessionError, match="5 tries in a row came to nothing, the last: no bag was recorded"):
        Runner(session, fake_port).run()
    assert session.store.counted() == {}
    assert {a.slot for a in session.store.attempts()} == {0}
    session.close()


def test_a_policy_that_cannot_be_started_has_failed_its_trial(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = Session.create(tmp_path, small_plan)
    fake_port.start_fails = 2
    assert Runner(session, fake_port).run()
    attempts = session.store.attempts()
    assert [a.slot for a in attempts] == [0, 1, 2, 3, 4, 5]
    assert [a.result.failure_code for a in attempts] == ["no_start", "no_start", "", "", "", ""]
    assert all(a.counts for a in attempts)
    session.close()


def test_a_recorder_that_cannot_be_started_is_none_of_the_policys_doing(
    small_plan: Plan, tmp_path: Path, fake_port
) -> None:
    session = Session.create(tmp_path, small_plan)
    fake_port.start_fails, fake_port.start_error = 2, NotRecordingError("the disk is full")
    assert Runner(session, fake_port).run()
    attempts = session.store.attempts()
    assert [a.slot for a in attempts] == [0, 0, 0, 1, 2, 3, 4, 5]
    assert ["could not start" in (a.void_reason or "") for a in attempts[:3]] == [True, True, False]
    session.close()


def test_a_start_that_a_stop_prevented_is_made_again(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = Session.create(tmp_path, small_plan)
    runner = Runner(session, fake_port)
    start = fake_port.start

    def stopped(*a: object) -> None:
        if fake_port.stops == 0:
            fake_port.stop()
            raise VitraError("the robot is not armed")
        start(*a)

    fake_port.start = stopped
    assert runner.run()
    assert "not armed" in session.store.attempts()[0].void_reason
    assert session.store.attempts()[1].slot == 0
    session.close()


def test_a_simulated_robot_is_armed_again_after_a_stop(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = Session.create(tmp_path, small_plan)
    fake_port.outcome = lambda number: fake_port.stop() or True if number == 2 else True
    Runner(session, fake_port).run()
    assert fake_port.told.count("arm") == 1
    session.close()


def test_automatic_events_are_kept_beside_the_trial(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    from vitra_evaluation.backends.port import Event

    session = Session.create(tmp_path, small_plan)
    fake_port.news = [Event("starved", "2 times out of steps")]
    Runner(session, fake_port).run()
    news = [e for e in session.store.events() if e["kind"] == "starved"]
    assert [(e["attempt"], e["detail"]) for e in news] == [(1, "2 times out of steps")]
    session.close()


class Person:
    """Answers each phase of an attended trial with orders, as fast as the phases come."""

    def __init__(self, session: Session, port, answers: Callable[[View], list[Order]]) -> None:
        self._answers, self._seen = answers, []
        self.runner = Runner(session, port, "ann", self._look)

    def _look(self, view: View) -> None:
        phase = view.trial.phase if view.trial else None
        if any(t is view.trial and p is phase for t, p in self._seen) or (phase is None and not view.done):
            return
        self._seen.append((view.trial, phase))
        for order in self._answers(view):
            self.runner.give(order)


def orders(view: View) -> list[Order]:
    return {
        Phase.RESET: [Order(Command.CONFIRM_RESET)],
        Phase.READY: [Order(Command.START)],
        Phase.RUNNING: [Order(Command.MILESTONE), Order(Command.FAIL, "missed_grasp: slipped")],
    }.get(view.trial.phase, [])


def leaving(view: View) -> list[Order]:
    return orders(view) if view.trial else [Order(Command.QUIT)]


def test_a_person_leads_through_an_attended_session(small_plan: Plan, tmp_path: Path, attended_port) -> None:
    session = Session.create(tmp_path, small_plan)
    assert Person(session, attended_port, leaving).runner.run()
    result = session.store.attempts()[0].result
    assert (result.judge, result.failure_code, result.note) == ("ann", "missed_grasp", "slipped")
    assert list(result.milestones) == ["reached"]
    session.close()


def test_nothing_starts_while_a_check_is_red(small_plan: Plan, tmp_path: Path, attended_port) -> None:
    session = Session.create(tmp_path, small_plan)
    attended_port.armed = False
    messages = []

    def careless(view: View) -> list[Order]:
        messages.append(view.message)
        if view.trial.phase is Phase.PREFLIGHT:
            return [Order(Command.START), Order(Command.REARM)]
        return orders(view) if len(session.store.counted()) == 0 else [Order(Command.QUIT)]

    assert not Person(session, attended_port, careless).runner.run()
    assert "arm" in attended_port.told
    assert session.store.events()[-1]["kind"] == "quit"
    session.close()


def test_stop_acts_at_once_in_the_callers_thread(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = Session.create(tmp_path, small_plan)
    runner = Runner(session, fake_port)
    runner.give(Order(Command.STOP))
    assert fake_port.stops == 1
    session.close()


def test_a_stop_pressed_during_a_trial_is_a_safety_stop_in_the_record(
    small_plan: Plan, tmp_path: Path, attended_port
) -> None:
    session = Session.create(tmp_path, small_plan)

    def stopping(view: View) -> list[Order]:
        if session.store.counted():
            return [Order(Command.QUIT)] if view.trial.phase is Phase.PREFLIGHT else []
        return {
            Phase.RUNNING: [Order(Command.STOP)],
            Phase.LABEL: [Order(Command.SAFETY_STOP, "hand too low")],
        }.get(view.trial.phase, orders(view))

    Person(session, attended_port, stopping).runner.run()
    assert session.store.attempts()[0].result.outcome is Outcome.SAFETY_STOP
    session.close()


def test_while_paused_no_trial_begins_but_other_orders_are_obeyed(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = Session.create(tmp_path, small_plan)
    runner = Runner(session, fake_port)
    given: list[Command] = []
    started: list[int] = []

    def look(view: View) -> None:
        if view.trial and view.trial.phase is Phase.RUNNING and not given:
            given.append(Command.PAUSE)  # pressed in the middle of the first trial
            for order in (Command.PAUSE, Command.START, Command.STOP, Command.REARM, Command.HOME):
                runner.give(Order(order))
        homes = fake_port.told.count("home")
        if view.paused and homes == 2 and len(given) == 1:  # one of the first trial's reset, one asked for in the pause
            given.append(Command.PAUSE)
            started.append(fake_port.started)
            runner.give(Order(Command.PAUSE))

    runner._tell = look
    fake_port.stop = lambda: fake_port.told.append("stop")
    assert runner.run()
    assert started == [1]
    assert {"stop", "arm"} <= set(fake_port.told)
    assert session.is_complete
    kinds = [event["kind"] for event in session.store.events()]
    assert kinds.index("paused") < kinds.index("stop pressed") < kinds.index("resumed")
    session.close()


def test_a_void_trial_is_made_again_at_once(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = Session.create(tmp_path, small_plan)
    runner = Runner(session, fake_port)
    first = []

    def look(view: View) -> None:
        if view.trial and view.trial.phase is Phase.RUNNING and not first:
            first.append(threading.get_ident())
            runner.give(Order(Command.VOID, "bumped the table"))

    runner._tell = look
    assert runner.run()
    assert [a.slot for a in session.store.attempts()][:2] == [0, 0]
    assert session.store.attempts()[0].void_reason == "bumped the table"
    session.close()


def test_a_declared_sequential_comparison_ends_the_session_early(tmp_path: Path, fake_port) -> None:
    text = (Path(__file__).parents[1] / "data/small.yaml").read_text()
    plan = parse_plan(text.replace("trials: 3", "trials: 40") + "sequential: {alpha: 0.05}\n", None)
    session = Session.create(tmp_path, plan)
    from vitra_evaluation.blinding.blinding_key import open_blinding_key

    names = open_blinding_key(tmp_path).names
    current: list[str] = []
    start = fake_port.start
    fake_port.start = lambda slot, *a: (current.append(names[slot.alias]), start(slot, *a))[1]
    fake_port.outcome = lambda number: current[-1] == "one"
    assert session_decision(session) is Verdict.GO_ON
    assert Runner(session, fake_port).run()
    assert session_decision(session) is Verdict.FINISHED
    assert 10 <= len(session.store.counted()) <= 24
    assert session.store.events()[-1]["kind"] == "stopped early"
    session.close()
