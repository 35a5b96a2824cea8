"""What runs have learned, read from their metrics: losses at start and end, held-out errors before and after."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitra_training.training.errors import TrainingConfigError
from vitra_training.training.metrics_logger import METRICS

_WINDOW = 20
_FALL = 0.9


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One evaluation on episodes that were not trained on."""

    step: int
    loss: float
    wrist_mm: float
    wrist_mm_still: float
    """The same error of a hand that stays where it is."""
    joint_deg: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run, judged."""

    name: str
    steps: int
    loss_first: float
    """Mean training loss of the first 20 logged steps (of half of them in a run with fewer than 40)."""
    loss_last: float
    """The same of the last ones."""
    held_out: tuple[HeldOut, ...]
    """In the order of their steps."""

    @property
    def fell(self) -> bool:
        """Training loss lower by a tenth at least; held-out loss lower too where it was measured twice."""
        fell = self.loss_last <= _FALL * self.loss_first
        if len(self.held_out) > 1:
            fell = fell and self.held_out[-1].loss < self.held_out[0].loss
        return fell


def outcome_of(run: Path) -> Outcome:
    """Judge a run by its metrics.

    Args:
        run: folder of the run.

    Raises:
        TrainingConfigError: it has none, or fewer than two logged steps.
    """
    try:
        rows = [json.loads(line) for line in (run / METRICS).read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise TrainingConfigError(f"{run} has no readable {METRICS} ({error}). Name the folder of a run.") from error
    losses = [row["loss"] for row in rows if "loss" in row]
    if len(losses) < 2:
        raise TrainingConfigError(f"{run / METRICS} has {len(losses)} logged steps; a fall needs two at least.")
    window = min(_WINDOW, len(losses) // 2)
    return Outcome(
        name=run.name,
        steps=max(int(row["step"]) for row in rows),
        loss_first=float(np.mean(losses[:window])),
        loss_last=float(np.mean(losses[-window:])),
        held_out=tuple(_held_out(rows)),
    )


def _held_out(rows: Iterable[dict[str, float]]) -> Iterable[HeldOut]:
    for row in rows:
        if "held_out/loss" in row:
            names = ("loss", "wrist_mm", "wrist_mm_still", "joint_deg")
            yield HeldOut(int(row["step"]), *(row[f"held_out/{name}"] for name in names))
