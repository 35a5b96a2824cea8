"""The offline captioner."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_policy.transforms import make_pose, matrix_from_rotvec
from vitra_training.labeling.captions.frames import drawn, jpeg, sampled
from vitra_training.labeling.captions.template import describe


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ([0.3, 0, 0], "right"),
        ([-0.3, 0, 0], "left"),
        ([0, -0.2, 0], "up"),
        ([0, 0.2, 0.02], "down"),
        ([0, 0, 0.4], "away from the body"),
        ([0, 0, -0.4], "towards the body"),
        ([0.3, -0.25, 0], "right and up"),
    ],
)
def test_the_direction_is_that_of_the_persons_own_view(way: list[float], words: str) -> None:
    turned = make_pose([0.1, 0.2, 0.3], matrix_from_rotvec([0.4, -0.2, 1.0]))  # camera_from_world
    palms = np.linspace(0, 1, 20)[:, None] * (turned[:3, :3].T @ np.array(way))
    text, rephrases = describe("left", palms, turned)
    assert text == f"Move the left hand {words}."
    assert len(rephrases) == 2


def test_a_hand_that_stays_is_said_to_stay() -> None:
    assert describe("right", np.zeros((10, 3)), np.eye(4))[0] == "Hold the right hand where it is."


def test_frames_are_spread_evenly_with_both_ends() -> None:
    assert sampled(10, 80) == [10, 20, 30, 40, 49, 59, 69, 79]
    assert sampled(5, 8) == [5, 6, 7]


def test_the_palms_way_is_drawn_from_blue_to_red() -> None:
    K = np.array([[400.0, 0, 320], [0, 400, 240], [0, 0, 1]])
    palms = np.stack([np.linspace(-0.2, 0.2, 30), np.zeros(30), np.full(30, 0.5)], axis=1)
    image = drawn(np.zeros((480, 640, 3), dtype=np.uint8), palms, np.eye(4), K)
    row = image[image.shape[0] // 2]
    line = np.flatnonzero(row.max(axis=1) > 100)
    assert row[line[-3], 0] > row[line[-3], 2]  # red at the end
    assert row[line[len(line) // 4], 2] > row[line[len(line) // 4], 0]  # blue near the start
    assert jpeg(image)[:2] == b"\xff\xd8"
