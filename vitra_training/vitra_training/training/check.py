"""The end of a training session in one table: what was learned, and that the robot takes it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vitra_training.training.checkpoints import LATEST
from vitra_training.training.errors import TrainingConfigError
from vitra_training.training.outcome import Gate, HeldOut, Outcome, outcome_of
from vitra_training.training.robot_check import check_on_robot
from vitra_training.training.trainer import CHECKPOINTS


class Demand(StrEnum):
    """What a check asks for."""

    GOOD = "good"
    """Every gate passed: it moves better than standing still, looks, and listens."""
    LEARNING = "learning"
    """Losses fell; enough to see that training works, not to use the policy."""


def check_runs(runs: Sequence[Path], out: Path, console: Console, demand: Demand = Demand.GOOD) -> bool:
    """Judge runs and load the last one's checkpoint as the robot does; prints a table and writes JSON.

    Args:
        runs: folders of runs in the order they were trained; the last one is for the robot.
        out: JSON file to write.
        console: where the table goes.
        demand: what is asked of them.

    Returns:
        Whether every run does what is asked and the policy answered with finite actions.

    Raises:
        TrainingConfigError: no run is named.
        VitraError: a run has no metrics, or its checkpoint cannot be loaded.
    """
    if not runs:
        raise TrainingConfigError("No run is named. Name folders of runs: `vitra-train check runs/train/NAME`.")
    outcomes = [outcome_of(run) for run in runs]
    console.print(_table(outcomes))
    robot = check_on_robot(runs[-1] / CHECKPOINTS / LATEST)
    console.print(
        f"policy '{robot.policy}' answers: chunk {robot.chunk_shape[0]} x {robot.chunk_shape[1]} for "
        f"{' and '.join(robot.hands)}, {'finite' if robot.finite else 'NOT FINITE'}, largest wrist step "
        f"{robot.largest_step_m * 1e3:.1f} mm, {robot.infer_s * 1e3:.0f} ms",
        highlight=False,
    )
    console.print(f"on the simulated robot: {robot.launch}", highlight=False, soft_wrap=True)
    good = robot.finite and all(outcome.good for outcome in outcomes)
    learning = robot.finite and all(outcome.fell for outcome in outcomes)
    figures = {
        "good": good,
        "learning": learning,
        "runs": [
            dataclasses.asdict(outcome)
            | {"fell": outcome.fell, "gates": {g.name: ok for g, ok in outcome.gates.items()}}
            for outcome in outcomes
        ],
        "robot": dataclasses.asdict(robot),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n")
    missing = [f"{o.name}: {gate}" for o in outcomes for gate, passed in o.gates.items() if not passed]
    verdict = "good" if good else "learning, but NOT GOOD" if learning else "NOT GOOD"
    reasons = "".join(f"\n  not passed: {line}" for line in [*missing, *["finite actions"] * (not robot.finite)])
    console.print(f"{verdict} -> {out}{reasons}", highlight=False, soft_wrap=True)
    return good if demand is Demand.GOOD else learning


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(title="what the runs learned")
    table.add_column("")
    for outcome in outcomes:
        table.add_column(outcome.name, justify="right", no_wrap=True)
    rows: dict[str, Callable[[Outcome], str]] = {
        "steps": lambda o: str(o.steps),
        "training loss, first to last 20 steps": lambda o: f"{o.loss_first:.3f} -> {o.loss_last:.3f}",
        "held-out loss": lambda o: _course(o.held_out, lambda e: e.loss, 3),
        "held-out wrist error (mm)": lambda o: _course(o.held_out, lambda e: e.wrist_mm),
        "of a hand that stands still (mm)": lambda o: _course(o.held_out[-1:], lambda e: e.wrist_mm_still),
        "of the mean and the best of several samples": lambda o: _several(o.held_out[-1:]),
        "held-out joint error (deg)": lambda o: _course(o.held_out, lambda e: e.joint_deg),
        "blind bound of the held-out loss": lambda o: _course(o.held_out[-1:], lambda e: e.loss_blind, 3),
        "held-out loss with other images": lambda o: _course(o.held_out[-1:], lambda e: e.loss_other_images, 3),
        "held-out loss with other words": lambda o: _course(o.held_out[-1:], lambda e: e.loss_other_words, 3),
        **{str(gate): partial(_passed, gate) for gate in Gate},
    }
    for name, cell in rows.items():
        table.add_row(name, *map(cell, outcomes))
    return table


def _passed(gate: Gate, outcome: Outcome) -> str:
    return "yes" if outcome.gates[gate] else "NO"


def _several(held: Sequence[HeldOut]) -> str:
    return f"{held[0].wrist_mm_mean:.1f}, {held[0].wrist_mm_best:.1f}" if held else "-"


def _course(held: Sequence[HeldOut], value: Callable[[HeldOut], float], digits: int = 1) -> str:
    """Before and after, or the only one there is."""
    shown = [value(held[index]) for index in (0, -1)[-len(held) :]] if held else []
    return " -> ".join(f"{number:.{digits}f}" for number in shown) or "-"
