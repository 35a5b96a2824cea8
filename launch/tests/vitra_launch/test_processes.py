from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vitra_launch.launch_file import Process
from vitra_launch.processes import ProcessGroup


class Log:
    """Collects lines and reacts to them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)

    def has(self, text: str, count: int = 1) -> Callable[[], bool]:
        return lambda: sum(text in line for line in self.lines) >= count


@pytest.fixture
def spec(environment: dict[str, str]):
    def _spec(executable: str, **changes: object) -> Process:
        path = Path(environment["AMENT_PREFIX_PATH"]) / "lib/toy" / executable
        return Process(executable, (str(path),), dict(environment), **changes)  # type: ignore[arg-type]

    return _spec


def test_lines_carry_the_name_of_their_process_and_ctrl_c_ends_it(spec) -> None:
    log = Log()
    group = ProcessGroup(log)
    group.start(spec("echo_args"))
    assert group.run(log.has("ARGS")) == 0
    assert "[echo_args-1] ARGS" in log.lines
    assert log.has("finished cleanly")()


def test_a_process_that_ignores_signals_is_killed_after_its_timeouts(spec) -> None:
    log = Log()
    group = ProcessGroup(log)
    group.start(spec("stubborn", sigterm_timeout_s=0.1, sigkill_timeout_s=0.1))
    group.run(log.has("READY"))
    assert [line for line in log.lines if "SIGKILL" in line or "in time" in line] == [
        line for line in log.lines if "process has died" in line and "it did not stop in time" in line
    ]
    assert log.has("killed by SIGKILL: it did not stop in time")()


def test_a_killed_process_is_started_again_and_the_others_go_on(spec) -> None:
    log, pids = Log(), []
    group = ProcessGroup(log, on_start=lambda name, pid: pids.append(pid))
    group.start(spec("echo_args", respawn=True))
    group.start(spec("echo_args"))

    def step() -> bool:
        if log.has("ARGS", 2)() and len(pids) == 2:
            os.kill(pids[0], signal.SIGKILL)
        return len(pids) == 3 and log.has("ARGS", 3)()

    assert group.run(step) == 0
    assert log.has("killed by SIGKILL")()


def test_the_exit_code_tells_that_a_process_failed(spec) -> None:
    log = Log()
    group = ProcessGroup(log)
    group.start(spec("failing"))
    assert group.run(lambda: False) == 3
    assert log.has("exit code 3")()


def test_a_wrong_configuration_is_said_once_more_at_the_end(spec) -> None:
    log = Log()
    group = ProcessGroup(log)
    group.start(spec("misconfigured", respawn=True, respawn_delay_s=60.0))
    group.start(spec("telling"))
    group.run(lambda: log.has("exit code 2")() and (group.request_stop(signal.SIGINT) or True))
    assert group.exit_code == 2
    assert log.lines[-1] == "[ERROR] [launch]: ended because of [misconfigured-1] no such policy"


def test_the_launch_ends_with_the_node_that_asks_for_it(spec) -> None:
    log = Log()
    group = ProcessGroup(log)
    group.start(spec("echo_args"))
    group.start(spec("finishing", shutdown_on_exit=True))
    assert group.run(lambda: False) == 0


def test_respawn_gives_up_after_the_allowed_retries(spec) -> None:
    log = Log()
    group = ProcessGroup(log)
    group.start(spec("failing", respawn=True, respawn_max_retries=2))
    assert group.run(lambda: False) == 3
    assert log.has("exit code 3", 3)()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_the_launcher_ends_its_processes_and_they_can_tell_what_it_was(spec, number: int) -> None:
    log = Log()
    group = ProcessGroup(log)
    group.start(spec("telling"))

    def step() -> bool:
        if log.has("READY")():
            group.request_stop(number)
        return False

    assert group.run(step) == 0
    assert log.has(f"GOT {signal.Signals(number).name}")()


def test_processes_do_not_outlive_a_launcher_that_is_killed(environment: dict[str, str]) -> None:
    code = (
        "from vitra_launch.launch_file import Process; from vitra_launch.processes import ProcessGroup; "
        f"group = ProcessGroup(); group.start(Process('t', ({environment['AMENT_PREFIX_PATH'] + '/lib/toy/telling'!r},)"
        f", {environment!r})); group.run()"
    )
    launcher = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    lines = iter(launcher.stdout)
    pid = int(re.search(r"pid \[(\d+)\]", next(lines))[1])  # type: ignore[index]
    assert "READY" in next(lines)
    orphan = os.pidfd_open(pid)
    launcher.kill()
    launcher.wait()
    readable, _, _ = select.select([orphan], [], [], 60.0)
    assert readable, "the process lives on"
    os.close(orphan)
