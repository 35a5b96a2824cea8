"""What a comparison says in one sentence; "better" only where a declared test says so."""

from __future__ import annotations

from dataclasses import dataclass

from vitra_evaluation.stats.comparison import boschloo, difference_interval
from vitra_evaluation.stats.intervals import Interval
from vitra_evaluation.stats.power import POWER, pairs_needed, smallest_difference


@dataclass(frozen=True, slots=True)
class Verdict:
    """One comparison, ready to be said.

    Attributes:
        first: Name of one policy.
        second: Name of the other.
        difference: Success rate of the first minus that of the second.
        interval: 95 % of it.
        p: Of the test that counts, adjusted for the other declared comparisons.
        alpha: Level that was declared.
        declared: Whether the comparison was planned before the first trial.
        detectable: Smallest difference that so many pairs would have shown; None: none.
    """

    first: str
    second: str
    difference: float
    interval: Interval
    p: float
    alpha: float
    declared: bool = True
    detectable: float | None = None

    @property
    def is_shown(self) -> bool:
        """Whether a difference may be claimed."""
        return self.declared and self.p <= self.alpha and self.difference != 0.0

    def sentence(self) -> str:
        """In words."""
        seen = f"{abs(100 * self.difference):.0f} points, 95 % interval {_points(self.interval)}, p = {self.p:.2g}"
        if self.is_shown:
            better, worse = (self.first, self.second) if self.difference > 0 else (self.second, self.first)
            return f"{better} is better than {worse} ({seen})."
        what = f"No difference between {self.first} and {self.second} was shown ({seen})."
        if not self.declared:
            return f"{what} The comparison was not declared before the session: it can suggest, and shows nothing."
        if self.detectable is None:
            return f"{what} So few trials, or results so near to none or all, cannot show any difference."
        return f"{what} One of {100 * self.detectable:.0f} points would have been, {100 * POWER:.0f} times in 100."


def compare_counts(first: tuple[int, int], second: tuple[int, int], alpha: float = 0.05) -> tuple[Verdict, int | None]:
    """Verdict on two counts of independent trials, and how many pairs would settle a difference of that size.

    Args:
        first: Successes and trials.
        second: Successes and trials.
        alpha: How often equals may be called different.
    """
    (k1, n1), (k2, n2) = first, second
    p = boschloo(k1, n1, k2, n2)
    names = (f"{k1}/{n1}", f"{k2}/{n2}")
    detectable = smallest_difference(min(n1, n2), (k1 + k2) / (n1 + n2), alpha=alpha)
    interval = difference_interval(k1, n1, k2, n2)
    verdict = Verdict(*names, k1 / n1 - k2 / n2, interval, p, alpha, detectable=detectable)
    return verdict, pairs_needed(k1 / n1, k2 / n2, alpha=alpha)


def _points(interval: Interval) -> str:
    return f"{100 * interval.low:+.0f} to {100 * interval.high:+.0f}"
