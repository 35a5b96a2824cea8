"""Points followed there and back between made-up images."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vitra_training.labeling.camera.flow import followed


@pytest.fixture
def image() -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).uniform(0, 255, (120, 160)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2.0) * 3 - 255, dtype=np.float32).clip(0, 255).astype(np.uint8)


POINTS = np.array([[[40, 40]], [[80, 60]], [[110, 70]]], dtype=np.float32)


def test_points_are_found_where_the_image_was_shifted_to(image: NDArray[np.uint8]) -> None:
    moved = np.roll(image, (3, 5), axis=(0, 1))
    end, good = followed(image, moved, POINTS, window_px=21, tolerance_px=0.5)
    assert good.all()
    assert end.shape == POINTS.shape
    np.testing.assert_allclose(end - POINTS, np.broadcast_to([5, 3], POINTS.shape), atol=0.1)


def test_a_point_that_is_covered_does_not_come_back(image: NDArray[np.uint8]) -> None:
    moved = np.roll(image, (3, 5), axis=(0, 1))
    moved[38:90, 60:110] = np.random.default_rng(1).integers(0, 255, (52, 50))
    _, good = followed(image, moved, POINTS, window_px=21, tolerance_px=0.3)
    assert good[0]
    assert not good[1]


def test_the_tolerance_is_what_decides(image: NDArray[np.uint8]) -> None:
    moved = np.roll(image, (3, 5), axis=(0, 1))
    _, good = followed(image, moved, POINTS, window_px=21, tolerance_px=0.0)
    assert not good.any()
