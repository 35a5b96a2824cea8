from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_training.datasets.samples.mixture import Schedule, permute


@settings(max_examples=50, deadline=None)
@given(size=st.integers(1, 600), key=st.integers(0, 2**63))
def test_a_permutation_hits_every_number_once(size: int, key: int) -> None:
    assert sorted(permute(n, size, key) for n in range(size)) == list(range(size))


def test_keys_give_different_orders() -> None:
    orders = {tuple(permute(n, 100, key) for n in range(100)) for key in range(20)}
    assert len(orders) == 20


def test_every_frame_comes_once_an_epoch() -> None:
    schedule = Schedule([300], [1.0], seed=1)
    draws = Counter(schedule[place][1] for place in range(3 * 4096))
    assert set(draws) == set(range(300))
    assert max(draws.values()) - min(draws.values()) <= 1


def test_shares_are_weight_times_frames() -> None:
    schedule = Schedule([1000, 500], [1.0, 3.0], seed=0)
    assert schedule.shares == pytest.approx([0.4, 0.6])
    counts = Counter(schedule[place][0] for place in range(4096 * 2))
    assert counts[0] / (4096 * 2) == pytest.approx(0.4, abs=2e-4)


def test_a_tiny_data_set_is_not_forgotten() -> None:
    schedule = Schedule([1, 10_000_000], [1.0, 1.0], seed=0)
    assert 0 in {schedule[place][0] for place in range(4096)}


def test_a_place_says_the_same_at_any_time() -> None:
    a, b = Schedule([70, 30], [1, 2], 5), Schedule([70, 30], [1, 2], 5)
    forward = [a[place] for place in range(500)]
    assert [b[place] for place in reversed(range(500))] == forward[::-1]
    assert [Schedule([70, 30], [1, 2], 6)[place] for place in range(500)] != forward


def test_substitutes_are_of_the_same_data_set() -> None:
    schedule = Schedule([70, 30], [1, 2], 5)
    for place in range(50):
        for attempt in range(1, 4):
            dataset, row = schedule.substitute(place, attempt)
            assert dataset == schedule[place][0]
            assert 0 <= row < (70, 30)[dataset]


@pytest.mark.parametrize(("sizes", "weights"), [([], []), ([0], [1.0]), ([3], [0.0]), ([3, 4], [1.0])])
def test_an_empty_mixture_is_refused(sizes: list[int], weights: list[float]) -> None:
    with pytest.raises(ValueError, match="mixture"):
        Schedule(sizes, weights, 0)
