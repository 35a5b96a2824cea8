from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_evaluation.stats.agreement import cohens_kappa
from vitra_evaluation.stats.comparison import count_pairs, difference_interval, mcnemar_exact, sign_flip_exact
from vitra_evaluation.stats.intervals import CountError, Interval
from vitra_evaluation.stats.power import paired_power, pairs_needed, power_table, smallest_difference
from vitra_evaluation.stats.sequential import anytime_difference, evidence_path
from vitra_evaluation.stats.verdict import Verdict, compare_counts


@pytest.mark.parametrize("n", [3, 7, 10, 11, 49, 93])
def test_two_judges_who_always_agree_have_a_kappa_of_one(n: int) -> None:
    """Shares of a table add up to 0.9999 for many n; then kappa was 0.50."""
    assert cohens_kappa(["success"] * n, ["success"] * n).kappa == 1.0
    mixed = ["success", "fail", "safety_stop"] * n
    assert cohens_kappa(mixed, mixed).kappa == 1.0


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_with_one_pair_in_each_group_the_group_test_is_the_paired_test(pairs: list[tuple[bool, bool]]) -> None:
    first, second = zip(*pairs, strict=True)
    counts = count_pairs(first, second)
    ours = sign_flip_exact([a - b for a, b in pairs])
    assert ours == pytest.approx(mcnemar_exact(counts.only_first, counts.only_second), abs=1e-12)


def test_pairs_that_hang_together_weigh_less() -> None:
    assert sign_flip_exact([1] * 8) < 0.01
    assert sign_flip_exact([4, 4]) == 0.5  # the same eight wins in two start states
    assert sign_flip_exact([]) == sign_flip_exact([0, 0]) == 1.0


def test_the_power_is_what_a_simulation_finds() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random((4000, 60)) < 0.85, rng.random((4000, 60)) < 0.6
    wins, losses = (a & ~b).sum(axis=1), (b & ~a).sum(axis=1)
    found = np.mean([mcnemar_exact(int(w), int(x)) <= 0.05 for w, x in zip(wins, losses, strict=True)])
    assert paired_power(60, 0.85, 0.6) == pytest.approx(found, abs=0.025)


def test_equal_policies_are_called_different_no_more_often_than_declared() -> None:
    for pairs in (10, 40, 144):
        for rate in (0.1, 0.5, 0.9):
            assert paired_power(pairs, rate, rate, alpha=0.05) <= 0.05


def test_numbers_of_trials_and_differences_fit_each_other() -> None:
    needed = pairs_needed(0.85, 0.7)
    assert needed is not None
    assert paired_power(needed, 0.85, 0.7) >= 0.8 > paired_power(needed - 1, 0.85, 0.7)
    assert smallest_difference(needed, 0.775) == pytest.approx(0.15, abs=0.011)
    assert smallest_difference(4, 0.7) is None
    assert pairs_needed(0.7, 0.7) is None
    table = power_table(0.7, np.array([0.1, 0.2, 0.3, 0.4]))
    assert [d for d, _ in table] == [0.1, 0.2, 0.3]  # more than 100 % cannot be
    assert [n for _, n in table] == sorted((n for _, n in table), reverse=True)
    with pytest.raises(CountError, match="no success rate"):
        paired_power(10, 1.2, 0.5)


def test_the_anytime_interval_holds_wherever_one_stops() -> None:
    """Looked at after every pair and stopped at the first 'difference': the usual estimate is too large, this holds."""
    rng, truth, missed, seen = np.random.default_rng(11), 0.1, 0, []
    for _ in range(150):
        a, b = rng.random(80) < 0.6, rng.random(80) < 0.5
        crossed = np.flatnonzero(evidence_path(a, b) >= -np.log(0.2))
        stop = int(crossed[0]) + 1 if len(crossed) else 80
        low, high = anytime_difference(a[:stop], b[:stop], 0.05)
        missed += not low <= truth <= high
        if len(crossed) and a[:stop].mean() > b[:stop].mean():
            seen.append(a[:stop].mean() - b[:stop].mean())
    assert missed <= 0.05 * 150
    assert np.mean(seen) > 2 * truth


def test_the_anytime_interval_knows_nothing_before_the_first_pair() -> None:
    assert anytime_difference([], [], 0.05) == (-1.0, 1.0)


def test_better_is_only_said_of_a_declared_difference_that_was_shown() -> None:
    shown = Verdict("a", "b", 0.3, Interval(0.1, 0.5), 0.01, 0.05)
    assert shown.sentence().startswith("a is better than b (30 points")
    assert Verdict("a", "b", -0.3, Interval(-0.5, -0.1), 0.01, 0.05).sentence().startswith("b is better than a")
    for other in (
        Verdict("a", "b", 0.3, Interval(0.1, 0.5), 0.01, 0.05, declared=False),
        Verdict("a", "b", 0.3, Interval(0.1, 0.5), 0.06, 0.05, detectable=0.4),
        Verdict("a", "b", 0.0, Interval(-0.1, 0.1), 0.01, 0.05),
    ):
        assert "better" not in other.sentence()
    assert (
        "One of 40 points would have been shown, 80 times in 100"
        in Verdict("a", "b", 0.3, Interval(0.1, 0.5), 0.06, 0.05, detectable=0.4).sentence()
    )


@pytest.mark.parametrize(("low", "high", "leaves_out"), [
    (0.001, 0.5, True), (0.0, 0.5, False), (-0.001, 0.5, False), (-0.5, -0.001, True), (-0.5, 0.0, False),
])  # fmt: skip
def test_what_the_interval_leaves_out_and_the_test_does_not_show_is_said_to_be_suggested(
    low: float, high: float, leaves_out: bool
) -> None:
    said = Verdict("a", "b", 0.3, Interval(low, high), 0.06, 0.05, detectable=0.4).sentence()
    assert said.startswith("A difference between a and b is suggested and not shown" if leaves_out else "No difference")
    assert ("The interval leaves out 0, but p is above 0.05: the test decides" in said) is leaves_out
    assert said.endswith("One of 40 points would have been shown, 80 times in 100.")
    undeclared = Verdict("a", "b", 0.3, Interval(low, high), 0.01, 0.05, declared=False).sentence()
    assert undeclared.startswith("A difference" if leaves_out else "No difference")
    assert undeclared.endswith("was not declared before the session: it can suggest, and shows nothing.")


def test_what_the_test_shows_and_the_interval_does_not_says_that_the_test_decides() -> None:
    for interval, but in ((Interval(-0.01, 0.5), True), (Interval(0.0, 0.5), True), (Interval(0.01, 0.5), False)):
        said = Verdict("a", "b", 0.3, interval, 0.04, 0.05).sentence()
        assert said.startswith("a is better than b (30 points")
        assert ("The interval holds 0 all the same: the test decides" in said) is but


def test_figures_of_a_verdict_are_not_rounded_to_what_they_are_not() -> None:
    said = Verdict("a", "b", 0.004, Interval(0.0004, 0.5), 0.0501, 0.05).sentence()
    assert "(0.4 points, 95 % interval +0.04 to +50, p = 0.050100)" in said
    assert "p < 1e-06" in Verdict("a", "b", 0.4, Interval(0.1, 0.5), 0.0, 0.05).sentence()
    assert (
        "(0 points, 95 % interval -10 to +0, p = 1)" in Verdict("a", "b", 0.0, Interval(-0.1, 0), 1.0, 0.05).sentence()
    )


@pytest.mark.parametrize(("p", "declared"), [(0.01, True), (0.2, True), (0.01, False)])
def test_a_comparison_says_the_same_in_whichever_order_the_two_are_named(p: float, declared: bool) -> None:
    one = Verdict("a", "b", 0.3, Interval(0.08, 0.52), p, 0.05, declared)
    other = Verdict("b", "a", -0.3, Interval(-0.52, -0.08), p, 0.05, declared)
    assert one.sentence() == other.sentence()
    assert "30 points, 95 % interval +8 to +52" in other.sentence()


def test_the_points_that_are_said_lie_within_the_interval_that_is_said() -> None:
    counts = [(k, n) for n in range(1, 11) for k in range(n + 1)]
    for (k1, n1), (k2, n2) in itertools.product(counts, counts):
        interval = difference_interval(k1, n1, k2, n2)
        said = Verdict("a", "b", k1 / n1 - k2 / n2, interval, 0.04, 0.05).sentence()
        points, low, high = map(float, re.findall(r"\((\S+) points, 95 % interval (\S+) to (\S+),", said)[0])
        assert low <= points <= high, said


def test_two_counts_are_compared_alike_in_both_orders() -> None:
    said = compare_counts((0, 20), (6, 20))[0].sentence()
    assert said == compare_counts((6, 20), (0, 20))[0].sentence()
    assert said.startswith("6/20 is better than 0/20 (30 points, 95 % interval +8 to +52")
