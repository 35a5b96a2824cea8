"""The metric on geometry that is known."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_policy.action_space import ACTION_DIM, HAND, Side
from vitra_policy.hand.skeleton import KEYPOINTS, default_skeleton
from vitra_policy.transforms import make_pose
from vitra_training.benchmarks.grasp.metric import chunk_distance_m, nearest_m, path_of
from vitra_training.benchmarks.grasp.start import Start

OPEN = np.zeros(45)


def start(side: Side = Side.RIGHT) -> Start:
    return Start(side, make_pose([0.1, 0.0, 0.5], np.eye(3)), OPEN)


def moved(steps_m: list[list[float]], side: Side = Side.RIGHT) -> np.ndarray:
    actions = np.zeros((len(steps_m), ACTION_DIM))
    actions[:, HAND[side]][:, :3] = steps_m
    return actions


@pytest.mark.parametrize("side", list(Side))
def test_a_hand_that_goes_5_cm_towards_a_point_10_cm_before_its_tip_is_5_cm_away(side: Side) -> None:
    tip = start(side).keypoints_m[KEYPOINTS.index("middle_4")]
    along = np.array([-1.0 if side is Side.RIGHT else 1.0, 0, 0])
    path = path_of(moved([list(along * 0.05), [0, 0, 0]], side), start(side).state, side)
    assert chunk_distance_m(path, (tip + along * 0.10)[None]) == pytest.approx(0.05, abs=1e-9)


def test_the_nearest_step_counts_and_not_the_last() -> None:
    tip = start().keypoints_m[KEYPOINTS.index("middle_4")]
    path = path_of(moved([[-0.1, 0, 0], [0.3, 0, 0]]), start().state, Side.RIGHT)
    assert chunk_distance_m(path, (tip - [0.1, 0, 0])[None]) == pytest.approx(0.0, abs=1e-9)


def test_where_the_hand_was_before_it_acted_does_not_count() -> None:
    tip = start().keypoints_m[KEYPOINTS.index("middle_4")]
    path = path_of(moved([[0.2, 0, 0]]), start().state, Side.RIGHT)
    assert chunk_distance_m(path, tip[None]) > 0.03


def test_the_wrist_is_no_finger() -> None:
    keypoints = default_skeleton().keypoints(OPEN)
    assert nearest_m(keypoints, keypoints[:1]) > 0.02


def test_fingers_that_bend_count_where_they_bend_to() -> None:
    actions = moved([[0.0, 0, 0]])
    actions[:, HAND[Side.RIGHT]][:, 6 + 9 + 2] = 1.2  # first joint of the middle finger
    bent = np.zeros(45)
    bent[9 + 2] = 1.2
    target = Start(Side.RIGHT, start().camera_from_wrist, bent).keypoints_m[KEYPOINTS.index("middle_4")]
    path = path_of(actions, start().state, Side.RIGHT)
    assert chunk_distance_m(path, target[None]) == pytest.approx(0.0, abs=1e-9)
    assert chunk_distance_m(path_of(moved([[0.0, 0, 0]]), start().state, Side.RIGHT), target[None]) > 0.02
