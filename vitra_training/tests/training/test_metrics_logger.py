"""What a run leaves in metrics.jsonl, also when it was cut off and taken up again."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

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


def test_a_leader_writes_below_folders_that_are_not_there_yet_and_shows_loss_and_rate(tmp_path: Path) -> None:
    folder = tmp_path / "runs/deep"
    with MetricsLogger(folder, RunConfig(tensorboard=False, steps=9), {}, 0) as journal:
        journal.record(3, {"loss": 0.12345, "samples_per_s": 6.54})
        task = journal._bar.tasks[0]
        assert (task.completed, task.total) == (3, 9)
        assert task.fields == {"loss": "0.1235", "rate": "6.5"}
        journal.record(4, {"error_mm": 2.0})
        assert task.fields == {"loss": "0.1235", "rate": "6.5"}, "what is not said stays"
    assert steps_of(folder) == [3, 4]


def test_a_run_that_goes_on_cuts_its_curves_at_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writers: list[dict[str, Any]] = []
    module = types.ModuleType("torch.utils.tensorboard")

    class Writer:
        def __init__(self, folder: str, purge_step: int) -> None:
            self.told = {"folder": folder, "purge_step": purge_step, "scalars": []}
            writers.append(self.told)

        def add_scalar(self, name: str, value: float, step: int) -> None:
            self.told["scalars"].append((name, value, step))

        def close(self) -> None:
            self.told["closed"] = True

    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    with MetricsLogger(tmp_path, RunConfig(), {}, 7) as journal:
        journal.record(8, {"loss": 1.0, "rate": 2.0})
    assert writers == [
        {
            "folder": str(tmp_path / "tensorboard"),
            "purge_step": 8,
            "scalars": [("loss", 1.0, 8), ("rate", 2.0, 8)],
            "closed": True,
        }
    ]


def test_what_is_said_is_one_line_however_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with MetricsLogger(tmp_path, RunConfig(tensorboard=False), {}, 0) as journal:
        journal.say("word " * 60 + "end")
    assert "word " * 60 + "end" in capsys.readouterr().err


def test_a_step_is_in_the_file_as_soon_as_it_is_recorded(tmp_path: Path) -> None:
    with MetricsLogger(tmp_path, RunConfig(tensorboard=False), {}, 0) as journal:
        journal.record(1, {"loss": 1.0})
        assert steps_of(tmp_path) == [1]
