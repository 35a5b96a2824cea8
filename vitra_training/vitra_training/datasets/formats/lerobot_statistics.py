"""Statistics of a feature as LeRobot stores them, mergeable from episode to episode; quantiles are from a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.episode import Array

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
"""Names in `stats.json`; policies that normalise by quantiles (pi0.5, MolmoAct2) refuse data without q01 and q99."""
_BLOCK_ROWS = 4096
_SAMPLE_ROWS = 200_000
"""Rows kept per feature: the error of a quantile is then below a thousandth of the rank."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Minimum, maximum, mean, deviation, quantiles and count of a feature."""

    low: Array
    high: Array
    mean: Array
    squares: Array
    """Sum of squared deviations."""
    count: int
    sample: NDArray[np.float32]
    """(R, D) evenly spaced rows."""
    every: int = 1
    """One of so many rows is in the sample."""
    channels: bool = False
    """Whether the numbers are per colour channel, (C, 1, 1) in the file."""

    @staticmethod
    def of(values: NDArray[Any], channels: bool = False) -> Extent:
        """Of the rows (..., D) or (N,) of one episode."""
        rows = values.reshape(-1, values.shape[-1] if values.ndim > 1 else 1)
        mean = rows.mean(axis=0, dtype=np.float64)
        squares = np.zeros_like(mean)
        for first in range(0, len(rows), _BLOCK_ROWS):  # half an hour of rows is not copied several times
            squares += ((rows[first : first + _BLOCK_ROWS] - mean) ** 2).sum(0)
        low, high = rows.min(0).astype(np.float64), rows.max(0).astype(np.float64)
        return Extent(
            low, high, mean, squares, len(rows), rows.astype(np.float32, copy=False), channels=channels
        )._thinned()

    def merged(self, other: Extent) -> Extent:
        """Of both."""
        count = self.count + other.count
        gap = other.mean - self.mean
        mean = self.mean + gap * other.count / count
        squares = self.squares + other.squares + gap**2 * self.count * other.count / count
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        every = max(self.every, other.every)
        sample = np.concatenate([one.sample[:: every // one.every] for one in (self, other)])
        return Extent(low, high, mean, squares, count, sample, every, self.channels)._thinned()

    def as_dict(self) -> dict[str, Any]:
        """For `stats.json`."""
        values = {"min": self.low, "max": self.high, "mean": self.mean, "std": np.sqrt(self.squares / self.count)}
        values |= {name: np.quantile(self.sample, q, axis=0) for name, q in QUANTILES.items()}
        shaped = {n: (v.reshape(-1, 1, 1) if self.channels else v).tolist() for n, v in values.items()}
        return {**shaped, "count": [self.count]}

    def _thinned(self) -> Extent:
        sample, every = self.sample, self.every
        while len(sample) > _SAMPLE_ROWS:
            sample, every = sample[::2], 2 * every
        return Extent(
            self.low, self.high, self.mean, self.squares, self.count, np.ascontiguousarray(sample), every, self.channels
        )
