"""Orders to the recorder and their answers, without ROS."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from vitra_recorder.condition import condition
from vitra_recorder.desk import NOTHING, Ears, RecordingDesk
from vitra_recorder.session import DISCARDED, SAVED, UNJUDGED, BagRecording, EpisodeRequest
from vitra_recorder.topics import TOPICS

WAVE = EpisodeRequest("wave", "Ada", "demo")
JOINTS = next(topic for topic in TOPICS if topic.name == "right_arm/joint_states")


@dataclass
class Sender:
    """A goal that remembers what it was told."""

    request: EpisodeRequest = WAVE
    time_limit_s: float = 0.0
    is_cancel_requested: bool = False
    refusals: list[str] = field(default_factory=list)
    reports: list[list[str]] = field(default_factory=list)
    finished: list[BagRecording] = field(default_factory=list)

    def report(self, recording: BagRecording, warnings: list[str]) -> None:
        self.reports.append(warnings)

    def refuse(self, detail: str) -> None:
        self.refusals.append(detail)

    def finish(self, recording: BagRecording) -> None:
        self.finished.append(recording)


class Office:
    """A desk, what it said, and how often messages were brought in."""

    def __init__(self, session) -> None:
        self.said: list[tuple[str, str]] = []
        self.answers: list[tuple[bool, str]] = []
        self.taken = self.changes = 0

        def ear(kind):
            return lambda text: self.said.append((kind, text))

        ears = Ears(ear("info"), ear("warning"), ear("error"), ear("fault"), self._note_change)
        self.desk = RecordingDesk(ears, self._note_take, lambda: "no disk yet")
        self.desk.session = session

    def _note_change(self) -> None:
        self.changes += 1

    def _note_take(self) -> None:
        self.taken += 1

    def answer(self, success: bool, text: str) -> None:
        self.answers.append((success, text))

    def until_answered(self, count: int = 1) -> None:
        deadline_s = time.monotonic() + 20
        while len(self.answers) < count:
            assert time.monotonic() < deadline_s, "no answer"
            self.desk.watch()
            time.sleep(0.005)

    def until_finished(self, goal: Sender) -> None:
        deadline_s = time.monotonic() + 20
        while not goal.finished:
            assert time.monotonic() < deadline_s, "the goal was not finished"
            self.desk.watch()
            time.sleep(0.005)


@pytest.fixture
def office(make):
    made = Office(make())
    yield made
    made.desk.halt()


def test_the_answer_follows_when_the_bag_is_complete(office):
    recording = office.desk.begin(WAVE)
    office.desk.end_for(office.answer, SAVED, "")
    office.until_answered()
    office.desk.watch()
    assert office.answers == [(True, str(recording.path))]
    assert recording.outcome == SAVED
    assert office.said[-1][0] == "info"
    assert "saved: " in office.said[-1][1]
    assert office.changes >= 3, "begun, ended, completed"


def test_messages_that_have_come_count_before_an_order(office):
    office.desk.begin(WAVE)
    assert office.taken == 1
    office.desk.end(SAVED, "")
    assert office.taken == 2


def test_nothing_under_way_is_an_answer_at_once(office):
    office.desk.end_for(office.answer, DISCARDED, "no good")
    office.desk.record_again(office.answer)
    assert office.answers == [(False, NOTHING), (False, NOTHING)]


def test_a_desk_without_a_session_says_why(office):
    session, office.desk.session = office.desk.session, None
    goal = Sender()
    office.desk.take_goal(goal)
    assert goal.refusals == ["The recorder is not ready: no disk yet."]
    assert office.desk.warnings() == []
    assert office.desk.recording is None
    office.desk.session = session


def test_recording_again_discards_and_begins_with_the_same_words(office):
    first = office.desk.begin(WAVE)
    office.desk.record_again(office.answer)
    office.until_answered()
    second = office.desk.recording
    assert second is not None
    assert second is not first
    assert second.request == first.request
    assert (first.outcome, first.detail) == (DISCARDED, "recorded again")
    assert office.answers == [(True, str(second.path))]


def test_who_wants_it_saved_hears_when_it_had_ended_by_itself(office, monkeypatch):
    recording = office.desk.begin(WAVE)
    monkeypatch.setattr(type(recording.pipeline), "ended_by_itself", "the disk was full.")
    office.desk.end_for(office.answer, SAVED, "")
    office.until_answered()
    done, text = office.answers[0]
    assert not done
    assert text.startswith("the disk was full. It is unjudged: ")


def test_a_goal_lasts_until_its_time_is_over(office):
    goal = Sender(time_limit_s=0.05)
    office.desk.take_goal(goal)
    office.desk.watch()
    recording = office.desk.recording
    office.until_finished(goal)
    assert goal.finished == [recording]
    assert (recording.outcome, recording.detail) == (UNJUDGED, "its time was over")


def test_a_goal_without_a_time_limit_lasts(office):
    goal = Sender()
    office.desk.take_goal(goal)
    time.sleep(0.05)
    office.desk.watch()
    assert office.desk.recording is not None
    assert not goal.finished


def test_a_canceled_goal_is_discarded(office):
    goal = Sender()
    office.desk.take_goal(goal)
    goal.is_cancel_requested = True
    office.until_finished(goal)
    assert (goal.finished[0].outcome, goal.finished[0].detail) == (DISCARDED, "the goal was canceled")


def test_a_goal_whose_episode_somebody_saves_is_finished_with_it(office):
    goal = Sender()
    office.desk.take_goal(goal)
    office.desk.end_for(office.answer, SAVED, "")
    office.until_finished(goal)
    assert goal.finished[0].outcome == SAVED
    assert office.answers == [(True, str(goal.finished[0].path))]


def test_a_second_goal_is_refused_and_the_first_goes_on(office):
    first, second = Sender(), Sender()
    office.desk.take_goal(first)
    office.desk.take_goal(second)
    assert "under way" in second.refusals[0]
    office.desk.warnings()
    assert len(first.reports) == 1
    assert not second.reports


def test_each_warning_is_said_once_and_the_goal_hears_all(office):
    goal = Sender()
    office.desk.take_goal(goal)
    now_ns = office.desk.session.clock["ns"]
    office.desk.session.take(JOINTS, "/joints", b"\0" * 16, now_ns)
    office.desk.session.clock["ns"] += 5 * 10**9
    warnings = office.desk.warnings()
    office.desk.session.clock["ns"] += 10**9
    office.desk.warnings()
    assert warnings
    spoken = [text for kind, text in office.said if kind == "warning"]
    assert len(spoken) == len(warnings), "the same with other figures is the same"
    assert goal.reports[0] == warnings
    assert len(goal.reports) == 2


def test_halting_waits_for_what_is_being_completed(office):
    recording = office.desk.begin(WAVE)
    office.desk.end_for(office.answer, SAVED, "")
    other = office.desk.begin(WAVE)
    office.desk.halt()
    assert (recording.outcome, other.outcome) == (SAVED, UNJUDGED)
    assert other.path.is_dir()
    office.desk.session = None
    office.desk.watch()
    assert office.answers == [(True, str(recording.path))], "who waits is answered even then"


def test_the_condition_names_warnings_and_figures(office):
    session = office.desk.session
    idle = condition(session, ["ignored while idle"], session.clock["ns"])
    assert (idle.said, idle.is_warning) == ("idle", False)
    assert "MB" not in idle.values
    office.desk.begin(WAVE)
    session.take(JOINTS, "/joints", b"\0" * 16, session.clock["ns"])
    fine = condition(session, [], session.clock["ns"])
    assert (fine.said, fine.is_warning) == ("recording, 0 dropped", False)
    assert "MB" in fine.values
    assert "Hz, gap" in fine.values[JOINTS.name]
    bad = condition(session, ["one", "two", "three", "four"], session.clock["ns"])
    assert (bad.said, bad.is_warning) == ("one; two; three", True)
