"""A paired test that stays valid however often one looks at it: a betting martingale on discordant pairs.

Under the null hypothesis each discordant pair (exactly one of two policies succeeds on a layout) is a fair coin. The
evidence is the wealth of a gambler who bets on the coin with a Beta mixture over its bias; starting from 1 it is a
martingale under the null, so by Ville's inequality it ever reaches 1/alpha with probability at most alpha.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]


class Decision(StrEnum):
    """What a pre-declared sequential comparison says now."""

    CONTINUE = "continue"
    DIFFERENT = "different"
    NO_DIFFERENCE_SHOWN = "no difference shown"


def log_evidence(only_first: ArrayLike, only_second: ArrayLike, prior: float = 1.0) -> Array:
    """Logarithm of the wealth after so many discordant pairs each way; elementwise.

    Args:
        only_first: pairs in which only the first policy succeeded.
        only_second: the other way round.
        prior: a of the symmetric Beta(a, a) mixture over the coin's bias.
    """
    w, v = np.asarray(only_first, dtype=np.float64), np.asarray(only_second, dtype=np.float64)
    return np.asarray(special.betaln(prior + w, prior + v) - special.betaln(prior, prior) + (w + v) * np.log(2.0))


def evidence_path(first: ArrayLike, second: ArrayLike, prior: float = 1.0) -> Array:
    """Log evidence after every pair; outcomes (..., pairs) of both policies in order.

    Args:
        first: Truth values.
        second: Truth values.
        prior: Both parameters of the Beta prior of who wins an unequal pair.
    """
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    return log_evidence(np.cumsum(a & ~b, axis=-1), np.cumsum(b & ~a, axis=-1), prior)


@dataclass(frozen=True, slots=True)
class SequentialPlan:
    """Declared before the first trial.

    Attributes:
        alpha: Highest probability of calling two equal policies different, over the whole session.
        max_pairs: Pairs after which the comparison ends without a finding.
    """

    alpha: float = 0.05
    max_pairs: int = 200

    def decide(self, first: ArrayLike, second: ArrayLike) -> Decision:
        """Decision after these pairs (in order), looked at as often as one likes."""
        path = evidence_path(first, second)[..., : self.max_pairs]
        if path.size and float(path.max()) >= -np.log(self.alpha):
            return Decision.DIFFERENT
        return Decision.NO_DIFFERENCE_SHOWN if path.shape[-1] >= self.max_pairs else Decision.CONTINUE


def anytime_p(first: ArrayLike, second: ArrayLike) -> float:
    """P value that holds at any stopping time: one over the highest wealth so far.

    Args:
        first: Outcomes (..., pairs).
        second: Outcomes (..., pairs).
    """
    path = evidence_path(first, second)
    return float(min(1.0, np.exp(-path.max()))) if path.size else 1.0


def anytime_difference(first: ArrayLike, second: ArrayLike, alpha: float = 0.05) -> tuple[float, float]:
    """Interval of p1 - p2 that holds at any stopping time, however often one looked.

    The pairs are draws of (win, loss, tie); against each true triple the Dirichlet(1/2) mixture is a martingale, so the
    triples that it has not outbid by 1/alpha are a confidence set (Ville), and their differences are the interval. An
    estimate at a stopping time that a large difference brought about is too large on average; this interval is not.

    Args:
        first: Outcomes (pairs,).
        second: Outcomes (pairs,).
        alpha: One minus the confidence.
    """
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    wins, losses = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    ties = a.size - wins - losses
    counts = np.array([wins, losses, ties], dtype=np.float64)
    mixture = float(special.gammaln(counts + 0.5).sum() - special.gammaln(counts.sum() + 1.5))
    mixture -= float(3 * special.gammaln(0.5) - special.gammaln(1.5))
    grid = np.linspace(-1.0, 1.0, 401)
    inside = grid[mixture - _profile(counts, grid) < -np.log(alpha)]
    if not len(inside):
        return -1.0, 1.0
    step = float(grid[1] - grid[0])  # rounded outward
    return max(-1.0, float(inside.min()) - step), min(1.0, float(inside.max()) + step)


def _profile(counts: Array, differences: Array) -> Array:
    """Highest log likelihood of the counts among all triples with a given difference of wins and losses."""
    share = np.linspace(0.0, 1.0, 201)[None, :]
    d = differences[:, None]
    low = (1.0 - np.abs(d)) / 2 * share  # the smaller of win and loss probability
    win, loss = np.where(d > 0, low + d, low), np.where(d > 0, low, low - d)
    tie = np.clip(1.0 - win - loss, 0.0, 1.0)
    logs = [special.xlogy(n, np.clip(p, 0.0, 1.0)) for n, p in zip(counts, (win, loss, tie), strict=True)]
    return np.asarray(sum(logs).max(axis=1))


def simulate(p_first: float, p_second: float, plan: SequentialPlan, runs: int, seed: int = 0) -> tuple[float, float]:
    """(share of runs that end with DIFFERENT, mean number of pairs until the end) for two success probabilities.

    Args:
        p_first: True rate of the first.
        p_second: True rate of the second.
        plan: When to look, and when to end.
        runs: How many are simulated.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    first, second = (rng.random((runs, plan.max_pairs)) < p for p in (p_first, p_second))
    crossed = evidence_path(first, second) >= -np.log(plan.alpha)
    found = crossed.any(axis=1)
    pairs = np.where(found, crossed.argmax(axis=1) + 1, plan.max_pairs)
    return float(found.mean()), float(pairs.mean())
