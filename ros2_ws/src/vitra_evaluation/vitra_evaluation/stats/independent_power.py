"""Exact power of Boschloo's test, which judges two counts of independent trials."""

from __future__ import annotations

import functools

import numpy as np
import scipy  # its `stats` take a second to import, at first use
from numpy.typing import NDArray
from scipy import special

from vitra_evaluation.stats.power import check_rate

MOST_TRIALS = 500
"""Of each policy: Boschloo's test takes seconds there, and many times as long for twice as many."""
_SHARED_RATES = np.linspace(0.0, 0.5, 201)
"""Under the null hypothesis; beyond 0.5 failures take the place of successes."""
_SAME = 1 + 1e-12
"""Tables as extreme as each other differ by rounding."""


def independent_power(trials: int, p_first: float, p_second: float, alpha: float = 0.05) -> float:
    """Chance that Boschloo's test calls two policies different, all trials independent.

    Args:
        trials: Of each of the two.
        p_first: True success rate of one.
        p_second: Of the other.
        alpha: Level of the test, two-sided.

    Raises:
        CountError: a rate is none.
    """
    for rate in (p_first, p_second):
        check_rate(rate)
    k, least = np.arange(trials + 1), _least_that_shows(trials, alpha)
    chances = (
        float(scipy.stats.binom.pmf(k, trials, low) @ scipy.stats.binom.sf(least - 1, trials, high))
        for low, high in ((p_first, p_second), (p_second, p_first))
    )
    return min(1.0, sum(chances))


@functools.lru_cache(maxsize=64)
def _least_that_shows(trials: int, alpha: float) -> NDArray[np.int64]:
    """For 0, 1, ... successes of one: least successes of the other that the test calls more; trials + 1: none are.

    Boschloo's p of a table is the largest chance, over the shared rate, of a table of no greater p of Fisher's; two
    one-sided tests of half the level are the two-sided one.
    """
    fisher = _fisher_less(trials)
    k = np.arange(trials + 1)
    pmf = np.asarray(scipy.stats.binom.pmf(k, trials, _SHARED_RATES[:, None]))
    at_least = np.concatenate([np.cumsum(pmf[:, ::-1], axis=1)[:, ::-1], np.zeros((len(pmf), 1))], axis=1)

    def least(level: float) -> NDArray[np.int64]:
        return np.asarray(trials + 1 - (fisher <= level * _SAME).sum(axis=1), dtype=np.int64)

    levels = np.unique(fisher[fisher <= 0.5])
    low, high = 0, len(levels)  # so many levels are extreme enough, so many are not
    while low < high:
        middle = (low + high + 1) // 2
        size = (pmf * at_least[:, least(levels[middle - 1])]).sum(axis=1).max()
        low, high = (middle, high) if size <= alpha / 2 else (low, middle - 1)
    return least(levels[low - 1]) if low else np.full(trials + 1, trials + 1)


def _fisher_less(trials: int) -> NDArray[np.float64]:
    """Fisher's one-sided p (trials + 1, trials + 1) that the first, with k1 successes, is no worse than the second."""
    k = np.arange(trials + 1)
    log_ways = special.gammaln(trials + 1) - special.gammaln(k + 1) - special.gammaln(trials - k + 1)
    total = k[:, None] + k
    log_all = special.gammaln(2 * trials + 1) - special.gammaln(total + 1) - special.gammaln(2 * trials - total + 1)
    chance = np.exp(log_ways[:, None] + log_ways - log_all)
    p = chance.copy()
    for row in range(1, trials + 1):  # a table adds what is one success of the first further out
        p[row, :-1] += p[row - 1, 1:]
    return p
