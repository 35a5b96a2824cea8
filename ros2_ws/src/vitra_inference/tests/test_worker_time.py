"""The worker against a clock that only its own waits, looks and thoughts move: paces, patience, measured times."""

import numpy as np
import pytest

from vitra_inference import worker as worker_module
from vitra_inference.observations import Frame, Sighting
from vitra_inference.session import RunSession
from vitra_inference.worker import PolicyWorker, WorkerListener, WorkerSettings
from vitra_policy.policies.observation import HandStates
from vitra_policy.policies.policy import make_example_observation
from vitra_policy.policies.rtc import DelayMeter

RIGHT = np.array([False, True])
WALL_S = 4096.0
"""What the wall clock is ahead of the monotonic one; all times are sums of powers of two, so that none is rounded."""
LOOK_S, ASSEMBLE_S, THINK_S, POLL_S = 2.0**-6, 2.0**-7, 2.0**-4, 0.25
UNLIMITED = WorkerSettings(real_time_chunking=True, max_rate_hz=0.0, stall_s=0.5)


class Inline:
    """In place of a thread: `start` returns when the work is done."""

    def __init__(self, target, *, name, should_run):
        self.start, self.alive, self.joined = target, False, []

    def is_alive(self):
        return self.alive

    def join(self, timeout_s):
        self.joined.append(timeout_s)


class Pause:
    """The end of a run that nobody waits for in real time."""

    def __init__(self, world):
        self.world = world

    def wait(self, timeout_s):
        self.world.pauses.append(timeout_s)
        self.world.now_s += timeout_s

    def set(self):
        pass


class Endless(BaseException):
    """It would go on for ever; nothing catches this."""


class World(RunSession):
    """Clock, session, buffer and listener of one worker."""

    problem, newest, all_hands = "no camera image", None, RIGHT

    def __init__(self, monkeypatch, policy, settings=UNLIMITED):
        super().__init__(clock=self.monotonic)
        self.now_s, self.polls, self.blind, self.orders = 64.0, 20, False, []
        self.pauses, self.looks, self.patience, self.seen, self.glances = [], [], [], 0, 0
        self.answers, self.faults, self.resets_s = [], [], []
        self.on_look = lambda: None
        monkeypatch.setattr(worker_module, "time", self)
        monkeypatch.setattr(worker_module, "WatchedThread", Inline)
        self.policy, think, reset = policy, policy.infer, policy.reset

        def infer(observation):
            self.now_s += THINK_S
            return think(observation)

        def noted_reset():
            self.resets_s.append(self.now_s)
            reset()

        policy.infer, policy.reset = infer, noted_reset
        listener = WorkerListener(self.publish, lambda said: self.faults.append((self.now_s, said)))
        self.worker = PolicyWorker(policy, self, self, DelayMeter(), listener, settings)

    def monotonic(self):
        self.glances += 1
        if self.glances > 10_000:
            raise Endless
        return self.now_s

    def time(self):
        return WALL_S + self.now_s

    def wait(self, timeout_s):
        """Nobody starts a run: a quarter of a second goes by, and after 20 of them the worker is to end."""
        self.patience.append(timeout_s)
        if len(self.patience) > 1000:
            raise Endless
        if self.run is not None:
            return self.run
        self.now_s += POLL_S
        self.polls -= 1
        if self.orders:
            self.orders.pop(0)()
        if self.polls <= 0:
            self.worker.stop()
        return self.run

    def go(self, answers):
        """Work through one run of so many answers, and what follows it."""
        self.wanted = answers
        self.start("wave", RIGHT).ended = Pause(self)
        self.worker.start()

    def publish(self, answer):
        self.answers.append((self.now_s, answer))
        if len(self.answers) >= self.wanted:
            self.end("stopped")

    def next(self, last, needed, timeout_s):
        self.looks.append(timeout_s)
        if len(self.looks) > 1000:
            raise Endless
        self.now_s += LOOK_S
        self.on_look()
        if self.blind:
            return None
        self.seen += 1
        example = make_example_observation(height=4, width=4)
        frame = Frame(WALL_S + self.now_s - 0.125, self.seen, "camera", None)
        return Sighting(frame, None, HandStates(example.state, example.state_valid, {}), self.now_s)

    def observe(self, sighting, instruction, hands, committed):
        self.now_s += ASSEMBLE_S
        return make_example_observation(height=4, width=4)


@pytest.fixture
def world(monkeypatch, fake_policy):
    return lambda settings=UNLIMITED: World(monkeypatch, fake_policy, settings)


@pytest.mark.parametrize("rate_hz", [4.0, 0.5])
def test_no_more_answers_leave_than_the_highest_rate_allows(world, rate_hz):
    made = world(WorkerSettings(real_time_chunking=True, max_rate_hz=rate_hz, stall_s=60.0))
    made.go(4)
    assert np.diff([at_s for at_s, _ in made.answers]).tolist() == [1 / rate_hz] * 3
    assert max(made.pauses) <= 0.2, "a run that ends is noticed meanwhile"


def test_without_a_highest_rate_the_next_look_follows_the_answer_at_once(world):
    made = world()
    made.go(3)
    assert np.diff([at_s for at_s, _ in made.answers]).tolist() == [LOOK_S + ASSEMBLE_S + THINK_S] * 2
    assert made.pauses == []
    assert [said for _, said in made.faults] == []


def test_what_was_late_is_not_caught_up_with(world):
    made = world(WorkerSettings(real_time_chunking=True, max_rate_hz=4.0, stall_s=60.0))
    first_looks = iter([2.0])
    made.on_look = lambda: setattr(made, "now_s", made.now_s + next(first_looks, 0.0))
    made.go(5)
    between_s = np.diff([at_s for at_s, _ in made.answers])
    assert between_s[2:].tolist() == [0.25, 0.25], "of what was missed, one may follow at once and no more"


def test_an_answer_says_how_long_each_part_of_it_took(world):
    made = world()
    made.go(1)
    ((_, answer),) = made.answers
    assert answer.chunk.timing["transport"] == 0.125, "from the capture to the complete observation"
    assert answer.chunk.timing["assemble"] == ASSEMBLE_S
    assert answer.inference_s == ASSEMBLE_S + THINK_S
    assert made.worker.silent_s == 0.0


def test_an_answer_is_held_back_as_long_as_a_slower_policy_would_take(world):
    made = world(WorkerSettings(real_time_chunking=True, max_rate_hz=0.0, stall_s=0.5, delay_s=0.25))
    made.go(2)
    assert [answer.inference_s for _, answer in made.answers] == [ASSEMBLE_S + 0.25] * 2


def test_a_run_that_sees_nothing_is_a_fault_after_just_so_long(world):
    made = world()
    made.blind = True
    begin_s = made.now_s

    def see_again():
        made.blind = made.now_s < begin_s + 1.0

    made.on_look = see_again
    made.go(1)
    (fault_s, said), (_, over) = made.faults
    assert said == "no complete observation: no camera image"
    assert fault_s - begin_s == 0.5 + LOOK_S, "the first look after more than half a second"
    assert over == ""


def test_a_run_that_is_ended_while_it_sees_nothing_is_no_fault(world):
    made = world()
    made.blind = True
    begin_s = made.now_s

    def end():
        if made.now_s > begin_s + 0.5:
            made.end("stopped")

    made.on_look = end
    made.go(1)
    assert made.faults == []


def test_it_looks_for_runs_five_times_a_second_and_for_images_twenty_times(world):
    made = world()
    made.go(2)
    assert set(made.patience) == {0.2}
    assert set(made.looks) == {0.05}
    other = world()
    other.blind, other.wanted = True, 0
    other.worker.start()
    assert set(other.looks) == {0.1}, "before the first observation nobody waits for it"


def test_a_policy_that_failed_is_tried_again_every_second_until_it_can_be_reset(world):
    made = world()
    made.polls = 30
    made.on_look = lambda: setattr(made.policy, "failure", RuntimeError("no memory"))
    made.orders = [lambda: None] * 13 + [lambda: setattr(made.policy, "failure", None)]
    made.go(1)
    failed_s, said = made.faults[0]
    assert said == "policy 'fake': RuntimeError: no memory"
    assert [at_s - failed_s for at_s in made.resets_s[1:]] == [1.0, 2.0, 3.0, 4.0]
    assert made.faults[-1] == (failed_s + 4.0, "")


def test_a_policy_that_never_failed_is_reset_for_runs_only(world):
    made = world()
    made.go(1)
    assert made.resets_s == [64.0]


@pytest.mark.parametrize(("alive", "waited_s"), [(True, [2.0]), (False, [])])
def test_a_policy_that_does_not_return_is_waited_for_two_seconds(world, alive, waited_s):
    made = world()
    made.worker._thread.alive = alive
    assert made.worker.stop() is not alive
    assert made.worker._thread.joined == waited_s
