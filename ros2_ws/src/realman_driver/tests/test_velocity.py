from __future__ import annotations

import numpy as np
import pytest

from realman_driver.velocity import VelocityEstimator


def test_a_steady_motion_is_measured_in_spite_of_rounding_and_jitter() -> None:
    estimator, random = VelocityEstimator(), np.random.default_rng(1)
    for n in range(200):
        time_s = n * 0.005 + random.uniform(-0.0005, 0.0005)
        position = round(np.rad2deg(0.5 * time_s), 3)
        velocity = estimator.update(time_s, [np.deg2rad(position)])
    assert velocity[0] == pytest.approx(0.5, abs=0.01)


def test_a_gap_starts_the_window_anew() -> None:
    estimator = VelocityEstimator()
    estimator.update(0.0, [0.0])
    assert estimator.update(1.0, [5.0]) == [0.0]


def test_a_repeated_or_older_sample_does_no_harm() -> None:
    estimator = VelocityEstimator()
    estimator.update(1.0, [0.0])
    assert estimator.update(1.0, [1.0]) == [0.0]
    assert estimator.update(0.9, [1.0]) == [0.0]


def test_samples_that_arrive_in_a_bunch_are_not_fast_motion() -> None:
    estimator = VelocityEstimator()
    for n in range(5):
        velocity = estimator.update(1.0 + n * 1e-4, [0.5 * n * 0.005])
    assert velocity[0] == pytest.approx(0.5, rel=0.12)
