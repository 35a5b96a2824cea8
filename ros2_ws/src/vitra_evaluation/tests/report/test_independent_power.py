"""Power of the test that judges two counts, against that test itself."""

from __future__ import annotations

import itertools

import pytest
from scipy import stats

from vitra_evaluation.stats.comparison import boschloo
from vitra_evaluation.stats.independent_power import independent_power
from vitra_evaluation.stats.intervals import CountError
from vitra_evaluation.stats.verdict import compare_counts


@pytest.mark.parametrize("alpha", [0.05, 0.2])
@pytest.mark.parametrize("trials", [1, 3, 4, 6])
def test_the_power_for_independent_trials_is_the_chance_of_the_counts_that_the_test_calls_different(
    trials: int, alpha: float
) -> None:
    counts = range(trials + 1)
    shown = [(a, b) for a, b in itertools.product(counts, counts) if boschloo(a, trials, b, trials) <= alpha]
    for first, second in ((0.9, 0.3), (0.2, 0.6), (0.5, 0.5), (1.0, 0.0)):
        chance = sum(stats.binom.pmf(a, trials, first) * stats.binom.pmf(b, trials, second) for a, b in shown)
        assert independent_power(trials, first, second, alpha) == pytest.approx(chance, abs=1e-12)


@pytest.mark.parametrize("trials", [5, 20, 90])
def test_equal_policies_of_independent_trials_are_called_different_no_more_often_than_declared(trials: int) -> None:
    for rate in (0.02, 0.3, 0.5, 0.87):
        assert independent_power(trials, rate, rate) <= 0.05 + 1e-6


def test_the_trials_that_would_show_a_difference_are_those_with_which_the_comparison_shows_it() -> None:
    verdict, needed = compare_counts((1, 1), (0, 1))
    assert not verdict.is_shown
    assert verdict.detectable is None
    assert needed == 3
    assert compare_counts((3, 3), (0, 3))[0].is_shown
    assert not compare_counts((2, 2), (0, 2))[0].is_shown


def test_a_difference_that_is_too_small_for_an_exact_test_of_any_size_has_no_number_of_trials() -> None:
    assert compare_counts((25, 50), (26, 50))[1] is None


def test_what_is_no_rate_has_no_power() -> None:
    with pytest.raises(CountError, match="no success rate"):
        independent_power(10, 1.2, 0.5)
