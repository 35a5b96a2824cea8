from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator

import pytest

from vitra_runtime.departure import Departure, DepartureCause
from vitra_runtime.parent_watch import END_WITH_PARENT, ParentWatch

pytestmark = pytest.mark.realtime


def test_only_a_process_that_is_told_so_ends_with_its_parent() -> None:
    assert ParentWatch.wanted({}) is None
    watch = ParentWatch.wanted({END_WITH_PARENT: "1"})
    assert watch is not None
    assert watch.pid == os.getppid()
    assert watch.descriptor is not None
    watch.close()


def test_a_parent_that_was_gone_before_the_first_look_is_lost() -> None:
    assert ParentWatch(os.getpid()).descriptor is None  # lives, but is not the parent
    reading, writing = os.pipe()
    os.close(reading)
    assert ParentWatch(os.getppid(), writing).descriptor is None
    os.close(writing)


def test_the_first_reason_stays_and_is_told_once() -> None:
    departure, told = Departure(None), []
    departure.tell(told.append)
    departure.begin(DepartureCause.LAUNCHER_LOST, "gone")
    departure.begin(DepartureCause.INTERRUPTED, "ctrl-c")
    assert [str(reason) for reason in told] == ["launcher_lost: gone"]
    late: list[object] = []
    departure.tell(late.append)
    assert late == told


def test_a_process_of_a_launch_lingers_and_one_started_by_hand_does_not() -> None:
    now_s = 10.0
    watch = ParentWatch(os.getppid())
    launched, alone = Departure(watch, lambda: now_s), Departure(None, lambda: now_s)
    for departure in (launched, alone):
        assert not departure.is_due(0.5)
        departure.begin(DepartureCause.INTERRUPTED, "ctrl-c")
    assert alone.is_due(0.5)
    assert not launched.is_due(0.5)
    now_s = 10.5
    assert launched.is_due(0.5)
    watch.close()


CHILD = textwrap.dedent(
    """
    import sys, threading
    from vitra_runtime import departure as module
    from vitra_runtime.parent_watch import ParentWatch
    module.KILL_AFTER_S = 0.1
    departure = module.Departure(ParentWatch.wanted())
    departure.tell(lambda reason: print(f"TOLD {reason}", file=sys.stderr, flush=True))
    departure.listen()
    print("HANGS", file=sys.stderr, flush=True)
    threading.Event().wait()
    """
)


@pytest.fixture
def child() -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a process that listens, in a launch."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD],
            env={**os.environ, END_WITH_PARENT: "1"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stderr is not None
        assert process.stderr.readline() == "HANGS\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("number", "cause"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "launcher_lost"), (signal.SIGHUP, "launcher_lost")],
)
def test_a_signal_is_heard_while_the_main_thread_is_elsewhere(child, number: int, cause: str) -> None:
    process = child()
    process.send_signal(number)
    assert process.stderr.readline().startswith(f"TOLD {cause}: told to end")


def test_a_process_whose_launcher_is_killed_says_so_and_ends_itself_even_if_it_hangs() -> None:
    child = [sys.executable, "-c", CHILD]
    launcher = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess; subprocess.Popen({child!r}, stdout=subprocess.PIPE).wait()"],
        env={**os.environ, END_WITH_PARENT: "1"}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert launcher.stderr is not None
    assert launcher.stderr.readline() == "HANGS\n"
    launcher.kill()
    launcher.wait()
    # Reading ends with the last process that holds the pipe.
    assert launcher.stderr.read().startswith(f"TOLD launcher_lost: process {launcher.pid}, which started this one")


STANDING = textwrap.dedent(
    """
    import ctypes
    from vitra_runtime import departure as module
    from vitra_runtime.parent_watch import ParentWatch
    module.STANDS_STILL_S, module._WIND_UP_S = 0.5, 0.1
    departure = module.Departure(ParentWatch.wanted())
    departure.listen()
    ctypes.PyDLL(None).sleep(60)  # as a call into the middleware that never returns and keeps the interpreter's lock
    """
)


def test_a_process_in_which_no_python_can_run_shows_where_it_stands_and_ends() -> None:
    launched = {**os.environ, END_WITH_PARENT: "1"}
    ended = subprocess.run([sys.executable, "-c", STANDING], env=launched, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert "Timeout" in ended.stderr
    assert 'File "<string>"' in ended.stderr
