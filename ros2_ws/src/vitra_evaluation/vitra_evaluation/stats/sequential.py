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
    """Log evidence after every pair; outcomes (..., pairs) of both policies in order."""
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
    """P value that holds at any stopping time: one over the highest wealth so far."""
    path = evidence_path(first, second)
    return float(min(1.0, np.exp(-path.max()))) if path.size else 1.0


def simulate(p_first: float, p_second: float, plan: SequentialPlan, runs: int, seed: int = 0) -> tuple[float, float]:
    """(share of runs that end with DIFFERENT, mean number of pairs until the end) for two success probabilities."""
    rng = np.random.default_rng(seed)
    first, second = (rng.random((runs, plan.max_pairs)) < p for p in (p_first, p_second))
    crossed = evidence_path(first, second) >= -np.log(plan.alpha)
    found = crossed.any(axis=1)
    pairs = np.where(found, crossed.argmax(axis=1) + 1, plan.max_pairs)
    return float(found.mean()), float(pairs.mean())
