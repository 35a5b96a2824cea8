"""What a run leaves in metrics.jsonl, also when it was cut off and taken up again."""

from __future__ import annotations

import json
from pathlib import Path

from vitra_training.training.config import RunConfig
from vitra_training.training.metrics_logger import METRICS, MetricsLogger


def steps_of(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / METRICS).read_text().splitlines()]


def test_a_run_that_goes_on_from_a_checkpoint_leaves_every_step_once(tmp_path: Path) -> None:
    config = RunConfig(tensorboard=False)
    with MetricsLogger(tmp_path, config, {}, 0) as journal:
        for step in (1, 2, 3, 4):
            journal.record(step, {"loss": 1.0})
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 5, "lo')  # a kill cut this line short
    with MetricsLogger(tmp_path, config, {}, 2) as journal:
        for step in (3, 4, 5):
            journal.record(step, {"loss": 0.5})
    assert steps_of(tmp_path) == [1, 2, 3, 4, 5]
    losses = [json.loads(line)["loss"] for line in (tmp_path / METRICS).read_text().splitlines()]
    assert losses == [1.0, 1.0, 0.5, 0.5, 0.5]


def test_followers_of_the_leading_process_write_nothing(tmp_path: Path) -> None:
    with MetricsLogger(tmp_path / "run", RunConfig(tensorboard=False), {}, 0, silent=True) as journal:
        journal.record(1, {"loss": 1.0})
    assert not (tmp_path / "run").exists()
