from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from vitra_control.process_watch import ProcessWatch

pytestmark = pytest.mark.realtime


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def watch() -> Iterator[ProcessWatch]:
    watch = ProcessWatch("here")
    yield watch
    watch.close()


def test_a_killed_process_is_named_once(watch: ProcessWatch, process: subprocess.Popen[bytes]) -> None:
    watch.seen("policy", process.pid, "here")
    assert watch.ended() == []
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert watch.ended() == ["policy"]
    assert watch.ended() == []


def test_the_newest_process_of_a_name_is_watched(watch: ProcessWatch, process: subprocess.Popen[bytes]) -> None:
    watch.seen("policy", process.pid, "here")
    watch.seen("policy", os.getpid(), "here")
    process.kill()
    process.wait()
    assert watch.ended() == []


def test_processes_of_other_machines_and_unknown_ones_are_left_alone(watch: ProcessWatch) -> None:
    watch.seen("a", os.getpid(), "elsewhere")
    watch.seen("b", 0, "here")
    watch.seen("c", 2**22 - 1, "here")
    assert watch.ended() == []
