from __future__ import annotations

import numpy as np
import pytest

from vitra_evaluation.backends.measures import joint_speed, sparc


def minimum_jerk_speed(duration_s: float, rate_hz: float) -> np.ndarray:
    s = np.arange(0, 1, 1 / (duration_s * rate_hz))
    return 30 * s**2 * (1 - s) ** 2


def test_a_single_reach_has_the_published_smoothness() -> None:
    # Balasubramanian et al. (2015): about -1.41 for a minimum-jerk movement.
    assert sparc(minimum_jerk_speed(1.0, 100.0), 100.0) == pytest.approx(-1.41, abs=0.02)


def test_smoothness_does_not_depend_on_speed_or_duration() -> None:
    slow, fast = minimum_jerk_speed(2.0, 100.0), 5 * minimum_jerk_speed(1.0, 100.0)
    assert sparc(slow, 100.0) == pytest.approx(sparc(fast, 100.0), abs=0.05)


def test_stop_and_go_is_less_smooth() -> None:
    once = minimum_jerk_speed(2.0, 100.0)
    thrice = np.concatenate([minimum_jerk_speed(0.5, 100.0), np.zeros(25)] * 3)
    assert sparc(thrice, 100.0) < sparc(once, 100.0) - 0.5


def test_a_resting_arm_has_no_smoothness() -> None:
    assert np.isnan(sparc(np.zeros(100), 100.0))
    assert np.isnan(sparc(np.ones(3), 100.0))


def test_joint_speed_survives_uneven_and_repeated_stamps() -> None:
    stamps = np.array([0.0, 0.01, 0.01, 0.03, 0.04, 0.06, 0.1])
    speed = joint_speed(stamps, np.outer(stamps, [3.0, 4.0]))
    np.testing.assert_allclose(speed, 5.0, atol=1e-9)
    assert len(joint_speed(np.zeros(2), np.zeros((2, 7)))) == 0
