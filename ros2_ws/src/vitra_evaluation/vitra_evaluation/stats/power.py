"""How many trials show which difference: exact power of the paired test."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import scipy  # its `stats` take a second to import, at first use
from numpy.typing import NDArray
from scipy import special

from vitra_evaluation.stats.intervals import CountError

MOST_PAIRS = 2000
"""Nobody makes more trials than that; sizes beyond are not looked for."""
POWER = 0.8
"""Usual chance of seeing a difference that is there."""
PowerOf = Callable[[int, float, float, float], float]
"""Power of a test, from trials of each policy, the two true rates and the level."""


def check_rate(rate: float) -> None:
    """Refuse what is no probability.

    Raises:
        CountError: outside 0..1.
    """
    if not 0.0 <= rate <= 1.0:
        raise CountError(f"{rate:g} is no success rate; allowed: 0 to 1, e.g. 0.7.")


def check_level(name: str, share: float) -> None:
    """Refuse what is no level of a test and no power.

    Raises:
        CountError: not between 0 and 1.
    """
    if not 0.0 < share < 1.0:
        raise CountError(f"{name} {share:g} is not between 0 and 1; usual are alpha 0.05 and power 0.8.")


def check_pairs(pairs: int) -> None:
    """Refuse numbers of trials that nobody makes.

    Raises:
        CountError: below 1 or above `MOST_PAIRS`.
    """
    if not 1 <= pairs <= MOST_PAIRS:
        raise CountError(f"{pairs} trials of each policy cannot be judged; allowed: 1 to {MOST_PAIRS}.")


def paired_power(pairs: int, p_first: float, p_second: float, alpha: float = 0.05) -> float:
    """Chance that the exact paired test calls two policies different, outcomes independent within a pair.

    Args:
        pairs: blocks in which both policies try the same start state.
        p_first: true success rate of one.
        p_second: of the other.
        alpha: level of the test, two-sided.
    """
    for rate in (p_first, p_second):
        check_rate(rate)
    only_first, only_second = p_first * (1 - p_second), p_second * (1 - p_first)
    discordant = only_first + only_second
    if discordant == 0.0:
        return 0.0
    m = np.arange(pairs + 1)
    least = _critical(pairs, alpha)
    shows = least >= 0
    coin, m, least = only_first / discordant, m[shows], least[shows]
    extreme = special.bdtr(least, m, coin) + special.bdtrc(m - least - 1, m, coin)
    return min(1.0, float(scipy.stats.binom.pmf(m, pairs, discordant) @ extreme))


def pairs_needed(
    p_first: float,
    p_second: float,
    power: float = POWER,
    alpha: float = 0.05,
    power_of: PowerOf = paired_power,
    most: int = MOST_PAIRS,
) -> int | None:
    """Fewest trials of each policy from which on a test, by default the paired one, has that power; None beyond most.

    Args:
        p_first: True rate of the first.
        p_second: True rate of the second.
        power: How often the difference shall be seen.
        alpha: How often equals may be called different.
        power_of: The test's.
        most: Trials of each policy that somebody makes.
    """
    if p_first == p_second or power_of(most, p_first, p_second, alpha) < power:
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle, p_first, p_second, alpha) >= power else (middle, high)
    return high


def smallest_difference(
    pairs: int, rate: float, power: float = POWER, alpha: float = 0.05, power_of: PowerOf = paired_power
) -> float | None:
    """Smallest difference around a mean rate that so many pairs show with that power; None when none is.

    Args:
        pairs: How many.
        rate: Mean of both rates.
        power: How often the difference shall be seen.
        alpha: How often equals may be called different.
        power_of: The test's.

    Returns:
        in steps of a percentage point.
    """
    check_rate(rate)
    widest = 2 * min(rate, 1 - rate)
    for step in range(1, int(round(100 * widest)) + 1):
        half = step / 200
        if power_of(pairs, min(1.0, rate + half), max(0.0, rate - half), alpha) >= power:
            return step / 100
    return None


def power_table(
    baseline: float, differences: NDArray[np.float64], power: float = POWER, alpha: float = 0.05
) -> list[tuple[float, int | None]]:
    """(difference, pairs needed) for policies better than a baseline.

    Args:
        baseline: Rate of the weaker policy.
        differences: How much better the other is (n,).
        power: How often the difference shall be seen.
        alpha: How often equals may be called different.
    """
    check_rate(baseline)
    return [
        (float(d), pairs_needed(min(1.0, baseline + float(d)), baseline, power, alpha))
        for d in differences
        if baseline + d <= 1.0 + 1e-9
    ]


@functools.lru_cache(maxsize=64)
def _critical(pairs: int, alpha: float) -> NDArray[np.int64]:
    """For 0, 1, ... discordant pairs: most losses with which the test still finds a difference; -1: it never does."""
    m = np.arange(pairs + 1)
    least = np.asarray(scipy.stats.binom.ppf(alpha / 2, m, 0.5), dtype=np.int64)
    least -= special.bdtr(least, m, 0.5) > alpha / 2
    return np.asarray(np.where(m > 0, least, -1))
