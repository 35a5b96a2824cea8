"""A worker thread that ends unexpectedly is remembered by name; one that was told to end is not."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from vitra_runtime.threads import WatchedThread, ended_threads

pytestmark = pytest.mark.realtime


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    for name in ("worker",):
        thread = WatchedThread(lambda: None, name=name, should_run=None)
        thread.start()
        thread.join()
    assert ended_threads() == ""


def ran(thread: WatchedThread) -> str:
    thread.start()
    thread.join(5.0)
    return ended_threads()


def fail() -> None:
    raise RuntimeError("the SDK gave up")


def test_an_exception_is_named_with_its_place() -> None:
    said = ran(WatchedThread(fail, name="worker", should_run=lambda: True))
    assert "thread 'worker' ended: RuntimeError: the SDK gave up (test_threads.py:" in said


def test_an_exception_counts_although_the_thread_might_have_returned() -> None:
    assert "RuntimeError" in ran(WatchedThread(fail, name="worker", should_run=None))


@pytest.mark.parametrize(("should_run", "noticed"), [(True, True), (False, False)])
def test_a_return_counts_while_the_thread_should_run(should_run: bool, noticed: bool) -> None:
    said = ran(WatchedThread(lambda: None, name="worker", should_run=lambda: should_run))
    assert bool(said) is noticed


def test_a_successor_of_the_same_name_makes_it_good() -> None:
    ran(WatchedThread(fail, name="worker", should_run=None))
    release = threading.Event()
    successor = WatchedThread(release.wait, name="worker", should_run=lambda: not release.is_set())
    successor.start()
    assert ended_threads() == ""
    release.set()
    successor.join(5.0)
    assert ended_threads() == ""


def test_its_owner_may_ask_to_be_told() -> None:
    told: list[str] = []
    ran(WatchedThread(fail, name="worker", should_run=None, on_end=told.append))
    assert len(told) == 1


def test_a_thread_that_lives_stays_alive_when_its_join_is_interrupted() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def wait_interrupted() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        thread.join(30.0)

    let_go = threading.Event()
    thread = WatchedThread(let_go.wait, name="worker", should_run=None)
    thread.start()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            wait_interrupted()
        assert thread.is_alive()
    finally:
        signal.signal(signal.SIGALRM, before)
        let_go.set()
    thread.join(5.0)
    assert not thread.is_alive()


def test_waiting_for_what_cannot_end_is_refused() -> None:
    with pytest.raises(RuntimeError, match="before it is started"):
        WatchedThread(lambda: None, name="worker", should_run=None).join()
    own: list[WatchedThread] = []
    thread = WatchedThread(lambda: own[0].join(), name="worker", should_run=None)
    own.append(thread)
    assert "cannot join current thread" in ran(thread)
