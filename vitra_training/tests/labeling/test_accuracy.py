"""The measures of the accuracy table on data whose answer is known, and on real recordings where they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitra_policy.transforms import make_pose
from vitra_training.labeling.accuracy import end_to_end
from vitra_training.labeling.accuracy.counting import straight_fingers
from vitra_training.labeling.accuracy.trajectories import hot3d_rows, looking_at, noisy_and_smooth
from vitra_training.labeling.segmentation.stage import Segments
from vitra_training.labeling.truth.generate import TrueHand, Truth
from vitra_training.labeling.truth.session import Leg
from vitra_training.labeling.world.stage import WorldConfig


def test_smoothing_takes_most_of_the_trackers_noise_out_of_a_reaching_hand() -> None:
    time = np.arange(90) / 30
    path = np.stack([0.2 * np.sin(2 * time), 0.1 * np.cos(3 * time), np.full(90, -0.2)], axis=1)
    head = make_pose(np.tile([0.0, -0.4, 0.1], (90, 1)), np.tile(np.eye(3), (90, 1, 1)))
    camera = looking_at(head, path)
    noisy, smooth = noisy_and_smooth(path, camera, 30.0, WorldConfig(), np.random.default_rng(0))
    before, after = (np.median(np.linalg.norm(p - path, axis=1)) for p in (noisy, smooth))
    assert 0.005 < before < 0.08
    assert after < 0.6 * before
    # The noise of the model is along the line of sight above all.
    ray = (path - camera[:, :3, 3]) / np.linalg.norm(path - camera[:, :3, 3], axis=1, keepdims=True)
    assert np.abs(((noisy - path) * ray).sum(axis=1)).mean() > 1.5 * before / 2


def test_a_camera_that_looks_at_a_path_has_it_in_its_middle() -> None:
    path = np.random.default_rng(1).normal([1.0, 2.0, 3.0], 0.05, (20, 3))
    head = make_pose(np.zeros((20, 3)), np.tile(np.eye(3), (20, 1, 1)))
    camera = looking_at(head, path)
    middle = camera[0, :3, :3].T @ path.mean(axis=0)
    np.testing.assert_allclose(middle[:2], 0.0, atol=1e-9)
    assert middle[2] > 0
    assert np.linalg.det(camera[0, :3, :3]) == pytest.approx(1.0)


def test_a_straight_finger_is_told_from_a_bent_one() -> None:
    joints = np.zeros((1, 21, 3))
    for knuckle in (5, 9, 13, 17):
        joints[0, knuckle : knuckle + 4, 1] = 0.03 * np.arange(4)
    joints[0, 9:13] = [[0, 0, 0], [0, 0.04, 0], [0, 0.04, 0.03], [0, 0.01, 0.03]]
    assert straight_fingers(joints)[0].tolist() == [True, False, True, True]


def test_cuts_count_only_where_the_hand_is_in_the_image_and_away_from_the_ends() -> None:
    visible = np.ones(120, dtype=bool)
    visible[60:80] = False
    hand = TrueHand(np.zeros((120, 4, 4)), np.zeros((120, 45)), np.zeros((120, 21, 3)), np.zeros((120, 21, 2)), visible,
                    (Leg(0, 8, ""), Leg(8, 40, ""), Leg(40, 70, ""), Leg(70, 100, ""), Leg(100, 120, "")))  # fmt: skip
    truth = Truth(np.eye(3), 0.0, 30.0, np.zeros((120, 4, 4)), True, {"left": hand, "right": hand})
    assert end_to_end.true_cuts(truth, "left") == [40, 100]
    segments = Segments((), np.zeros((2, 120)), ((3, 41, 99, 118), (60,)))
    assert end_to_end.found_cuts(segments, "left", 120, 30.0) == [41, 99]
    assert end_to_end.found_cuts(segments, "right", 120, 30.0) == [60]
    late = replace(hand, visible=np.zeros(120, dtype=bool))
    assert end_to_end.true_cuts(replace(truth, hands={"left": late}), "left") == []


def test_hot3ds_wrist_paths_are_better_after_smoothing(shared_dir: Path) -> None:
    folder = shared_dir / "data/hands/hot3d_aria"
    if not folder.is_dir():
        pytest.skip("the HOT3D sample is not there")
    noisy, smooth, aligned = hot3d_rows(folder, draws=3)
    assert smooth.value < 0.8 * noisy.value
    assert aligned.value <= smooth.value + 1.0
    assert smooth.n == 6
