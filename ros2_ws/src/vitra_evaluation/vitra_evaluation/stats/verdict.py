"""What a comparison says in one sentence; "better" only where a declared test says so."""

from __future__ import annotations

from dataclasses import dataclass

from vitra_evaluation.stats.comparison import boschloo, difference_interval
from vitra_evaluation.stats.independent_power import MOST_TRIALS, independent_power
from vitra_evaluation.stats.intervals import Interval
from vitra_evaluation.stats.power import POWER, pairs_needed, smallest_difference

_DECIDES = (
    "the test decides, which in a session is paired and adjusted for its other comparisons; the interval is of these "
    "two rates alone."
)
_LEAST_P = 1e-6
"""Reports keep six digits."""


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

    @property
    def leaves_out_zero(self) -> bool:
        """Whether the interval, which knows neither pairs nor other comparisons, takes a difference for certain."""
        return self.interval.low > 0.0 or self.interval.high < 0.0

    @property
    def _p(self) -> str:
        if self.p < _LEAST_P:
            return f"p < {_LEAST_P:g}"
        rounded = f"{self.p:.2g}"
        is_faithful = (float(rounded) <= self.alpha) == (self.p <= self.alpha)
        return f"p = {rounded if is_faithful else f'{self.p:.6f}'}"

    def sentence(self) -> str:
        """In words, the better one first, so that points and interval are of one and the same difference.

        Where interval and test disagree it says so, and that the test decides.
        """
        better, worse, difference, interval = self.first, self.second, self.difference, self.interval
        if difference < 0:
            better, worse, difference = worse, better, -difference
            interval = Interval(0.0 - interval.high, 0.0 - interval.low)  # a bound of 0 stays +0
        seen = (
            f"{_points(difference).lstrip('+')} points, 95 % interval {_points(interval.low)} to "
            f"{_points(interval.high)}, {self._p}"
        )
        if self.is_shown:
            but = "" if self.leaves_out_zero else f" The interval holds 0 all the same: {_DECIDES}"
            return f"{better} is better than {worse} ({seen}).{but}"
        if self.leaves_out_zero:
            what = f"A difference between {better} and {worse} is suggested and not shown ({seen})."
            if self.declared:
                what += f" The interval leaves out 0, but p is above {self.alpha:g}: {_DECIDES}"
        else:
            what = f"No difference between {better} and {worse} was shown ({seen})."
        if not self.declared:
            return f"{what} The comparison was not declared before the session: it can suggest, and shows nothing."
        if self.detectable is None:
            return f"{what} So few trials, or results so near to none or all, cannot show any difference."
        return (
            f"{what} One of {100 * self.detectable:.0f} points would have been shown, {100 * POWER:.0f} times in 100."
        )


def compare_counts(first: tuple[int, int], second: tuple[int, int], alpha: float = 0.05) -> tuple[Verdict, int | None]:
    """Verdict on two counts of independent trials, and how many of each would settle a difference of that size.

    The numbers of trials are those of the test that judges, Boschloo's, and not of pairs.

    Args:
        first: Successes and trials.
        second: Successes and trials.
        alpha: How often equals may be called different.
    """
    (k1, n1), (k2, n2) = first, second
    p = boschloo(k1, n1, k2, n2)
    names = (f"{k1}/{n1}", f"{k2}/{n2}")
    detectable = smallest_difference(min(n1, n2), (k1 + k2) / (n1 + n2), alpha=alpha, power_of=independent_power)
    interval = difference_interval(k1, n1, k2, n2)
    verdict = Verdict(*names, k1 / n1 - k2 / n2, interval, p, alpha, detectable=detectable)
    needed = pairs_needed(k1 / n1, k2 / n2, alpha=alpha, power_of=independent_power, most=MOST_TRIALS)
    return verdict, needed


def _points(share: float) -> str:
    """Percentage points with a sign; what is not 0 is not written as 0."""
    rounded = f"{100 * share:+.0f}"
    return rounded if float(rounded) != 0 or share == 0 else f"{100 * share:+.1g}"
