"""An attacker with a stopwatch: can the answer times of a trial tell which policy answers?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vitra_evaluation.blinding.answer_schedule import (
    ROOM,
    SCHEDULE_NAME,
    SHORTEST_S,
    AnswerSchedule,
    fixed_period_s,
    known_period_s,
)
from vitra_policy.policies.policy import PolicyError

BLOCKS, ANSWERS = 2000, 12
Times = Callable[[np.random.Generator], np.ndarray]


def steady_and_small(rng: np.random.Generator) -> np.ndarray:
    return 0.03 + rng.gamma(4, 0.002, ANSWERS)


def large_with_a_slow_first_answer(rng: np.random.Generator) -> np.ndarray:
    times_s = 0.14 + rng.gamma(4, 0.008, ANSWERS)
    times_s[0] += 0.06  # its caches have gone cold in the meantime
    return times_s


def same_mean_wider_spread(rng: np.random.Generator) -> np.ndarray:
    return rng.choice([0.01, 0.067], ANSWERS)


class Clock:
    """Time that passes only when somebody works or sleeps; sleeping is inexact, as on a computer."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.now_s, self._rng = 0.0, rng

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds + abs(self._rng.normal(0, 2e-4))


def watched(policies: tuple[Times, Times], period_s: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What a stopwatch sees of every trial of every block, (blocks, 2, answers), policies in random order; and the
    place of the first policy in each block."""
    rng = np.random.default_rng(seed)
    clock = Clock(rng)
    schedule = AnswerSchedule(period_s, lambda: clock.now_s, clock.sleep)
    seen, first = np.zeros((BLOCKS, 2, ANSWERS)), rng.integers(2, size=BLOCKS)
    for block in range(BLOCKS):
        for place in (0, 1):
            times_s = policies[0 if place == first[block] else 1](rng)
            for answer, took_s in enumerate(times_s):
                begun_s = clock.now_s
                clock.now_s += took_s
                schedule.wait(begun_s)
                seen[block, place, answer] = clock.now_s - begun_s
    return seen, first


def attack(seen: np.ndarray, first: np.ndarray) -> float:
    """Best share of blocks told right on the second half by any clue whose direction was learnt on the first half."""
    clues = np.stack(
        [seen.mean(-1), seen.std(-1), seen.min(-1), seen.max(-1), np.median(seen, -1), seen[..., 0],
         seen[..., 0] - seen[..., 1:].mean(-1), np.ptp(seen, -1), np.abs(np.diff(seen, axis=-1)).mean(-1)]
    )  # fmt: skip
    says = np.argmax(clues, axis=-1) == first  # the policy with more of the clue is the first one
    learn, test = says[:, : BLOCKS // 2].mean(axis=1), says[:, BLOCKS // 2 :].mean(axis=1)
    return float(np.where(learn >= 0.5, test, 1 - test).max())


# Nine clues at 1,000 blocks each: the best of them by chance alone stays below this 999 times in 1,000.
BY_CHANCE = 0.5 + 3.7 * 0.5 / np.sqrt(BLOCKS / 2)
PAIRS = [
    (steady_and_small, large_with_a_slow_first_answer),
    (steady_and_small, same_mean_wider_spread),
    (large_with_a_slow_first_answer, same_mean_wider_spread),
]


@pytest.mark.parametrize("policies", PAIRS, ids=lambda pair: f"{pair[0].__name__}, {pair[1].__name__}")
def test_an_attacker_with_a_stopwatch_stays_at_chance(policies: tuple[Times, Times], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    warm_up = {p.__name__: list(p(rng)) for p in policies}
    assert attack(*watched(policies, fixed_period_s(tmp_path, warm_up, None), seed=2)) < BY_CHANCE


@pytest.mark.parametrize("policies", PAIRS, ids=lambda pair: f"{pair[0].__name__}, {pair[1].__name__}")
def test_the_same_attacker_tells_policies_apart_that_answer_at_their_own_pace(policies: tuple[Times, Times]) -> None:
    assert attack(*watched(policies, 0.0, seed=2)) > 0.95


def test_the_schedule_is_fixed_once_with_room_for_the_slowest(tmp_path: Path) -> None:
    period_s = fixed_period_s(tmp_path, {"fast": [0.01, 0.02], "slow": [0.1, 0.2]}, None)
    assert period_s == pytest.approx(ROOM * 0.2)
    assert fixed_period_s(tmp_path, {"fast": [0.01], "slow": [0.9]}, None) == period_s  # another day, another computer
    assert known_period_s(tmp_path) == period_s


def test_a_fast_policy_gets_room_for_what_the_warm_up_does_not_show(tmp_path: Path) -> None:
    assert fixed_period_s(tmp_path, {"fast": [0.001], "cannot be asked": []}, None) == SHORTEST_S


def test_a_declared_time_that_is_too_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="takes 0.30 s to answer"):
        fixed_period_s(tmp_path, {"slow": [0.3]}, 0.25)
    assert not (tmp_path / SCHEDULE_NAME).exists()
    assert fixed_period_s(tmp_path, {"slow": [0.3]}, 0.5) == 0.5


def test_a_damaged_schedule_is_named(tmp_path: Path) -> None:
    (tmp_path / SCHEDULE_NAME).write_text(json.dumps({"answer": 1}))
    with pytest.raises(PolicyError, match="restore it"):
        known_period_s(tmp_path)


def test_a_late_answer_waits_for_the_next_beat_and_is_counted() -> None:
    clock = Clock(np.random.default_rng(0))
    slept: list[float] = []
    schedule = AnswerSchedule(0.1, lambda: clock.now_s, slept.append)
    for took_s, missed, left_s in ((0.02, 0, 0.08), (0.1, 0, 0.0), (0.13, 1, 0.07), (0.31, 3, 0.09)):
        clock.now_s = took_s
        slept.clear()
        assert schedule.wait(0.0) == missed
        assert sum(slept) == pytest.approx(left_s, abs=1e-9)


def test_without_a_schedule_answers_go_at_once() -> None:
    slept: list[float] = []
    assert AnswerSchedule(0.0, lambda: 5.0, slept.append).wait(0.0) == 0
    assert slept == []
