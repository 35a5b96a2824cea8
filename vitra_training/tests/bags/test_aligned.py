"""Samples at the frames: the last one not after each, carried forward, and whether it is fresh."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_policy.policies.observation import Missing
from vitra_training.bags.aligned import MAX_AGE_S, AlignedStream

FRAMES = np.array([1.0, 2.0, 3.0, 4.0])


def stream(*samples: tuple[float, float]) -> AlignedStream:
    made = AlignedStream(FRAMES, 1)
    for stamp_s, value in samples:
        made.add(stamp_s, np.array([value]))
    return made.finish()


def test_a_frame_before_the_first_sample_has_none() -> None:
    made = stream((2.5, 7.0))
    assert made.known.tolist() == [False, False, True, True]
    assert made.values[:2].tolist() == [[0.0], [0.0]]
    assert made.as_of(1.0, MAX_AGE_S) is Missing.NO_DATA


def test_the_last_value_is_carried_forward_however_old_and_is_fresh_for_a_while_only() -> None:
    made = stream((0.99, 1.0), (1.99, 2.0))
    assert made.values[:, 0].tolist() == [1.0, 2.0, 2.0, 2.0]
    assert made.known.all()
    assert made.fresh.tolist() == [True, False, False, False], "after the last sample the live node knows of none"
    assert made.as_of(3.0, MAX_AGE_S) is Missing.STALE
    fresh = made.as_of(1.0, MAX_AGE_S)
    assert isinstance(fresh, np.ndarray)
    assert fresh.tolist() == [1.0]


def test_a_frame_takes_the_value_before_it_not_the_one_that_settles_it() -> None:
    made = stream((0.99, 1.0), (2.5, 9.0), (2.99, 3.0), (4.0, 4.0))
    assert made.values[:, 0].tolist() == [1.0, 1.0, 3.0, 4.0]


def test_a_sample_at_the_frame_s_own_time_counts() -> None:
    made = stream((1.0, 5.0), (1.5, 6.0))
    assert made.values[0, 0] == 5.0
    assert made.fresh[0]


def test_a_sample_that_is_not_newer_changes_nothing() -> None:
    made = stream((0.99, 1.0), (0.99, 8.0), (0.5, 9.0), (1.99, 2.0))
    assert made.values[:2, 0].tolist() == [1.0, 2.0]


def test_only_a_stream_without_samples_is_empty() -> None:
    assert stream().is_empty
    assert not stream((0.5, 1.0)).is_empty


@pytest.mark.parametrize(("age_s", "fresh"), [(0.049, True), (0.051, False)])
def test_a_sample_is_fresh_for_a_twentieth_of_a_second(age_s: float, fresh: bool) -> None:
    made = stream((2.0 - age_s, 1.0), (2.5, 2.0))
    assert bool(made.fresh[1]) is fresh
