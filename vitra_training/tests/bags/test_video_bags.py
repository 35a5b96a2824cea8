"""Bags whose camera was recorded as H.264: judged, cut, converted and observed like all others."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from rosbags.typesys import get_types_from_msg

from vitra_policy.camera_messages.h264_continuity import Order
from vitra_policy.camera_messages.video import VIDEO_TYPE, VideoDecoder
from vitra_training.bags.check import check_bag
from vitra_training.bags.content import image_times, images
from vitra_training.bags.episodes import BagEpisodes
from vitra_training.bags.observations import observations
from vitra_training.bags.repair import repair_bag
from vitra_training.bags.trim import trim_bag
from vitra_training.datasets.episode import RobotEpisode
from vitra_training.datasets.video import VideoReader

CAMERA = "/head_camera/color/image_raw"
GOP, SIZE = 15, (48, 64)
DEFINITION = "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n"


def scene(number: int) -> np.ndarray:
    """A bright square that goes round over a slope."""
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    an_image = np.stack([2 * x, 2 * y, 200 - x], axis=-1).astype(np.uint8)
    left = 2 * number % 44
    an_image[16:32, left : left + 16] = (250, 30, 60)
    return an_image


def encode(images: list[np.ndarray]) -> list[bytes]:
    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = SIZE[1], SIZE[0], "yuv420p", Fraction(1, 30)
    codec.thread_count = 1
    codec.options = {"preset": "superfast", "tune": "zerolatency", "crf": "16", "bf": "0", "sc_threshold": "0"}
    codec.options |= {"g": str(GOP)}
    data = []
    for number, an_image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(an_image, format="rgb24")
        frame.pts = number
        data.append(b"".join(bytes(packet) for packet in codec.encode(frame)))
    return data


class VideoEpisodes:
    """Turns the raw camera of an episode into a video."""

    def __init__(self, episodes: Any) -> None:
        self._episodes = episodes
        if VIDEO_TYPE not in episodes.types.fielddefs:
            episodes.types.register(get_types_from_msg(DEFINITION, VIDEO_TYPE))

    def messages(self, images: Any = scene, seconds: float = 4.0) -> list[tuple[str, int, Any]]:
        plain = self._episodes.messages(seconds)
        frames = [n for n, message in enumerate(plain) if message[0] == CAMERA]
        for topic, _, message in plain:
            if topic.endswith("camera_info"):
                message.height, message.width = SIZE
                message.k = np.array([38.6, 0, SIZE[1] / 2, 0, 38.6, SIZE[0] / 2, 0, 0, 1])
        for number, data in zip(frames, encode([images(n) for n in range(len(frames))]), strict=True):
            _, arrival_ns, image = plain[number]
            video = self._episodes.make(
                VIDEO_TYPE, timestamp=image.header.stamp, frame_id="camera", data=np.frombuffer(data, np.uint8),
                format="h264",
            )  # fmt: skip
            plain[number] = (f"{CAMERA}/video", arrival_ns, video)
        return plain

    def write(self, path: Path, messages: Any = None) -> Path:
        written: Path = self._episodes.write(path, self.messages() if messages is None else messages)
        return written


@pytest.fixture
def videos(episodes: Any) -> VideoEpisodes:
    return VideoEpisodes(episodes)


def without(messages: list[Any], number: int) -> list[Any]:
    """The messages without one image."""
    frames = [n for n, message in enumerate(messages) if message[0] == f"{CAMERA}/video"]
    return [message for n, message in enumerate(messages) if n != frames[number]]


def findings(path: Path) -> dict[str, str]:
    return {finding.check: f"{finding.level}: {finding.message}" for finding in check_bag(path)[0].findings}


def test_a_good_video_has_no_findings(videos: VideoEpisodes, tmp_path: Path) -> None:
    assert findings(videos.write(tmp_path / "bag")) == {}


def test_a_frozen_video_is_found_though_every_message_differs(videos: VideoEpisodes, tmp_path: Path) -> None:
    messages = videos.messages(lambda n: scene(min(max(n - 30, 0), 1) + max(n - 70, 0)))
    assert "warning: the same image for 1." in findings(videos.write(tmp_path / "bag", messages))["frozen image"]


def test_a_noisy_camera_whose_video_repeats_before_a_still_view_is_no_error(
    videos: VideoEpisodes, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)

    def seen(number: int) -> np.ndarray:
        noise = rng.normal(0.0, 2.0, (*SIZE, 3))
        return np.asarray(np.clip(scene(0) + noise, 0, 255), dtype=np.uint8)

    path = videos.write(tmp_path / "bag", videos.messages(seen))
    assert check_bag(path)[0].ok
    assert "stands as well: look at it" in findings(path)["frozen image"]


def test_images_that_build_on_a_lost_one_are_named_and_left_out(videos: VideoEpisodes, tmp_path: Path) -> None:
    path = videos.write(tmp_path / "bag", without(videos.messages(), 2 * GOP + 3))
    assert findings(path)["images"] == "error: 11 images cannot be decoded: one before them is missing"
    source = BagEpisodes(tmp_path, [path])
    recording = source.load(0)
    assert isinstance(recording.episode, RobotEpisode)
    assert len(recording.episode) == 120, "time is not compressed"
    masked = np.flatnonzero(~recording.episode.sides["right"].arm_mask)
    assert masked.tolist() == list(range(2 * GOP + 3, 3 * GOP))
    with VideoReader(recording.video.path) as reader:
        likeness = [np.abs(reader.rgb(n).astype(float) - scene(n)).mean() for n in (0, 2 * GOP + 2, 3 * GOP)]
        likeness.append(float(np.abs(reader.rgb(2 * GOP + 5).astype(float) - scene(2 * GOP + 2)).mean()))
    assert max(likeness) < 6


def test_images_and_times_of_an_episode_are_those_of_the_video(videos: VideoEpisodes, tmp_path: Path) -> None:
    path = videos.write(tmp_path / "bag")
    recording = BagEpisodes(tmp_path, [path]).load(0)
    assert isinstance(recording.episode, RobotEpisode)
    assert (len(recording.episode), recording.episode.fps) == (120, 30.0)
    seen = list(observations(path))
    stamps = image_times(path).tolist()
    assert [one.stamp_s for one in seen] == stamps
    differences = [np.abs(one.image.astype(float) - scene(n)).mean() for n, one in enumerate(seen)]
    assert max(differences) < 6


def test_a_cut_within_a_video_begins_at_a_key_frame(videos: VideoEpisodes, tmp_path: Path) -> None:
    path = videos.write(tmp_path / "bag")
    trim_bag(path, tmp_path / "cut", 1.2, 3.0)  # image 36; its key frame is image 30
    first_s, an_image = next(images(tmp_path / "cut"))
    assert an_image is not None, "a key frame"
    assert first_s == image_times(path)[2 * GOP]
    assert "images" not in findings(tmp_path / "cut")


def test_a_cut_at_a_key_frame_begins_with_it_whatever_another_video_does(videos: VideoEpisodes, tmp_path: Path) -> None:
    messages = videos.messages()
    begin_ns = messages[0][1]
    video = [message for message in messages if message[0] == f"{CAMERA}/video"]
    other = [("/wrist_camera/video", ns + 5_000_000, one) for (_, ns, one) in video[:40]]
    later = [(topic, ns + 200_000_000, one) for topic, ns, one in other]  # its key frames come elsewhere
    path = videos.write(tmp_path / "bag", sorted([*messages, *later], key=lambda one: one[1]))
    first_ns = video[2 * GOP][1]
    trim_bag(path, tmp_path / "cut", (first_ns - begin_ns) / 1e9, 3.0)
    assert next(images(tmp_path / "cut"))[0] == image_times(path)[2 * GOP]
    trim_bag(path, tmp_path / "earlier", (first_ns - begin_ns - 1) / 1e9, 3.0)
    assert next(images(tmp_path / "earlier"))[0] == image_times(path)[GOP]


def test_the_order_of_images_is_told_over_the_wrap_of_their_numbers() -> None:
    order, data = Order(), encode([scene(n) for n in range(2 * GOP)])
    assert all(order.follows(one) for one in data)
    assert not order.follows(data[1]), "it goes back"
    assert not order.follows(data[2]), "nothing follows what is unknown"
    assert order.follows(data[GOP])


@pytest.mark.parametrize("data", [b"", b"\0\0\1", b"\0\0\1\x67", b"\0\0\1\x67" + b"\xff" * 60, b"\0\0\1\x65\0\0"])
def test_cut_off_and_senseless_data_are_no_image(data: bytes) -> None:
    assert not Order().follows(data)
    assert VideoDecoder()(data) is None


def test_a_video_that_was_cut_off_by_a_crash_is_repaired(episodes: Any, videos: VideoEpisodes, tmp_path: Path) -> None:
    partial = tmp_path / "episode_000001.partial"
    writer = episodes.begin(partial / "episode_000001")
    episodes.add(writer, videos.messages(), every=100)
    file = partial / "episode_000001/episode_000001.mcap"
    flushed = file.read_bytes()
    writer.storage.abort()
    file.write_bytes(flushed[: len(flushed) * 3 // 4])  # as kill -9 leaves it
    result = repair_bag(partial).result
    found = [an_image for _, an_image in images(result)]
    assert len(found) > 60
    assert all(an_image is not None for an_image in found)
