"""Our statistics beside those of fieldtrial (PyPI), an independent implementation; its answers are kept as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vitra_evaluation.stats.agreement import cohens_kappa
from vitra_evaluation.stats.comparison import boschloo, difference_interval, holm, mcnemar_exact
from vitra_evaluation.stats.intervals import clopper_pearson, wilson
from vitra_evaluation.stats.power import paired_power

THEIRS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data/fieldtrial.json").read_text())


@pytest.mark.parametrize("case", THEIRS["intervals"], ids=lambda c: f"{c['k']}/{c['n']} {c['method']} {c['level']}")
def test_intervals(case: dict[str, Any]) -> None:
    ours = {"wilson": wilson, "clopper-pearson": clopper_pearson}[case["method"]](case["k"], case["n"], case["level"])
    assert (ours.low, ours.high) == pytest.approx((case["low"], case["high"]), abs=1e-9)


@pytest.mark.parametrize("case", THEIRS["independent"], ids=lambda c: str(c["counts"]))
def test_independent_trials(case: dict[str, Any]) -> None:
    interval = difference_interval(*case["counts"])
    assert (interval.low, interval.high) == pytest.approx((case["low"], case["high"]), abs=1e-9)
    # Both maximise over the unknown rate numerically, each in its own way.
    assert boschloo(*case["counts"]) == pytest.approx(case["p"], rel=2e-2, abs=1e-6)


@pytest.mark.parametrize("case", THEIRS["mcnemar"], ids=str)
def test_paired_trials(case: dict[str, Any]) -> None:
    assert mcnemar_exact(case["b"], case["c"]) == pytest.approx(case["p"], abs=1e-12)


@pytest.mark.parametrize("case", THEIRS["power"], ids=str)
def test_power_of_paired_trials(case: dict[str, Any]) -> None:
    # Theirs takes the shares of discordant pairs, ours two success rates: those with just these shares.
    total, difference = case["p10"] + case["p01"], case["p10"] - case["p01"]
    root = 1 - 2 * total + difference**2
    if root < 0:
        pytest.skip("no two independent rates have these shares")
    mean = (1 + root**0.5) / 2
    ours = paired_power(case["n"], mean + difference / 2, mean - difference / 2)
    assert ours == pytest.approx(case["power"], abs=1e-6)


@pytest.mark.parametrize("case", THEIRS["kappa"], ids=str)
def test_agreement(case: dict[str, Any]) -> None:
    labels = [(a, b) for a, row in enumerate(case["table"]) for b, n in enumerate(row) for _ in range(n)]
    assert cohens_kappa(*zip(*labels, strict=True)).kappa == pytest.approx(case["kappa"], abs=1e-12)


@pytest.mark.parametrize("case", THEIRS["holm"], ids=str)
def test_several_comparisons(case: dict[str, Any]) -> None:
    assert holm(case["p"]) == pytest.approx(case["adjusted"], abs=1e-12)
