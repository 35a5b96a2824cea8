"""Intervals of a success probability after k successes in n trials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # its `stats` take a second to import, at first use
from numpy.typing import NDArray
from scipy import special

from vitra_policy.errors import VitraError


class CountError(VitraError):
    """Counts that no experiment can have."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Lower and upper bound of a probability."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def check_counts(k: int, n: int) -> None:
    """Refuse impossible counts.

    Raises:
        CountError: n < 1, or k outside 0..n.
    """
    if n < 1 or not 0 <= k <= n:
        raise CountError(f"{k} successes in {n} trials is impossible; allowed: 0 <= k <= n and n >= 1.")


def wilson(k: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval (1927): the default, close to its nominal coverage for small n.

    Args:
        k: Successes.
        n: Trials.
        confidence: Of the interval, 0..1.
    """
    check_counts(k, n)
    z = float(special.ndtri(0.5 + confidence / 2))
    p = k / n
    centre = p + z * z / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return Interval(
        0.0 if k == 0 else float((centre - half) / scale), 1.0 if k == n else float((centre + half) / scale)
    )


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> Interval:
    """Clopper and Pearson's exact interval (1934): covers at least as often as it says.

    Args:
        k: Successes.
        n: Trials.
        confidence: Of the interval, 0..1.
    """
    check_counts(k, n)
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else float(scipy.stats.beta.ppf(tail, k, n - k + 1))
    high = 1.0 if k == n else float(scipy.stats.beta.ppf(1 - tail, k + 1, n - k))
    return Interval(low, high)


@dataclass(frozen=True, slots=True)
class BetaPosterior:
    """Beta(a, b) belief about a success probability."""

    a: float
    b: float

    @property
    def mean(self) -> float:
        """Expected probability."""
        return self.a / (self.a + self.b)

    def interval(self, confidence: float = 0.95) -> Interval:
        """Equal-tailed credible interval."""
        tail = (1 - confidence) / 2
        return Interval(*(float(scipy.stats.beta.ppf(q, self.a, self.b)) for q in (tail, 1 - tail)))

    def density(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability density at p.

        Args:
            p: Success rates (n,).
        """
        return np.asarray(scipy.stats.beta.pdf(p, self.a, self.b), dtype=np.float64)


def posterior(k: int, n: int, prior: tuple[float, float] = (1.0, 1.0)) -> BetaPosterior:
    """Belief after k of n from a Beta prior; the default prior is uniform.

    Args:
        k: Successes.
        n: Trials.
        prior: Its two parameters.
    """
    check_counts(k, n)
    return BetaPosterior(prior[0] + k, prior[1] + n - k)
