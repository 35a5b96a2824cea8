"""Two averages over cells that must not be confused: macro (mean of rates) and pooled (all trials together)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vitra_evaluation.stats.intervals import Interval, check_counts

BOOTSTRAP_DRAWS = 20_000
_SEED = 20_251_021  # fixed: the same counts give the same interval in every report


@dataclass(frozen=True, slots=True)
class Average:
    """A mean over cells with a bootstrap interval."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Averages:
    """Both averages of the same cells.

    Attributes:
        macro: Mean of the cells' rates; every cell counts the same (the paper's "Average").
        pooled: Successes over trials; every trial counts the same.
    """

    macro: Average
    pooled: Average


def macro_and_pooled(cells: Sequence[tuple[int, int]], confidence: float = 0.95) -> Averages:
    """Averages of cells (k, n), with intervals from a bootstrap within each cell.

    Where all trials of a cell have the same outcome resampling would show no spread at all, so each cell's rate is
    drawn from its Jeffreys posterior first (a smoothed bootstrap).
    """
    for k, n in cells:
        check_counts(k, n)
    successes, trials = (np.array(column, dtype=np.float64) for column in zip(*cells, strict=True))
    rng = np.random.default_rng(_SEED)
    rates = rng.beta(successes + 0.5, trials - successes + 0.5, size=(BOOTSTRAP_DRAWS, len(trials)))
    tail = (1 - confidence) / 2

    def average(value: float, draws: np.ndarray) -> Average:
        low, high = np.quantile(draws, [tail, 1 - tail])
        return Average(float(value), Interval(min(float(low), float(value)), max(float(high), float(value))))

    return Averages(
        macro=average(float(np.mean(successes / trials)), rates.mean(axis=1)),
        pooled=average(successes.sum() / trials.sum(), rates @ trials / trials.sum()),
    )
