"""Errors of predicted chunks."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_policy.action_space import ACTION_DIM, HAND
from vitra_policy.hand.xhand_map import mano_from_xhand
from vitra_training.training.open_loop import ErrorSums

RIGHT = HAND["right"].start


def masks(steps: int, known: int) -> np.ndarray:
    valid = np.zeros((steps, ACTION_DIM), dtype=bool)
    valid[:known, HAND["right"]] = True
    return valid


def test_a_perfect_prediction_has_no_error() -> None:
    actual = np.random.default_rng(0).normal(0, 0.1, (4, ACTION_DIM))
    sums = ErrorSums(4)
    sums.add(actual, actual, masks(4, 4), "human")
    mean = sums.summary()["mean"]
    assert [mean[name] for name in ("wrist_mm", "wrist_deg", "joint_deg")] == pytest.approx([0, 0, 0], abs=1e-5)
    assert mean["wrist_mm_still"] > 1


def test_errors_compound_along_the_horizon_in_millimetres_and_degrees() -> None:
    actual = np.zeros((3, ACTION_DIM))
    predicted = actual.copy()
    predicted[:, RIGHT] = 0.01
    predicted[:, RIGHT + 5] = np.radians(2)
    sums = ErrorSums(3)
    sums.add(predicted, actual, masks(3, 3), "human")
    curves = sums.summary()["per_step"]
    assert curves["wrist_mm"] == pytest.approx([10, 20, 30])
    assert curves["wrist_deg"] == pytest.approx([2, 4, 6], abs=1e-6)
    assert curves["wrist_mm_still"] == [0, 0, 0]


def test_robot_joints_are_compared_as_the_twelve_joints_of_the_xhand() -> None:
    actual, predicted = np.zeros((1, ACTION_DIM)), np.zeros((1, ACTION_DIM))
    predicted[0, RIGHT + 6 : RIGHT + 51] = mano_from_xhand(np.full(12, np.radians(3)))
    sums = ErrorSums(1)
    sums.add(predicted, actual, masks(1, 1), "robot")
    assert sums.summary()["mean"]["joint_deg"] == pytest.approx(3)


def test_steps_beyond_the_episode_and_absent_hands_do_not_count() -> None:
    actual, predicted = np.zeros((3, ACTION_DIM)), np.full((3, ACTION_DIM), 0.5)
    predicted[0] = 0
    sums = ErrorSums(3)
    sums.add(predicted, actual, masks(3, 1), "human")
    assert sums.summary()["hands_per_step"] == [1, 0, 0]
    assert sums.summary()["mean"]["wrist_mm"] == 0
