"""Bags as other recorders write them: several forms of one camera's images, intrinsics said once, words said early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bag_findings import SECOND, Messages, findings
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

from vitra_training.bags.content import images
from vitra_training.bags.repair import repair_bag
from vitra_training.bags.streams import CAMERA, read_streams
from vitra_training.cli_bag import main

RAW = "/head_camera/color/image_raw"
LATCHED_QOS = Qos(
    QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, QosTime(0, 0), QosTime(0, 0),
    QosLiveliness.AUTOMATIC, QosTime(0, 0), False,
)  # fmt: skip


def compressed(episodes: Any, messages: Messages) -> Messages:
    """The raw images once more, as JPEG."""
    found = []
    for topic, t, message in messages:
        if topic == RAW:
            jpeg = cv2.imencode(".jpg", message.data.reshape(16, 32, 3))[1].reshape(-1)
            fields = {"header": message.header, "format": "rgb8; jpeg compressed bgr8", "data": jpeg}
            found.append((f"{topic}/compressed", t, episodes.make("sensor_msgs/msg/CompressedImage", **fields)))
    return found


def both(messages: Messages, more: Messages) -> Messages:
    return sorted([*messages, *more], key=lambda message: message[1])


def test_of_raw_and_compressed_images_the_raw_ones_are_used_and_that_is_said(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    bag = episodes.write(tmp_path / "bag", both(messages, compressed(episodes, messages)))
    assert findings(bag) == [f"warning images: {CAMERA} is recorded in several forms; {CAMERA}/compressed is not used"]
    shown = [image for _, image in images(bag)]
    expected = [message.data.reshape(16, 32, 3) for topic, _, message in messages if topic == RAW]
    np.testing.assert_array_equal(np.stack(shown), np.stack(expected))  # type: ignore[arg-type]
    assert main(["convert", str(bag), str(tmp_path / "out"), "--formats", "teledata"]) == 0
    assert repair_bag(bag).original is None, "every message is counted all the same"


def test_raw_images_of_a_part_only_do_not_hide_the_compressed_ones(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    some = [one for n, one in enumerate(m for m in messages if m[0] == RAW) if n < 20]
    rest = [one for one in messages if one[0] != RAW]
    bag = episodes.write(tmp_path / "bag", both([*rest, *some], compressed(episodes, messages)))
    assert len(read_streams(bag).streams[CAMERA].arrivals_ns) == 60
    said = f"{CAMERA} is recorded in several forms; {CAMERA} raw is not used"
    assert findings(bag) == [f"warning images: {said}"]


@pytest.mark.parametrize("topics", [("/instruction",), ("/tf_static",), ("/instruction", "/tf_static")])
def test_what_was_latched_long_before_the_first_image_is_no_gap(
    topics: tuple[str, ...], episodes: Any, tmp_path: Path
) -> None:
    messages = [(topic, t - 5 * SECOND if topic in topics else t, m) for topic, t, m in episodes.messages(2.0)]
    bag = episodes.write(tmp_path / "bag", sorted(messages, key=lambda message: message[1]))
    assert findings(bag) == []
    assert main(["trim", str(bag), str(tmp_path / "cut"), "--begin-s", "0.3"]) == 0
    assert findings(tmp_path / "cut") == []


def test_intrinsics_that_are_said_once_hold_for_the_whole_bag(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    info = next(message for message in messages if message[0].endswith("camera_info"))
    others = [message for message in messages if not message[0].endswith("camera_info")]
    assert findings(episodes.write(tmp_path / "bag", both(others, [info]))) == []


def test_intrinsics_that_are_latched_and_said_now_and_then_hold_in_between(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    infos = [message for message in messages if message[0].endswith("camera_info")][:40:20]
    with episodes.begin(tmp_path / "bag") as writer:
        kind = "sensor_msgs/msg/CameraInfo"
        latched = writer.add_connection(
            infos[0][0], kind, typestore=episodes.types, offered_qos_profiles=(LATCHED_QOS,)
        )
        for _, t, message in infos:
            writer.write(latched, t, episodes.types.serialize_cdr(message, kind))
        episodes.add(writer, [message for message in messages if not message[0].endswith("camera_info")])
    assert findings(tmp_path / "bag") == []


def test_intrinsics_that_stop_although_they_come_with_every_image_are_an_error(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    begin_ns = messages[0][1]
    some = [m for m in messages if not m[0].endswith("camera_info") or m[1] < begin_ns + SECOND]
    found = findings(episodes.write(tmp_path / "bag", some))
    assert any("head_camera/color/camera_info ends" in one for one in found)
