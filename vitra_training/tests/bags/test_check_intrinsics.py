"""What a camera reports of its lens and focal length: warned of where it matters, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_findings import errors, findings, of_topic

from vitra_training.bags.check_intrinsics import corner_shift_px

VGA = np.array([[386.0, 0, 320], [0, 386, 240], [0, 0, 1]])
REALSENSE = (-0.005, 0.006, 0.0001, -0.0001, -0.002)


def with_lens(episodes: Any, model: str, coefficients: tuple[float, ...], path: Path) -> Path:
    messages = episodes.messages(2.0)
    for message in of_topic(messages, "camera_info"):
        message.distortion_model, message.d = model, np.array(coefficients, dtype=np.float64)
    written: Path = episodes.write(path, messages)
    return written


@pytest.mark.parametrize(
    ("model", "coefficients"),
    [("plumb_bob", (0.0,) * 5), ("plumb_bob", ()), ("plumb_bob", REALSENSE), ("none", (0.0,) * 5)],
)
def test_a_lens_that_hardly_bends_is_no_finding(
    model: str, coefficients: tuple[float, ...], episodes: Any, tmp_path: Path
) -> None:
    assert findings(with_lens(episodes, model, coefficients, tmp_path / "bag")) == []


@pytest.mark.parametrize(
    ("model", "coefficients", "said"),
    [
        ("plumb_bob", (-0.4, 0.2, 0.0, 0.0, 0.1), "the lens (plumb_bob) moves a corner of the image by"),
        ("rational_polynomial", (-0.9, 0.2, 0, 0, 0, 0, 0, 0), "the lens (rational_polynomial) moves a corner"),
        ("equidistant", (-0.3, 0.0, 0.0, 0.0), "the lens (equidistant) moves a corner of the image by"),
        ("double_sphere", (0.5, 0.1), "the lens is of model 'double_sphere', which nothing here rectifies"),
    ],
)
def test_a_lens_that_bends_the_image_is_warned_of(
    model: str, coefficients: tuple[float, ...], said: str, episodes: Any, tmp_path: Path
) -> None:
    bag = with_lens(episodes, model, coefficients, tmp_path / "bag")
    assert errors(bag) == []
    assert [found for found in findings(bag) if said in found]


def test_a_lens_of_nan_is_an_error(episodes: Any, tmp_path: Path) -> None:
    bag = with_lens(episodes, "plumb_bob", (float("nan"), 0.0, 0.0, 0.0, 0.0), tmp_path / "bag")
    assert "error intrinsics: the lens's coefficients of distortion are NaN or infinite" in errors(bag)


def test_the_shift_of_a_corner_is_that_of_the_model() -> None:
    x, y = 320 / 386, 240 / 386
    r2 = x * x + y * y
    expected = 386 * abs(-0.05 * r2) * np.sqrt(r2)
    assert corner_shift_px(VGA, (640, 480), "plumb_bob", (-0.05,)) == pytest.approx(expected, rel=1e-6)
    angle, r = np.arctan(np.sqrt(r2)), np.sqrt(r2)
    assert corner_shift_px(VGA, (640, 480), "equidistant", (0.0,) * 4) == pytest.approx(386 * (r - angle), rel=1e-6)


@pytest.mark.parametrize(
    ("K", "is_found"),
    [
        ((386.0, 386.0, 320.0, 240.0), False),
        ((380.0, 380.5, 326.0, 235.0), False),
        ((430.0, 430.0, 320.0, 240.0), True),
        ((386.0, 386.0, 345.0, 240.0), True),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_intrinsics_far_from_those_of_the_calibration_file_are_warned_of(
    K: tuple[float, ...], is_found: bool, scale: float, episodes: Any, tmp_path: Path
) -> None:
    messages = episodes.messages(0.3)
    for message in of_topic(messages, "camera_info"):
        fx, fy, cx, cy = (scale * value for value in K)
        message.k, message.width, message.height = np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1]), 640 * scale, 480 * scale
        message.width, message.height = round(message.width), round(message.height)
    found = findings(episodes.write(tmp_path / "bag", messages))
    assert is_found == any("the calibration file in the bag fx 38" in one or "fx 193" in one for one in found)
    assert is_found == any("Is it the camera that was calibrated?" in one for one in found)
