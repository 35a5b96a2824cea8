from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vitra_evaluation.stats.agreement import cohens_kappa
from vitra_evaluation.stats.averages import macro_and_pooled
from vitra_evaluation.stats.comparison import (
    barnard,
    boschloo,
    count_pairs,
    difference_interval,
    holm,
    mcnemar_exact,
)
from vitra_evaluation.stats.intervals import CountError, clopper_pearson, posterior, wilson
from vitra_evaluation.stats.letters import compact_letters
from vitra_evaluation.stats.sequential import (
    Decision,
    SequentialPlan,
    anytime_p,
    evidence_path,
    log_evidence,
    simulate,
)

COUNTS = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=60, deadline=None)
@given(COUNTS, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_intervals_equal_scipys(counts: tuple[int, int], confidence: float) -> None:
    k, n = counts
    for ours, name in ((wilson, "wilson"), (clopper_pearson, "exact")):
        theirs = stats.binomtest(k, n).proportion_ci(confidence, method=name)
        assert ours(k, n, confidence).low == pytest.approx(theirs.low, abs=1e-12)
        assert ours(k, n, confidence).high == pytest.approx(theirs.high, abs=1e-12)


@pytest.mark.parametrize(
    ("k", "n", "score", "exact"),
    [  # Newcombe (1998), Statistics in Medicine 17:857, table I, methods 3 and 5
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_intervals_equal_published_ones(k: int, n: int, score: tuple[float, float], exact: tuple[float, float]) -> None:
    assert (wilson(k, n).low, wilson(k, n).high) == pytest.approx(score, abs=5e-5)
    assert (clopper_pearson(k, n).low, clopper_pearson(k, n).high) == pytest.approx(exact, abs=5e-5)


TABLE_II = [  # rate [%], trials, Wilson, Clopper-Pearson [%], recomputed from the printed rates of the paper's Table II
    (80.0, 40, (65, 90), (64, 91)),
    (66.7, 24, (47, 82), (45, 84)),
    (75.0, 8, (41, 93), (35, 97)),
    (62.5, 8, (31, 86), (24, 91)),
    (50.0, 8, (22, 78), (16, 84)),
]


@pytest.mark.parametrize(("rate", "n", "score", "exact"), TABLE_II)
def test_table_two_has_these_intervals(rate: float, n: int, score: tuple[int, int], exact: tuple[int, int]) -> None:
    k = round(rate / 100 * n)
    assert 100 * k / n == pytest.approx(rate, abs=0.05)
    for interval, expected in ((wilson(k, n), score), (clopper_pearson(k, n), exact)):
        assert (round(100 * interval.low), round(100 * interval.high)) == expected


def test_the_papers_seen_average_is_the_macro_mean_and_differs_from_the_pooled_rate() -> None:
    seen = [(round(rate / 100 * n), n) for rate, n, _, _ in TABLE_II[:4]]
    averages = macro_and_pooled(seen)
    assert round(100 * averages.macro.value, 1) == 71.0
    assert round(100 * averages.pooled.value + 1e-9, 1) == 73.8
    assert averages.macro.value in averages.macro.interval
    pooled = wilson(59, 80)
    assert (round(100 * pooled.low), round(100 * pooled.high)) == (63, 82)


def test_the_papers_unseen_averages_are_consistent_with_its_trial_counts() -> None:
    """64.6 and 67.2 with 4 of 8 poured leave one number of successes for the two cells of 16 trials together."""
    fitting = set()
    for a, b in itertools.product(range(17), range(17)):
        c = 43 - 4 - a - b
        if not 0 <= c <= 24:
            continue
        averages_macro = np.mean([a / 16, b / 16, 4 / 8, c / 24])
        if round(100 * averages_macro, 1) == 64.6:
            fitting.add(a + b)
    assert fitting == {22}
    averages = macro_and_pooled([(11, 16), (11, 16), (4, 8), (17, 24)])
    assert round(100 * averages.macro.value, 1) == 64.6
    assert round(100 * averages.pooled.value, 1) == 67.2
    assert (round(100 * wilson(43, 64).low), round(100 * wilson(43, 64).high)) == (55, 77)


def test_impossible_counts_are_refused() -> None:
    for k, n in ((1, 0), (-1, 5), (6, 5)):
        with pytest.raises(CountError, match="impossible"):
            wilson(k, n)


def test_the_posterior_is_the_conjugate_one() -> None:
    belief = posterior(6, 8)
    assert (belief.a, belief.b, belief.mean) == (7, 3, 0.7)
    assert belief.interval().low == pytest.approx(stats.beta(7, 3).ppf(0.025))
    p = np.linspace(0, 1, 2001)
    assert np.trapezoid(belief.density(p), p) == pytest.approx(1, abs=1e-4)


def test_averages_are_the_same_every_time_and_narrow_with_more_trials() -> None:
    few, many = [(6, 8), (4, 8)], [(60, 80), (40, 80)]
    assert macro_and_pooled(few) == macro_and_pooled(few)
    width = [macro_and_pooled(c).macro.interval for c in (few, many)]
    assert width[1].high - width[1].low < 0.5 * (width[0].high - width[0].low)
    assert macro_and_pooled([(8, 8)]).macro.interval.low < 1


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30))
def test_the_paired_test_is_the_exact_binomial_one(a: int, b: int) -> None:
    expected = stats.binomtest(a, a + b).pvalue if a + b else 1.0
    assert mcnemar_exact(a, b) == pytest.approx(expected)


def test_unconditional_tests_give_published_values() -> None:
    # 7 of 15 against 12 of 15: the example of Mehta and Senchaudhuri (2003), also in SciPy's documentation.
    assert barnard(7, 15, 12, 15) == pytest.approx(stats.barnard_exact([[7, 12], [8, 3]]).pvalue)
    assert barnard(7, 15, 12, 15) == pytest.approx(0.068, abs=1e-3)
    assert boschloo(74, 105, 43, 75) == pytest.approx(stats.boschloo_exact([[74, 43], [31, 32]]).pvalue)
    assert barnard(0, 5, 0, 5) == boschloo(5, 5, 5, 5) == 1.0


def test_the_interval_of_a_difference_is_newcombes() -> None:
    # Newcombe (1998), Statistics in Medicine 17:873, 56/70 - 48/80, method 10: 0.0524 to 0.3339
    interval = difference_interval(56, 70, 48, 80)
    assert (interval.low, interval.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_holms_adjustment_is_monotone_and_in_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_pairs_are_counted_by_who_succeeded() -> None:
    counts = count_pairs([True, True, False, False, True], [True, False, True, False, False])
    assert (counts.both, counts.only_first, counts.only_second, counts.neither, counts.pairs) == (1, 2, 1, 1, 5)


def test_evidence_is_a_martingale_under_the_null() -> None:
    """From every state the mean of the two next wealths is the present one."""
    w, v = np.meshgrid(np.arange(20), np.arange(20))
    now = np.exp(log_evidence(w, v))
    later = 0.5 * (np.exp(log_evidence(w + 1, v)) + np.exp(log_evidence(w, v + 1)))
    np.testing.assert_allclose(later, now, rtol=1e-9)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_the_sequential_test_keeps_its_error_rate_in_ten_thousand_peeked_runs(p: float) -> None:
    plan = SequentialPlan(alpha=0.05, max_pairs=200)
    false_alarms, _ = simulate(p, p, plan, runs=10_000, seed=3)
    assert false_alarms <= 0.05
    # The same peeking with the fixed-sample test breaks its promise; otherwise this test would show nothing.
    if p == 0.5:
        rng = np.random.default_rng(0)
        a, b = rng.random((2, 500, 200)) < p
        peeked = [[mcnemar_exact(int(w), int(v)) < 0.05 for w, v in zip(*path, strict=True)] for path in
                  zip(np.cumsum(a & ~b, 1)[:, ::5], np.cumsum(b & ~a, 1)[:, ::5], strict=True)]  # fmt: skip
        assert np.mean([any(run) for run in peeked]) > 0.10


def test_the_sequential_test_finds_a_large_difference_early() -> None:
    found, pairs = simulate(0.9, 0.4, SequentialPlan(0.05, 200), runs=2000, seed=1)
    assert found > 0.99
    assert pairs < 40


def test_a_sequential_decision_never_turns_back() -> None:
    plan = SequentialPlan(0.05, 60)
    wins, losses = [True] * 12, [False] * 12
    assert plan.decide(wins[:3], losses[:3]) is Decision.CONTINUE
    assert plan.decide(wins, losses) is Decision.DIFFERENT
    assert plan.decide(wins + losses, losses + wins) is Decision.DIFFERENT
    assert plan.decide([True] * 60, [True] * 60) is Decision.NO_DIFFERENCE_SHOWN
    assert plan.decide([], []) is Decision.CONTINUE
    assert anytime_p(wins, losses) < 0.05 < anytime_p([True], [True]) == 1.0
    assert evidence_path([True], [False])[0] == pytest.approx(0.0)


def test_kappa_has_the_textbook_value() -> None:
    first = ["y"] * 25 + ["n"] * 25
    second = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    agreement = cohens_kappa(first, second)
    assert agreement.kappa == pytest.approx(0.4)
    assert agreement.observed == pytest.approx(0.7)
    assert agreement.interval.low < 0.4 < agreement.interval.high
    assert cohens_kappa(["y"] * 4, ["y"] * 4).kappa == 1.0
    with pytest.raises(CountError):
        cohens_kappa([], [])


def pairs(*names: str) -> set[frozenset[str]]:
    return {frozenset(name) for name in names}


def test_letters_of_known_cases() -> None:
    assert compact_letters("AB", set()) == {"A": "a", "B": "a"}
    assert compact_letters("AB", pairs("AB")) == {"A": "a", "B": "b"}
    assert compact_letters("ABC", pairs("AC")) == {"A": "a", "B": "ab", "C": "b"}
    # Of four, only neighbours in the order do not differ.
    far = {frozenset((a, b)) for i, a in enumerate("ABCD") for b in "ABCD"[i + 2 :]}
    assert compact_letters("ABCD", far) == {"A": "a", "B": "ab", "C": "bc", "D": "c"}


def test_two_policies_share_a_letter_exactly_when_they_do_not_differ() -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        names = [f"p{i}" for i in range(int(rng.integers(2, 8)))]
        every = [frozenset(p) for p in itertools.combinations(names, 2)]
        different = {p for p in every if rng.random() < 0.5}
        letters = compact_letters(names, different)
        for pair in every:
            a, b = (set(letters[name]) for name in pair)
            assert bool(a & b) is (pair not in different)
        assert "a" in letters[names[0]]
