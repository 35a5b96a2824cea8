"""How far two judges agree beyond chance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from vitra_evaluation.stats.intervals import CountError, Interval


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cohen's kappa (1960) with its large-sample interval, and the raw share of equal labels."""

    kappa: float
    interval: Interval
    observed: float
    items: int


def cohens_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> Agreement:
    """Kappa of two judges' labels of the same items.

    Raises:
        CountError: no items, or not the same number of labels.
    """
    n = len(first)
    if n == 0 or n != len(second):
        raise CountError(f"Two judges must label the same items; got {n} and {len(second)} labels.")
    labels = sorted({*first, *second}, key=str)
    table = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for a, b in zip(first, second, strict=True):
        table[labels.index(a), labels.index(b)] += 1
    # In whole numbers: shares that add up to 0.9999 would make two judges who always agree half of a kappa.
    same, by_chance = int(np.trace(table)), int(table.sum(axis=1) @ table.sum(axis=0))
    observed, expected = same / n, by_chance / n**2
    if by_chance == n**2:  # both used one and the same label throughout
        return Agreement(1.0, Interval(1.0, 1.0), observed, n)
    kappa = (observed - expected) / (1 - expected)
    half = 1.959963984540054 * float(np.sqrt(observed * (1 - observed) / n)) / (1 - expected)
    return Agreement(kappa, Interval(max(-1.0, kappa - half), min(1.0, kappa + half)), observed, n)
