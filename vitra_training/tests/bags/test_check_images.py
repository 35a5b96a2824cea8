"""Images that stutter, alternate or change their size are errors; a robot that rests may be seen the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bag_findings import Messages, errors, findings, of_topic

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
