import dataclasses
import threading

import numpy as np
import pytest

from vitra_inference.observations import Frame, Sighting
from vitra_inference.session import RunSession
from vitra_inference.worker import PolicyWorker, WorkerListener, WorkerSettings
from vitra_policy.policies.observation import HandStates
from vitra_policy.policies.policy import make_example_observation
from vitra_policy.policies.rtc import DelayMeter

pytestmark = pytest.mark.realtime

RIGHT = np.array([False, True])


class Camera:
    """A buffer with a new frame every 10 ms of its own time, as often as it is asked."""

    problem, newest, all_hands = "no camera image", None, RIGHT

    def __init__(self, frames):
        self.frames, self.given, self.after = frames, 0, []

    def next(self, last, needed, timeout_s):
        self.after.append(last)
        if self.given >= self.frames:
            threading.Event().wait(timeout_s)
            return None
        self.given += 1
        example = make_example_observation(height=4, width=4)
        stamp_s = 100 + 0.01 * self.given
        frame = Frame(stamp_s, round(stamp_s * 1e9), "camera", None)
        return Sighting(frame, None, HandStates(example.state, example.state_valid, {}), 0.0)

    def observe(self, sighting, instruction, hands, committed):
        return dataclasses.replace(
            make_example_observation(height=4, width=4),
            stamp_s=sighting.frame.stamp_s,
            instruction=instruction,
            hands=hands,
            committed=committed,
        )


@pytest.fixture
def serve(fake_policy):
    workers = []

    def start(frames, wanted, delay=None, camera=None, **settings):
        """Run until `wanted` answers are out; returns them and the faults."""
        answers, faults, enough, session = [], [], threading.Event(), RunSession()

        def publish(answer):
            answers.append(answer)
            if len(answers) >= wanted:
                session.end("stopped")
                enough.set()

        defaults = {"real_time_chunking": True, "max_rate_hz": 0.0, "stall_s": 10.0}
        worker = PolicyWorker(
            fake_policy, camera or Camera(frames), session, delay or DelayMeter(),
            WorkerListener(publish, faults.append), WorkerSettings(**(defaults | settings)),
        )  # fmt: skip
        workers.append(worker)
        worker.start()
        session.start("wave", RIGHT)
        assert enough.wait(20)
        return answers, faults

    yield start
    for worker in workers:
        assert worker.stop()


def test_only_hands_that_are_asked_for_and_known_move(serve):
    answers, faults = serve(frames=3, wanted=2)
    assert answers[0].chunk.valid.tolist() == [False, True]
    assert [answer.sequence for answer in answers] == [1, 2]
    assert not faults


class MeasuredDelay(DelayMeter):
    """Two steps, whatever is cleared."""

    steps = 2


@pytest.mark.parametrize(("honours", "enabled", "steps"), [(True, True, 2), (False, True, 0), (True, False, 0)])
def test_a_prefix_is_committed_only_to_policies_that_keep_it(serve, fake_policy, honours, enabled, steps):
    fake_policy.metadata = type(fake_policy.metadata)("fake", uses_committed=honours)
    answers, _ = serve(frames=3, wanted=2, delay=MeasuredDelay(), real_time_chunking=enabled)
    assert answers[0].observation.committed is None, "nothing is under way yet"
    committed = answers[1].observation.committed
    assert (0 if committed is None else committed.steps) == steps


def test_what_came_during_a_pause_has_aged_and_is_not_answered(serve):
    camera = Camera(6)
    camera.newest = aged = Frame(99.0, 99_000_000_000, "camera", None)
    serve(frames=6, wanted=3, camera=camera, max_rate_hz=20.0)
    assert len(camera.after) >= 3
    assert all(last is aged for last in camera.after[-3:]), "each look is for something newer than what waited"


def test_a_policy_that_wants_steps_executed_first_is_asked_no_sooner(serve, fake_policy):
    fake_policy.metadata = type(fake_policy.metadata)("fake", step_s=0.025, executed_steps=2)
    camera = Camera(6)
    camera.newest = aged = Frame(99.0, 99_000_000_000, "camera", None)
    serve(frames=6, wanted=3, camera=camera, max_rate_hz=0.0)
    assert len(camera.after) >= 3
    assert all(last is aged for last in camera.after[-3:]), "it paused, as for a highest rate"


def test_without_a_pause_the_next_image_is_the_one_after_that_which_was_answered(serve):
    camera = Camera(6)
    serve(frames=6, wanted=3, camera=camera, max_rate_hz=0.0)
    assert [round(last.stamp_s, 2) for last in camera.after[-2:]] == [100.01, 100.02]


class Bench:
    """A worker, what it said, and a wait for it."""

    def __init__(self, policy, camera, **settings):
        self.faults, self.lacks, self.answers = [], [], []
        self.session, self._changed = RunSession(), threading.Condition()
        listener = WorkerListener(
            self._noting(self.answers), self._noting(self.faults), report_lack=self._noting(self.lacks)
        )
        defaults = {"real_time_chunking": True, "max_rate_hz": 0.0, "stall_s": 10.0}
        self.worker = PolicyWorker(
            policy, camera, self.session, DelayMeter(), listener, WorkerSettings(**(defaults | settings))
        )
        self.worker.start()

    def _noting(self, said):
        def note(what):
            with self._changed:
                said.append(what)
                self._changed.notify_all()

        return note

    def until(self, condition):
        with self._changed:
            assert self._changed.wait_for(condition, 20)


@pytest.fixture
def bench(fake_policy):
    made = []

    def make(camera, **settings):
        made.append(Bench(fake_policy, camera, **settings))
        return made[-1]

    yield make
    for one in made:
        assert one.worker.stop()


def test_a_run_without_observations_is_a_fault_until_they_come(bench):
    camera = Camera(0)
    made = bench(camera, stall_s=0.02)
    made.session.start("wave", RIGHT)
    made.until(lambda: made.faults == ["no complete observation: no camera image"])
    camera.frames = 4
    made.until(lambda: made.faults[-1] == "" and made.answers)
    assert made.faults == ["no complete observation: no camera image", ""], "each is said once"


def test_a_run_that_may_wait_longer_is_no_fault(bench):
    camera = Camera(0)
    made = bench(camera, stall_s=60.0)
    made.session.start("wave", RIGHT)
    camera.frames = 2
    made.until(lambda: made.answers)
    assert made.faults == []


def test_what_lacks_before_the_first_observation_is_said_and_then_that_nothing_does(bench, monkeypatch):
    monkeypatch.setattr("vitra_inference.worker._FIRST_LOOK_S", 0.01)
    camera = Camera(0)
    made = bench(camera)
    made.until(lambda: made.lacks)
    assert made.lacks[0] == "no camera image"
    camera.frames = 1
    made.until(lambda: made.lacks[-1] == "")
    assert made.lacks.count("") == 1


def test_a_policy_that_failed_is_a_fault_until_it_can_be_reset(bench, fake_policy, monkeypatch):
    monkeypatch.setattr("vitra_inference.worker._RECOVERY_PERIOD_S", 0.01)
    fake_policy.failure = RuntimeError("no memory")
    made = bench(Camera(50))
    run = made.session.start("wave", RIGHT)
    made.until(lambda: len(made.faults) >= 2)
    assert set(made.faults) == {"policy 'fake': RuntimeError: no memory"}
    assert run.reason == "policy_error"
    fake_policy.failure = None
    made.until(lambda: made.faults[-1] == "")
    assert made.worker.silent_s == 0.0


class Thinking:
    """In place of the policy's event: says that it was asked."""

    def __init__(self):
        self.asked, self.answer = threading.Event(), threading.Event()

    def wait(self, timeout_s):
        self.asked.set()
        return self.answer.wait(timeout_s)


def test_a_policy_that_thinks_is_silent_for_as_long_as_it_does(bench, fake_policy):
    fake_policy.hold = Thinking()
    made = bench(Camera(5))
    assert made.worker.silent_s == 0.0
    made.session.start("wave", RIGHT)
    assert fake_policy.hold.asked.wait(20)
    first_s = made.worker.silent_s
    assert 0.0 < first_s < made.worker.silent_s < 20.0
    fake_policy.hold.answer.set()
    made.until(lambda: made.answers)


def test_a_policy_that_is_done_ends_the_run(bench, fake_policy):
    fake_policy.done = True
    made = bench(Camera(5))
    run = made.session.start("wave", RIGHT)
    assert run.ended.wait(20)
    assert run.reason == "policy_done"
    assert len(made.answers) == 1
    assert made.answers[0].chunk.timing["think"] == 0.001
