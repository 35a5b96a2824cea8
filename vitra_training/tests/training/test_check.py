"""The verdict on finished runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from vitra_policy.action_space import SIDES
from vitra_training.cli_train import main
from vitra_training.training.config import ModelConfig
from vitra_training.training.errors import TrainingConfigError
from vitra_training.training.outcome import Gate, Outcome, outcome_of
from vitra_training.training.run import train


def write_metrics(run: Path, losses: list[float], held_out: dict[int, float]) -> Path:
    run.mkdir(parents=True)
    rows = [{"step": step, "loss": loss} for step, loss in enumerate(losses, start=1)]
    names = ("wrist_mm", "wrist_mm_still", "joint_deg")
    rows += [{"step": s, "held_out/loss": v, **{f"held_out/{n}": 1.0 for n in names}} for s, v in held_out.items()]
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return run


GOOD = {
    "loss": 0.08,
    "wrist_mm": 30.0,
    "wrist_mm_mean": 20.0,
    "wrist_mm_best": 10.0,
    "wrist_mm_still": 25.0,
    "joint_deg": 5.0,
    "loss_blind": 0.097,
    "loss_other_images": 0.12,
    "loss_other_words": 0.1,
}


def judged(run: Path, **changes: float) -> Outcome:
    """A run whose last evaluation is good but for the changes."""
    write_metrics(run, [1.0] * 20 + [0.1] * 20, {0: 1.0})
    row = {"step": 40, **{f"held_out/{name}": value for name, value in (GOOD | changes).items()}}
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    return outcome_of(run)


def test_a_policy_that_passes_every_gate_is_good(tmp_path: Path) -> None:
    assert judged(tmp_path / "run").good


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({"wrist_mm_mean": 25.1}, Gate.MOVES),
        ({"loss_blind": 0.079}, Gate.BELOW_BLIND),
        ({"loss_other_images": 0.0801}, Gate.LOOKS),
        ({"loss_other_words": 0.08}, Gate.LISTENS),
        ({"loss_other_words": math.nan}, Gate.LISTENS),
        ({"loss": 1.1, "loss_blind": 2.0, "loss_other_images": 2.0, "loss_other_words": 2.0}, Gate.FELL),
    ],
)
def test_a_policy_that_fails_one_gate_is_not_good(tmp_path: Path, changes: dict[str, float], gate: Gate) -> None:
    outcome = judged(tmp_path / "run", **changes)
    assert not outcome.good
    assert [name for name, passed in outcome.gates.items() if not passed] == [gate]


def test_a_policy_whose_gates_were_not_measured_is_not_good(tmp_path: Path) -> None:
    assert not outcome_of(write_metrics(tmp_path / "run", [1.0] * 20 + [0.1] * 20, {0: 1.0, 40: 0.1})).good


@pytest.fixture(scope="module")
def robot_run(tiny: ModuleType, robot_data: Path, runs: Path, finished_run: Path) -> Path:
    """A fine-tuned run of four steps, evaluated before and after."""
    settings = tiny.settings(robot_data, runs, "for-the-robot", steps=4, evaluate_samples=4, evaluate_first=True)
    assert train(replace(settings, model=ModelConfig(initial=finished_run / "checkpoints/latest"))) == 0
    return runs / "for-the-robot"


def test_the_ends_of_the_loss_curve_are_compared(tmp_path: Path) -> None:
    outcome = outcome_of(write_metrics(tmp_path / "a", [1.0] * 20 + [9.0] * 10 + [0.5] * 20, {0: 1.0, 50: 0.6}))
    assert (outcome.steps, outcome.loss_first, outcome.loss_last) == (50, 1.0, 0.5)
    assert outcome.fell
    short = outcome_of(write_metrics(tmp_path / "b", [1.0, 0.8, 0.6, 0.4], {}))
    assert (short.loss_first, short.loss_last) == (pytest.approx(0.9), pytest.approx(0.5))


@pytest.mark.parametrize(
    ("losses", "held_out"),
    [([1.0] * 20 + [0.95] * 20, {0: 1.0, 40: 0.5}), ([1.0] * 20 + [0.5] * 20, {0: 1.0, 40: 1.1})],
)
def test_a_loss_that_hardly_falls_or_falls_in_training_only_is_no_fall(
    tmp_path: Path, losses: list[float], held_out: dict[int, float]
) -> None:
    assert not outcome_of(write_metrics(tmp_path / "run", losses, held_out)).fell


def test_a_folder_without_metrics_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingConfigError, match="nothing"):
        outcome_of(tmp_path / "nothing")
    with pytest.raises(TrainingConfigError, match="1 logged steps"):
        outcome_of(write_metrics(tmp_path / "one", [1.0], {}))


@pytest.mark.parametrize(
    "line", ["5", "[1]", '{"loss": 1}', '{"step": 1, "loss": "a"}', '{"step": "a"}', '{"step": 3, "lo']
)
def test_metrics_that_are_none_are_named(tmp_path: Path, line: str) -> None:
    metrics = write_metrics(tmp_path / "run", [1.0, 0.5], {}) / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + line)
    with pytest.raises(TrainingConfigError, match=r"no readable metrics\.jsonl"):
        outcome_of(tmp_path / "run")


def test_evaluation_before_the_first_step_is_of_the_initial_weights(robot_run: Path) -> None:
    assert [e.step for e in outcome_of(robot_run).held_out] == [0, 4]
    assert (robot_run / "evaluation/step-00000000.json").is_file()


def test_the_check_loads_the_checkpoint_as_the_policy_node_does(
    robot_run: Path, finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "check.json"
    code = main(["check", str(finished_run), str(robot_run), "--out", str(out)])
    result = json.loads(out.read_text())
    assert (code, result["good"]) == (1, False)  # four steps teach nothing
    held_out = result["runs"][1]["held_out"][-1]
    assert held_out["loss_blind"] > 0
    assert held_out["wrist_mm_best"] <= held_out["wrist_mm"]
    assert held_out["loss_other_images"] > 0
    assert held_out["loss_other_words"] > 0
    asked = ["check", str(finished_run), str(robot_run), "--out", str(out), "--demand", "learning"]
    assert main(asked) == (0 if result["learning"] else 1)
    assert [run["name"] for run in result["runs"]] == [finished_run.name, robot_run.name]
    assert result["robot"]["chunk_shape"] == [16, 102]
    assert result["robot"]["finite"]
    assert set(result["robot"]["hands"]) <= set(SIDES)
    shown = capsys.readouterr().out
    assert "NOT GOOD" in shown
    assert f"policy:=vitra checkpoint:={robot_run}/checkpoints/latest" in shown
    assert "held-out wrist error (mm)" in shown


def test_a_checkpoint_of_human_hands_is_not_for_the_robot(
    finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(finished_run), "--out", str(tmp_path / "check.json")]) == 2
    assert "not trained on robot hands" in capsys.readouterr().err


def test_a_check_of_no_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--out", str(tmp_path / "check.json")]) == 2
    assert "vitra-train check runs/train/NAME" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "check.json").exists()
