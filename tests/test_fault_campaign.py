"""One seed of the ten worst kinds of the fault campaign, in one graph with both arms at speed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitra_bringup.faults.bench import Bench
from vitra_bringup.faults.campaign import running_bench
from vitra_bringup.faults.kinds import KINDS, WORST
from vitra_bringup.faults.trial import run_trial

pytestmark = [pytest.mark.graph, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Path]]:
    with running_bench(tmp_path_factory.mktemp("faults"), 30 + os.getpid() % 60, {}) as running:
        yield running


@pytest.mark.parametrize("kind", WORST)
def test_the_robot_rests_names_the_cause_and_moves_only_after_a_rearm(bench: tuple[Bench, Path], kind: str) -> None:
    running, trace = bench
    try:
        result = run_trial(running, KINDS[kind], 0, trace)
    finally:
        running.undo()
    print(result)
    assert result.problems == ()
