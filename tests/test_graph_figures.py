"""The commands that measure the graph run, on one cell and one start; their figures are in docs/benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.graph, pytest.mark.slow, pytest.mark.timeout(240)]


def run(*words: str) -> None:
    subprocess.run([sys.executable, "-m", *words], check=True, timeout=200)


def test_a_cell_of_the_grid_keeps_its_path_though_answers_are_held_back(tmp_path: Path, ros_domain: int) -> None:
    page = tmp_path / "grid.md"
    words = ("--chunk-hz", "10", "--speed", "1", "--delay-s", "0.2", "--out", str(page))
    run("vitra_bringup.graph_grid", *words)
    row = page.read_text().splitlines()[-1]
    assert row.startswith("| 10 | 1 | 0.2 | 1/1 |")
    assert float(row.split("|")[7]) > 0.0, "the path was measured"


def test_a_first_run_is_counted(tmp_path: Path, ros_domain: int) -> None:
    figures = tmp_path / "starts.json"
    run("vitra_bringup.fresh_starts", "--starts", "1", "--out", str(figures))
    said = json.loads(figures.read_text())
    assert (said["starts"], said["successes"], said["without_a_stop"]) == (1, 1, 1)
