"""An image that stands still is noticed; noise, an opened camera and a patient setting are not taken for one."""

from __future__ import annotations

import numpy as np

from vitra_camera.still_image import StillImage

GREY = np.full((480, 640, 3), 90, dtype=np.uint8)


def test_the_same_pixels_for_longer_than_allowed_are_a_problem_until_they_change() -> None:
    still = StillImage(0.5)
    said = [still.problem(GREY, k / 30) for k in range(20)]
    assert not any(said[:16])
    assert "same image for 0.6 s" in said[-1]
    other = GREY.copy()
    other[::8, ::8, 0] += 1
    assert still.problem(other, 1.0) == ""


def test_noise_is_enough() -> None:
    rng, still = np.random.default_rng(0), StillImage(0.5)
    for k in range(60):
        noisy = GREY + rng.integers(0, 2, GREY.shape, dtype=np.uint8)
        assert still.problem(noisy, k / 30) == ""


def test_an_opened_camera_begins_anew_and_zero_allows_everything() -> None:
    still, patient = StillImage(0.5), StillImage(0.0)
    still.problem(GREY, 0.0)
    still.restart()
    assert still.problem(GREY, 5.0) == ""
    assert patient.problem(GREY, 0.0) == patient.problem(GREY, 500.0) == ""
