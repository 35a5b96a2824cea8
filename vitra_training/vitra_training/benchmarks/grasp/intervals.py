"""Averages and medians over objects with bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESAMPLES = 2000
_TAILS_PERCENT = (2.5, 97.5)
_SEED = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one row's distances; 95 % intervals by percentile bootstrap over objects (Efron and Tibshirani 1993)."""

    objects: int
    average_cm: float
    average_interval_cm: tuple[float, float]
    median_cm: float
    median_interval_cm: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Difference:
    """Average of one row minus another over the objects that both have."""

    objects: int
    average_cm: float
    interval_cm: tuple[float, float]


def summarise(values_cm: Array) -> Summary:
    """Average and median of distances (N,), N at least 1."""
    drawn = _resampled(values_cm)
    return Summary(
        len(values_cm),
        float(values_cm.mean()),
        _interval(drawn.mean(axis=1)),
        float(np.median(values_cm)),
        _interval(np.median(drawn, axis=1)),
    )


def paired_difference(values_cm: Array, others_cm: Array) -> Difference | None:
    """Average difference of distances (N,) of the same objects; NaN where a row lacks one. None without pairs."""
    apart = values_cm - others_cm
    apart = apart[np.isfinite(apart)]
    if not apart.size:
        return None
    return Difference(len(apart), float(apart.mean()), _interval(_resampled(apart).mean(axis=1)))


def _resampled(values: Array) -> Array:
    rng = np.random.default_rng(_SEED)
    return np.asarray(values[rng.integers(len(values), size=(RESAMPLES, len(values)))])


def _interval(statistics: Array) -> tuple[float, float]:
    low, high = np.percentile(statistics, _TAILS_PERCENT)
    return float(low), float(high)
