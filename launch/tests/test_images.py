"""The images of a demo and of a trial are those that were recorded, in whatever form."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vitra_bringup.errors import LaunchError
from vitra_bringup.images import Image, head_camera_frames, partial_video, write_video
from vitra_policy.camera_messages.video import VIDEO_TYPE

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
RED = np.zeros((48, 64, 3), dtype=np.uint8)
RED[..., 0] = 200


@pytest.fixture(scope="module")
def types() -> Any:
    store = get_typestore(Stores.ROS2_JAZZY)
    text = "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n"
    store.register(get_types_from_msg(text, VIDEO_TYPE))
    return store


def raw(types: Any, header: Any, number: int, encoding: str) -> Any:
    rows = np.full((48, 64 * 3 + 5), 77, dtype=np.uint8)
    rows[:, : 64 * 3] = (RED if encoding == "rgb8" else RED[..., ::-1]).reshape(48, -1)
    return types.types[IMAGE](header, 48, 64, encoding, 0, rows.shape[1], rows.reshape(-1))


def jpeg(types: Any, header: Any, number: int) -> Any:
    return types.types[COMPRESSED](
        header, "rgb8; jpeg compressed bgr8", cv2.imencode(".jpg", RED[..., ::-1])[1].ravel()
    )


class Video:
    """A video of ten red images."""

    def __init__(self) -> None:
        import av

        self._codec: Any = av.CodecContext.create("libx264", "w")
        self._codec.width, self._codec.height, self._codec.pix_fmt = 64, 48, "yuv420p"
        self._codec.time_base, self._codec.thread_count = Fraction(1, 30), 1
        self._codec.options = {"tune": "zerolatency", "crf": "10", "bf": "0", "g": "5"}

    def __call__(self, types: Any, header: Any, number: int) -> Any:
        import av

        frame = av.VideoFrame.from_ndarray(RED, format="rgb24")
        frame.pts = number
        data = b"".join(bytes(packet) for packet in self._codec.encode(frame))
        return types.types[VIDEO_TYPE](header.stamp, "camera", np.frombuffer(data, np.uint8), "h264")


def write(path: Path, types: Any, topic: str, make: Any) -> Path:
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = None
        for number in range(10):
            stamp = types.types["builtin_interfaces/msg/Time"](1, number * 33_000_000)
            message = make(types, types.types["std_msgs/msg/Header"](stamp, "camera"), number)
            kind = message.__msgtype__
            connection = connection or writer.add_connection(topic, kind, typestore=types)
            writer.write(connection, number, bytes(types.serialize_cdr(message, kind)))
    return path


@pytest.mark.parametrize(
    ("suffix", "make"),
    [
        ("", lambda *args: raw(*args, "rgb8")),
        ("", lambda *args: raw(*args, "bgr8")),
        ("/compressed", jpeg),
        ("/video", Video()),
    ],
    ids=["rgb8", "bgr8", "jpeg", "h264"],
)
def test_every_frame_of_every_form_has_its_true_colours(types: Any, tmp_path: Path, suffix: str, make: Any) -> None:
    bag = write(tmp_path / "bag", types, f"/head_camera/color/image_raw{suffix}", make)
    frames = list(head_camera_frames(bag))
    assert [stamp_s for stamp_s, _ in frames] == pytest.approx([1 + 0.033 * n for n in range(10)])
    for _, image in frames:
        assert image.shape == RED.shape
        assert np.abs(image.astype(int) - RED).mean() < 6


def test_images_none_of_which_can_be_decoded_are_an_error_and_not_an_empty_video(types: Any, tmp_path: Path) -> None:
    def rubbish(types: Any, header: Any, number: int) -> Any:
        return types.types[COMPRESSED](header, "jpeg", np.arange(50, dtype=np.uint8))

    bag = write(tmp_path / "bag", types, "/head_camera/color/image_raw/compressed", rubbish)
    with pytest.raises(LaunchError, match="None of the 10 images"):
        list(head_camera_frames(bag))


def noise(frames: int, broken_after: int = 1_000) -> Iterator[Image]:
    rng = np.random.default_rng(3)
    for number in range(frames):
        if number == broken_after:
            raise LaunchError("no more images")
        yield rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)


def test_a_video_appears_under_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    partial_video(path).write_bytes(b"left by a kill")

    def watched() -> Iterator[Image]:
        for image in noise(5):
            assert not path.exists()
            yield image

    assert write_video(path, watched()) == 5
    assert [file.name for file in tmp_path.iterdir()] == ["video.mp4"]
    before = path.read_bytes()
    with pytest.raises(LaunchError, match="no more images"):
        write_video(path, noise(5, broken_after=3))
    assert [file.name for file in tmp_path.iterdir()] == ["video.mp4"]
    assert path.read_bytes() == before, "what had the name before is as it was"


@pytest.mark.parametrize("size_bytes", [0, 20_000])
def test_nothing_is_left_of_a_video_that_the_disk_refuses(tmp_path: Path, size_bytes: int) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))  # refused as by a full disk
    try:
        with pytest.raises(OSError, match="too large"):
            write_video(tmp_path / "video.mp4", noise(60))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_no_images_are_no_error_of_the_disk(tmp_path: Path) -> None:
    assert write_video(tmp_path / "video.mp4", noise(0)) == 0
