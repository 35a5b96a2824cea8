"""Mean and deviation of the numbers of one hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.errors import VitraError

FloatArray = NDArray[np.float64]

_EPSILON = 1e-7


class StatisticsError(VitraError):
    """A statistics file that is missing or not of the expected form."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and population standard deviation per dimension."""

    mean: FloatArray
    std: FloatArray

    @classmethod
    def of(cls, samples: ArrayLike, valid: ArrayLike | None = None) -> Moments:
        """Moments of samples (N, D), of the rows where ``valid`` (N,) only.

        Raises:
            StatisticsError: No valid row.
        """
        rows = np.asarray(samples, dtype=np.float64)
        if valid is not None:
            rows = rows[np.asarray(valid, dtype=bool)]
        if not len(rows):
            raise StatisticsError("No valid sample to compute statistics from.")
        return cls(rows.mean(axis=0), rows.std(axis=0))

    def normalise(self, values: FloatArray) -> FloatArray:
        """``(x - mean) / (std + 1e-7)`` on the last dimension."""
        return (values - self.mean) / (self.std + _EPSILON)

    def denormalise(self, values: FloatArray) -> FloatArray:
        """Inverse of :meth:`normalise`."""
        return values * (self.std + _EPSILON) + self.mean


@dataclass(frozen=True, slots=True)
class HandStatistics:
    """Moments of one hand."""

    state: Moments
    action: Moments
