"""What runs against the clock is tried again, told in the summary; a check of anything else is not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pathlib
import pytest

HERE = pathlib.Path(__file__).parent

def first_time(name):
    mark = HERE / name
    seen = mark.exists()
    mark.touch()
    return not seen

@pytest.mark.graph
def test_graph():
    assert not first_time("graph"), "the machine paused"

def test_nodes(ros_domain):
    assert not first_time("nodes"), "a message came late"

def test_arithmetic():
    assert not first_time("arithmetic"), "seven is eight"
"""
NEVER = """
import threading
import pytest

@pytest.mark.graph
def test_graph():
    threading.Event().wait(0.2)  # the processors are looked at meanwhile
    assert False, "broken off: no setpoints for 45 ms"

@pytest.mark.graph
@pytest.mark.parametrize("why", ["the cube lies beside the box", "Waited 90 s for the graph; still missing: executor"])
def test_broken(why):
    threading.Event().wait(0.2)  # "no setpoints for" in the source says nothing
    assert False, why

def test_nodes(ros_domain):
    assert False, "a message never came"
"""
LATE = """
import pytest

@pytest.mark.graph
@pytest.mark.parametrize("number", range(8))
def test_graph(number):
    assert number in (2, 7), "no setpoints for 45 ms"

def test_arithmetic():
    assert 7 + 1 == 8
"""


@pytest.fixture
def run(repo_root: Path, tmp_path: Path):
    """Runs made-up tests under this project's conftest; gives what pytest prints."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  graph: launches the ROS graph\n  clock: real time\n")

    def run(tests: str, reruns: int, keeps_time_ns: str = "1e9") -> str:
        conftest = (repo_root / "conftest.py").read_text(encoding="utf-8")
        assert "_GRAPH_KEEPS_TIME_NS = " in conftest
        line = f"_GRAPH_KEEPS_TIME_NS = {keeps_time_ns}"
        (tmp_path / "conftest.py").write_text(re.sub("^_GRAPH_KEEPS_TIME_NS = .*", line, conftest, flags=re.M))
        (tmp_path / "test_clock.py").write_text(tests)
        command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
        command += ["--reruns", str(reruns), "--only-rerun", "GraphError", str(tmp_path)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout

    return run


def test_what_runs_nodes_is_tried_again_and_named_with_what_it_met_first(run) -> None:
    out = run(TESTS, reruns=1)
    assert "1 failed, 2 passed, 2 rerun" in out
    told = out.partition("tried again")[2]
    assert "the machine paused" in told
    assert "a message came late" in told
    assert "seven is eight" not in told.partition("short test summary")[0]


def test_without_reruns_nothing_is_tried_again(run) -> None:
    assert "3 failed" in run(TESTS, reruns=0)


def test_a_graph_that_does_not_keep_time_fails_but_for_a_machine_that_is_too_slow(run) -> None:
    assert "4 failed, 8 rerun" in run(NEVER, reruns=1)
    out = run(NEVER, reruns=1, keeps_time_ns="0.0")
    assert "3 failed, 1 skipped, 6 rerun" in out, "only what the whole graph was late with"
    assert "a machine too slow for the graph" in out
    assert "4 failed" in run(NEVER, reruns=0, keeps_time_ns="0.0")


def test_a_machine_that_was_too_slow_for_three_graph_tests_in_turn_is_not_asked_again(run) -> None:
    out = run(LATE, reruns=1, keeps_time_ns="0.0")
    assert "2 passed, 7 skipped" in out, "the one that was in time after two, and what is not against the clock"
    assert "[2]" in next(line for line in out.splitlines() if "before this one were too late" in line), "the last two"
    assert "6 failed, 3 passed, 12 rerun" in run(LATE, reruns=1), "not where it was fast enough"
