"""What runs against the clock is tried again, told in the summary; a check of anything else is not."""

from __future__ import annotations

import shutil
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


@pytest.fixture
def run(repo_root: Path, tmp_path: Path):
    """Runs three tests that fail the first time only; gives what pytest prints."""
    shutil.copy(repo_root / "conftest.py", tmp_path)
    (tmp_path / "test_clock.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = graph: launches the ROS graph\n")

    def run(reruns: int) -> str:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
        command += ["--reruns", str(reruns), "--only-rerun", "GraphError", str(tmp_path)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout

    return run


def test_what_runs_nodes_is_tried_again_and_named_with_what_it_met_first(run) -> None:
    out = run(reruns=1)
    assert "1 failed, 2 passed, 2 rerun" in out
    told = out.partition("tried again")[2]
    assert "the machine paused" in told
    assert "a message came late" in told
    assert "seven is eight" not in told.partition("short test summary")[0]


def test_without_reruns_nothing_is_tried_again(run) -> None:
    assert "3 failed" in run(reruns=0)
