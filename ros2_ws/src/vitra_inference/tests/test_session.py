import threading

import numpy as np
import pytest

from vitra_inference.session import RunRefusedError, RunSession, TerminationReason

pytestmark = pytest.mark.realtime

RIGHT = np.array([False, True])


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def session(clock):
    return RunSession(clock)


def test_only_one_run_at_a_time(session):
    session.start("wave", RIGHT)
    with pytest.raises(RunRefusedError, match="wave"):
        session.start("point", RIGHT)


def test_the_first_reason_stays(session):
    run = session.start("wave", RIGHT)
    assert session.end(TerminationReason.CANCELED, "first")
    assert not session.end(TerminationReason.STOPPED, "second")
    assert (run.reason, run.detail) == (TerminationReason.CANCELED, "first")
    assert run.ended.is_set()


def test_an_end_meant_for_an_old_run_leaves_the_new_one_alone(session):
    old = session.start("wave", RIGHT)
    session.end(TerminationReason.CANCELED)
    new = session.start("point", RIGHT)
    assert not session.end(TerminationReason.POLICY_ERROR, "late", old)
    assert session.run is new


def test_the_time_limit_ends_the_run_and_zero_is_none(session, clock):
    run = session.start("wave", RIGHT, time_limit_s=2.0)
    clock.now_s += 1.9
    session.check_time()
    assert run.reason is None
    clock.now_s += 0.1
    session.check_time()
    assert run.reason is TerminationReason.TIME_LIMIT
    clock.now_s += 50
    assert session.elapsed_s(run) == pytest.approx(2.0)
    endless = session.start("wave", RIGHT)
    clock.now_s += 1e6
    session.check_time()
    assert endless.reason is None


def test_a_chunk_of_an_ended_run_does_not_count(session):
    run = session.start("wave", RIGHT)
    assert session.count_chunk(run, 0.02)
    session.end(TerminationReason.STOPPED)
    assert not session.count_chunk(run, 0.02)
    assert (run.chunks, run.inference_s) == (1, 0.02)


def test_waiting_returns_as_soon_as_a_run_begins(session):
    got = []
    waiting = threading.Thread(target=lambda: got.append(session.wait(20)))
    waiting.start()
    run = session.start("wave", RIGHT)
    waiting.join(5)
    assert got == [run]


def test_a_new_instruction_reaches_the_run_under_way(session):
    run = session.start("wave", RIGHT)
    session.redirect("point", RIGHT)
    assert run.instruction == "point"
