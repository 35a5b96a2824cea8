"""Is one policy better than another? Exact tests for independent and for paired trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its `stats` take a second to import, at first use
from scipy import special

from vitra_evaluation.stats.intervals import Interval, check_counts


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """Pairs of trials with the same layout, by who succeeded."""

    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return self.both + self.only_first + self.only_second + self.neither


def count_pairs(first: Sequence[bool], second: Sequence[bool]) -> PairedCounts:
    """Count pairs given in the same order."""
    table = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for pair in zip(first, second, strict=True):
        table[pair] += 1
    return PairedCounts(table[True, True], table[True, False], table[False, True], table[False, False])


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided exact p of the paired test (McNemar): discordant pairs against a fair coin; 1.0 without any."""
    n, k = only_first + only_second, min(only_first, only_second)
    if n == 0:
        return 1.0
    return float(min(1.0, 2.0 * special.bdtr(k, n, 0.5)))


def sign_flip_exact(differences: Sequence[int]) -> float:
    """Two-sided exact p of a paired test over groups of pairs, where what happens within a group hangs together.

    Under the null hypothesis the two policies could change names in every group. With one pair in each group this is
    `mcnemar_exact`.

    Args:
        differences: wins of the first policy minus wins of the second, one number for each group.
    """
    reach = sum(abs(d) for d in differences)
    chances = np.zeros(2 * reach + 1)  # of every sum from -reach to reach
    chances[reach] = 1.0
    for d in differences:
        if d:
            chances = 0.5 * (np.roll(chances, d) + np.roll(chances, -d))
    extreme = abs(sum(differences))
    sums = np.abs(np.arange(-reach, reach + 1))
    return float(min(1.0, chances[sums >= extreme].sum()))


def barnard(k1: int, n1: int, k2: int, n2: int) -> float:
    """Two-sided p of Barnard's unconditional exact test (pooled statistic) for independent trials.

    Args:
        k1: Successes of the first.
        n1: Its trials.
        k2: Successes of the second.
        n2: Its trials.
    """
    return _unconditional(scipy.stats.barnard_exact, k1, n1, k2, n2)


def boschloo(k1: int, n1: int, k2: int, n2: int) -> float:
    """Two-sided p of Boschloo's unconditional exact test, never less powerful than Fisher's.

    Args:
        k1: Successes of the first.
        n1: Its trials.
        k2: Successes of the second.
        n2: Its trials.
    """
    return _unconditional(scipy.stats.boschloo_exact, k1, n1, k2, n2)


def _unconditional(test: object, k1: int, n1: int, k2: int, n2: int) -> float:
    check_counts(k1, n1)
    check_counts(k2, n2)
    if (k1, k2) in ((0, 0), (n1, n2)):  # no difference to be seen; SciPy answers nan
        return 1.0
    result = test([[k1, k2], [n1 - k1, n2 - k2]], alternative="two-sided")  # type: ignore[operator]
    return float(min(1.0, result.pvalue))


def difference_interval(k1: int, n1: int, k2: int, n2: int, confidence: float = 0.95) -> Interval:
    """Newcombe's hybrid score interval (1998, method 10) of p1 - p2 for independent trials.

    Args:
        k1: Successes of the first.
        n1: Its trials.
        k2: Successes of the second.
        n2: Its trials.
        confidence: Of the interval, 0..1.
    """
    from vitra_evaluation.stats.intervals import wilson

    a, b = wilson(k1, n1, confidence), wilson(k2, n2, confidence)
    p1, p2 = k1 / n1, k2 / n2
    low = p1 - p2 - float(np.hypot(p1 - a.low, b.high - p2))
    return Interval(low, p1 - p2 + float(np.hypot(a.high - p1, p2 - b.low)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjustment for several comparisons, in the order given."""
    order = np.argsort(p_values)
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted
