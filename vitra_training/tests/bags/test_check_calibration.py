"""A calibration that cannot be true, changes while recording, or is not the one of the bag's file is an error."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_findings import SECOND, Messages, errors, findings, of_topic

CAMERA_FRAME = "head_camera_color_optical_frame"


def without_file(episodes: Any) -> dict[str, str]:
    return {key: text for key, text in episodes.about.items() if key != "calibration_yaml"}


def edge(messages: Messages, child: str) -> Any:
    return next(one for one in of_topic(messages, "tf_static")[0].transforms if one.child_frame_id == child)


def latch_again(messages: Messages, at_s: float, x_off_m: float, child: str = CAMERA_FRAME) -> None:
    """The frames once more, one of them moved."""
    begin_ns = messages[0][1]
    frames = copy.deepcopy(messages[0][2])
    moved = next(one for one in frames.transforms if one.child_frame_id == child)
    moved.transform.translation.x += x_off_m
    messages.append(("/tf_static", begin_ns + round(at_s * SECOND), frames))
    messages.sort(key=lambda message: message[1])


def exchange_sides(messages: Messages) -> None:
    for one in of_topic(messages, "tf_static")[0].transforms:
        for of in (one, one.header):
            name = "child_frame_id" if of is one else "frame_id"
            other = {"left": "right", "right": "left"}
            side = getattr(of, name).split("_")[0]
            if side in other:
                setattr(of, name, getattr(of, name).replace(side, other[side]))


def without_optical_rotation(messages: Messages) -> None:
    for axis, value in zip("xyzw", (0.0, 0.0, 0.0, 1.0), strict=True):
        setattr(edge(messages, CAMERA_FRAME).transform.rotation, axis, value)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (exchange_sides, "are the sides swapped?"),
        (without_optical_rotation, "the head camera does not see where the hands work"),
    ],
)
def test_frames_that_cannot_be_true_are_an_error_without_any_file(
    spoil: Any, words: str, episodes: Any, tmp_path: Path
) -> None:
    messages = episodes.messages(2.0)
    spoil(messages)
    found = errors(episodes.write(tmp_path / "bag", messages, without_file(episodes)))
    assert any(words in one for one in found)


@pytest.mark.parametrize(("off_m", "is_found"), [(0.002, True), (0.0005, False)])
def test_frames_are_compared_with_the_calibration_file_in_the_bag(
    off_m: float, is_found: bool, episodes: Any, tmp_path: Path
) -> None:
    messages = episodes.messages(2.0)
    edge(messages, CAMERA_FRAME).transform.translation.y += off_m
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert is_found == any("on /tf_static are 2.0 mm and 0.00 deg apart" in one for one in found)
    assert is_found == bool(found)


def test_frames_that_change_while_images_come_are_an_error_with_the_time(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    latch_again(messages, 1.0, 0.02)
    found = errors(episodes.write(tmp_path / "bag", messages, without_file(episodes)))
    assert found == [
        f"error calibration: /tf_static changes at 1.00 s: {CAMERA_FRAME} was in base_link, then 20.0 mm and 0.00 deg "
        "off, in base_link"
    ]


def test_frames_that_are_latched_again_as_they_were_are_no_change(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    latch_again(messages, 1.0, 0.0)
    assert findings(episodes.write(tmp_path / "bag", messages)) == []


def test_what_was_latched_before_the_first_image_is_history(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    edge(messages, CAMERA_FRAME).transform.translation.x += 0.02
    latch_again(messages, 0.0, -0.02)
    assert findings(episodes.write(tmp_path / "bag", messages)) == []


def test_a_frame_that_no_episode_uses_may_move(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    for at_s, x_m in ((0.0, 0.0), (1.0, 0.3)):
        frames = copy.deepcopy(messages[0][2])
        frames.transforms = [copy.deepcopy(frames.transforms[0])]
        frames.transforms[0].child_frame_id = "left_link_3"
        frames.transforms[0].transform.translation.x = x_m
        messages.append(("/tf_static", messages[0][1] + round(at_s * SECOND), frames))
    messages.sort(key=lambda message: message[1])
    assert findings(episodes.write(tmp_path / "bag", messages)) == []


def test_intrinsics_that_change_are_an_error_that_names_both(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    for message in of_topic(messages, "camera_info", from_s=1.0):
        message.k = np.array([26.0, 0, 16, 0, 26, 8, 0, 0, 1])
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert len(found) == 1
    assert "they change at 1.0" in found[0]
    assert "from 32x16, fx 25.0" in found[0]
    assert "to 32x16, fx 26.0" in found[0]


def test_a_camera_info_of_another_size_than_the_images_is_an_error(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    for message in of_topic(messages, "camera_info"):
        message.width, message.height = 36, 18
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert found == ["error intrinsics: camera_info is of 36x18 images, these are 32x16"]


def test_a_calibration_file_that_cannot_be_read_is_named_and_refuses_nothing(episodes: Any, tmp_path: Path) -> None:
    path = episodes.write(
        tmp_path / "bag", episodes.messages(2.0), {**episodes.about, "calibration_yaml": "version: 1"}
    )
    assert errors(path) == []
    assert any("the calibration file in the bag cannot be read" in one for one in findings(path))


def test_a_calibration_file_is_the_one_whose_hash_was_recorded(episodes: Any, tmp_path: Path) -> None:
    text = episodes.about["calibration_yaml"]
    about = {**episodes.about, "calibration_sha256": hashlib.sha256(text.encode()).hexdigest()}
    assert findings(episodes.write(tmp_path / "as_recorded", episodes.messages(2.0), about)) == []
    another = {**about, "calibration_yaml": f"{text}# edited\n"}
    found = errors(episodes.write(tmp_path / "edited", episodes.messages(2.0), another))
    assert len(found) == 1
    assert "it is not the one that was recorded with" in found[0]
