"""Whatever the chunk rate, speed limit and delay: the wrist stays on its path, and every joint within its limits."""

from __future__ import annotations

import numpy as np
import pytest
from path_trial import Deviation, Trial, run

CLOSE_M, CLOSE_RAD = 0.002, np.deg2rad(0.5)
ROUNDING = 1 + 1e-6


def assert_kept(trial: Trial, seen: Deviation) -> None:
    assert seen.distance_m < CLOSE_M, trial
    assert seen.rotation_rad < CLOSE_RAD, trial
    assert max(seen.velocity, seen.acceleration, seen.jerk) < ROUNDING, (trial, seen)
    assert seen.refused == {}, trial


def says_something(seen: Deviation) -> bool:
    """Whether the arm was within reach of its path most of the time."""
    return seen.named < 0.5


@pytest.mark.parametrize("chunk_hz", [2.0, 30.0])
@pytest.mark.parametrize(("speed", "wrist_m_s"), [(0.3, 0.3), (1.8, 0.8)])
@pytest.mark.parametrize("delay_s", [0.0, 0.3])
def test_the_path_is_kept_at_the_corners_of_what_is_promised(
    chunk_hz: float, speed: float, wrist_m_s: float, delay_s: float
) -> None:
    trial = Trial(3, speed, chunk_hz, delay_s, wrist_m_s)
    seen = run(trial, duration_s=1.2)
    assert_kept(trial, seen)
    assert says_something(seen)
    assert seen.slowest < 0.85, "joints are at their limits"
    assert max(seen.velocity, seen.acceleration) > 0.5, "and the path is not slower than they need"


@pytest.mark.parametrize("seed", range(100, 106))
def test_the_path_is_kept_over_random_chunks(seed: int) -> None:
    trial = Trial.random(seed)
    seen = run(trial, duration_s=1.2)
    assert_kept(trial, seen)
    assert says_something(seen)


def test_a_limit_is_named_until_the_setpoints_have_passed_it_however_slowly_they_go() -> None:
    trial = Trial.random(1221)  # a joint at its limit, and new chunks beyond it all the time
    seen = run(trial)
    assert_kept(trial, seen)
    assert seen.slowest < 0.2


def test_a_path_within_the_limits_is_travelled_on_time() -> None:
    seen = run(Trial(1, speed=1.0, chunk_hz=10.0, delay_s=0.1, wrist_m_s=0.1))
    assert seen.slowest > 0.85


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_path_is_kept_over_ten_thousand_random_chunks() -> None:
    chunks, seed, out_of_reach = 0, 1000, 0
    while chunks < 10_000:
        trial = Trial.random(seed)
        seen = run(trial)
        assert_kept(trial, seen)
        chunks, seed = chunks + seen.chunks * says_something(seen), seed + 1
        out_of_reach += not says_something(seen)
    assert out_of_reach < 0.05 * (seed - 1000)
