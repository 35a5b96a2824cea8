"""Averages, medians and differences with intervals."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_training.benchmarks.grasp.intervals import paired_difference, summarise


def test_average_and_median_are_those_of_the_values() -> None:
    found = summarise(np.array([1.0, 2.0, 3.0, 10.0]))
    assert (found.objects, found.average_cm, found.median_cm) == (4, 4.0, 2.5)
    assert found.average_interval_cm[0] < 4.0 < found.average_interval_cm[1]
    assert 1.0 <= found.median_interval_cm[0] < 2.5 < found.median_interval_cm[1] <= 10.0


def test_the_interval_of_an_average_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400)
    low, high = summarise(values).average_interval_cm
    assert (high - low) == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_differences_are_paired_and_leave_out_what_one_row_lacks() -> None:
    a = np.array([1.0, 5.0, 9.0, np.nan])
    found = paired_difference(a, np.array([2.0, 6.0, 10.0, 3.0]))
    assert found is not None
    assert (found.objects, found.average_cm, found.interval_cm) == (3, -1.0, (-1.0, -1.0))
    assert paired_difference(a[3:], a[:1]) is None
