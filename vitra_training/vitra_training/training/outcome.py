"""What runs have learned, read from their metrics: losses at start and end, held-out errors before and after."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

import numpy as np

from vitra_training.training.errors import TrainingConfigError
from vitra_training.training.metrics_logger import METRICS

_WINDOW = 20
_FALL = 0.9
_GAP = 0.01
"""Share by which the loss must rise with another example's image or words."""


class Gate(StrEnum):
    """What a policy must have learned to be called good."""

    FELL = "losses fell"
    """Training loss lower by a tenth at least; held-out loss lower too where it was measured twice."""
    MOVES = "held-out wrist nearer than standing still"
    """The mean of several sampled chunks, since a single sample is as wide as the spread of what people do."""
    BELOW_BLIND = "held-out loss below the blind bound"
    """Below what the distribution of actions alone gives."""
    LOOKS = "another image makes the loss worse"
    LISTENS = "other words make the loss worse"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One evaluation on episodes that were not trained on."""

    step: int
    loss: float
    wrist_mm: float
    wrist_mm_still: float
    """The same error of a hand that stays where it is."""
    joint_deg: float
    wrist_mm_mean: float = math.nan
    """Of the mean of several samples."""
    wrist_mm_best: float = math.nan
    """Of the best of them."""
    loss_blind: float = math.nan
    """Of a linear denoiser that sees neither image, words nor state."""
    loss_other_images: float = math.nan
    """With the image of another example."""
    loss_other_words: float = math.nan
    """With the words of another example."""


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

    @property
    def gates(self) -> dict[Gate, bool]:
        """Which of the gates the policy passes; what was not measured is not passed."""
        if not self.held_out:
            return {gate: gate is Gate.FELL and self.fell for gate in Gate}
        last = self.held_out[-1]
        return {
            Gate.FELL: self.fell,
            Gate.MOVES: last.wrist_mm_mean < last.wrist_mm_still,
            Gate.BELOW_BLIND: last.loss < last.loss_blind,
            Gate.LOOKS: last.loss_other_images > (1 + _GAP) * last.loss,
            Gate.LISTENS: last.loss_other_words > (1 + _GAP) * last.loss,
        }

    @property
    def good(self) -> bool:
        """Whether it passes all of them."""
        return all(self.gates.values())


_MEASURES = tuple(field.name for field in fields(HeldOut) if field.name != "step")


def outcome_of(run: Path) -> Outcome:
    """Judge a run by its metrics.

    Args:
        run: folder of the run.

    Raises:
        TrainingConfigError: it has none, or fewer than two logged steps.
    """
    try:
        rows = [_row(line) for line in (run / METRICS).read_text().splitlines()]
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingConfigError(
            f"{run} has no readable {METRICS} ({error}). Name the folder of a run; one that was cut off goes on with "
            "the command that began it."
        ) from error
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


def _row(line: str) -> dict[str, float]:
    row = json.loads(line)
    if not isinstance(row, dict) or "step" not in row or not all(isinstance(v, int | float) for v in row.values()):
        raise ValueError(f"no numbers of a step: {line[:60]}")
    return row


def _held_out(rows: Iterable[dict[str, float]]) -> Iterable[HeldOut]:
    for row in rows:
        if "held_out/loss" in row:
            values = {name: row.get(f"held_out/{name}", math.nan) for name in _MEASURES}
            yield HeldOut(step=int(row["step"]), **values)
