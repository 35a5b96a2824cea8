"""Images that stutter, alternate or change their size are errors; a robot that rests may be seen the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bag_findings import SECOND, Messages, errors, findings, of_topic

CAMERA = "head_camera/color/image_raw"


def shown(messages: Messages, number: Any) -> None:
    """Show at each frame the image of another one."""
    frames = of_topic(messages, CAMERA)
    pixels = [message.data for message in frames]
    for n, message in enumerate(frames):
        message.data = pixels[number(n)]


@pytest.mark.parametrize(
    "number", [lambda n: n % 2, lambda n: n // 11 * 11, lambda n: n // 4 * 4 + n % 2], ids=["two", "held", "pairs"]
)
def test_images_that_alternate_or_are_held_are_a_stuttering_camera(number: Any, episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(4.0)
    shown(messages, number)
    found = findings(episodes.write(tmp_path / "bag", messages))
    assert len(found) == 1
    level = "warning" if number(3) == 1 and number(4) == 4 else "error"
    assert found[0].startswith(f"{level} stutter: while an arm moves, ")


def test_a_few_images_that_are_held_are_no_finding(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(4.0)
    shown(messages, lambda n: n - 1 if n % 15 == 14 else n)
    assert findings(episodes.write(tmp_path / "bag", messages)) == []


def test_a_robot_that_rests_before_a_still_camera_is_no_finding(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(4.0, still_s=1.2)
    shown(messages, lambda n: min(n, 115))
    assert errors(episodes.write(tmp_path / "bag", messages)) == []


def turned(messages: Messages, rad_s: float, from_s: float, fingers: float = 0.0) -> None:
    """The arm, or the fingers, turn slowly from a time on."""
    for _, t, message in messages:
        if hasattr(message, "position_rad") or (hasattr(message, "position") and len(message.position) in (7, 12)):
            name = "position_rad" if hasattr(message, "position_rad") else "position"
            turn = rad_s * max((t - messages[0][1]) / SECOND - from_s, 0.0)
            count = len(getattr(message, name))
            setattr(message, name, np.full(count, 0.3 + (turn if count == 7 else fingers * turn)))


@pytest.mark.parametrize("rad_s", [0.02, 0.04, 0.095, 0.3])
def test_a_frozen_camera_is_found_however_slowly_the_arm_turns_meanwhile(
    rad_s: float, episodes: Any, tmp_path: Path
) -> None:
    messages = episodes.messages(6.0)
    turned(messages, rad_s, from_s=0.3)
    shown(messages, lambda n: n if n < 30 else max(n - 140, 30))
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert found[0].startswith(
        "error frozen image: the same image for 4.7 s at 1.0 s while the robot moves (a joint by "
    )


def test_fingers_that_close_slowly_before_a_frozen_camera_are_found(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(6.0)
    turned(messages, 0.08, from_s=0.3, fingers=1.0)
    for message in of_topic(messages, "/right_arm/joint_states") + of_topic(messages, "/right_arm/command"):
        name = "position_rad" if hasattr(message, "position_rad") else "position"
        setattr(message, name, np.full(7, 0.3))
    shown(messages, lambda n: min(n, 30))
    assert "error frozen image: the same image for 5.0 s" in errors(episodes.write(tmp_path / "bag", messages))[0]


@pytest.mark.parametrize("noise_rad", [0.0, 0.003])
def test_a_still_view_whose_first_change_comes_late_after_a_rest_is_no_finding(
    noise_rad: float, episodes: Any, tmp_path: Path
) -> None:
    messages = episodes.messages(4.0)
    turned(messages, 1.0, from_s=1.2)
    for message in of_topic(messages, "joint_states"):
        noise = np.random.default_rng(len(messages)).normal(0.0, noise_rad, len(message.position))
        message.position = np.minimum(message.position, 1.5) + noise
    for message in of_topic(messages, "/right_arm/command"):
        message.position_rad = np.minimum(message.position_rad, 1.5)
    shown(messages, lambda n: max(n, 39))  # until 1.3 s; the arm turns from 1.2 s on
    assert errors(episodes.write(tmp_path / "bag", messages)) == []


def test_images_that_change_their_size_are_an_error_with_both_and_the_time(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    for message in of_topic(messages, CAMERA, from_s=1.0):
        rows = np.asarray(message.data).reshape(16, 32, 3)[:8, :16]
        message.height, message.width, message.step = 8, 16, 48
        message.data = np.ascontiguousarray(rows).reshape(-1)
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert len(found) == 1
    assert found[0].startswith("error image size: it changes from 32x16 to 16x8 at 1.0")


def test_the_size_of_a_jpeg_is_its_own_also_where_it_is_odd(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    rng = np.random.default_rng(0)
    for number, (topic, t, message) in enumerate(messages):
        if topic.endswith("camera_info"):
            message.width, message.height = 33, 17
            message.k = np.array([25.0, 0, 16.5, 0, 25, 8.5, 0, 0, 1])
        elif topic.endswith(CAMERA):
            data = cv2.imencode(".jpg", rng.integers(0, 255, (17, 33, 3), dtype=np.uint8))[1].reshape(-1)
            fields = {"header": message.header, "format": "rgb8; jpeg compressed bgr8", "data": data}
            messages[number] = (f"{topic}/compressed", t, episodes.make("sensor_msgs/msg/CompressedImage", **fields))
    assert findings(episodes.write(tmp_path / "bag", messages)) == []
