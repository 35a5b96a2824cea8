"""The time budget: over any span, no more is credited than passed, but for the slack."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitra_safety.time_budget import TimeBudget


def test_what_is_not_spent_is_kept_up_to_the_slack() -> None:
    budget = TimeBudget(0.02)
    budget.spend(0.02, 5.0)
    assert budget.available_s(5.0) == 0.0
    assert budget.available_s(5.005) == pytest.approx(0.005)
    budget.spend(0.005, 9.0)
    assert budget.available_s(9.0) == pytest.approx(0.02)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    budget = TimeBudget(0.02)
    budget.spend(0.02, 5.0)
    assert budget.available_s(4.0) == 0.0
    budget.spend(0.0, 4.0)
    assert budget.available_s(5.0) == 0.0


@given(st.lists(st.tuples(st.floats(0.0, 0.05), st.floats(0.0, 0.03)), max_size=60))
def test_over_any_span_at_most_the_span_and_the_slack_is_credited(spendings: list[tuple[float, float]]) -> None:
    budget, now_s, credited = TimeBudget(0.02), 1.0, []
    for wait_s, wanted_s in spendings:
        now_s += wait_s
        spent_s = min(wanted_s, budget.available_s(now_s))
        budget.spend(spent_s, now_s)
        credited.append((now_s, spent_s))
    for i, (begin_s, _) in enumerate(credited):
        total_s = 0.0
        for end_s, spent_s in credited[i + 1 :]:
            total_s += spent_s
            assert total_s <= end_s - begin_s + 0.02 + 1e-9
