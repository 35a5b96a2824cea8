"""Converted episodes keep the time and the truth of their bags: gaps, first frames, damaged images, clocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vitra_training.bags.check import check_bag
from vitra_training.bags.content import read_bag
from vitra_training.bags.episodes import BagEpisodes
from vitra_training.bags.errors import CameraGapError
from vitra_training.bags.timeline import timeline
from vitra_training.datasets.episode import RobotEpisode
from vitra_training.datasets.video import VideoReader

CAMERA, ARM, HAND = "/head_camera/color/image_raw", "/right_arm/joint_states", "/right_hand/joint_states"
SECOND = 1_000_000_000


def findings(path: Path) -> dict[str, str]:
    return {finding.check: f"{finding.level}: {finding.message}" for finding in check_bag(path)[0].findings}


def episode_of(path: Path) -> RobotEpisode:
    episode = BagEpisodes(path.parent, [path]).load(0).episode
    assert isinstance(episode, RobotEpisode)
    return episode


def without(messages: list[Any], topic: str, begin_s: float, end_s: float) -> list[Any]:
    begin_ns = messages[0][1]
    return [m for m in messages if m[0] != topic or not begin_s <= (m[1] - begin_ns) / SECOND < end_s]


def test_a_frozen_image_is_found_though_the_padding_of_its_rows_differs(episodes: Any, tmp_path: Path) -> None:
    rng, messages = np.random.default_rng(0), episodes.messages()
    frames = [n for n, message in enumerate(messages) if message[0] == CAMERA]
    for number in frames:
        topic, t, message = messages[number]
        rows = rng.integers(0, 255, (16, 100), dtype=np.uint8)
        shown = messages[frames[30]][2] if frames[30] <= number < frames[60] else message
        rows[:, :96] = np.asarray(shown.data).reshape(16, -1)[:, :96]
        padded = episodes.image(t, rows.reshape(-1))
        padded.step = 100
        messages[number] = (topic, t, padded)
    assert "error: the same image for 1.0 s" in findings(episodes.write(tmp_path / "bag", messages))["frozen image"]


def test_a_gap_of_the_camera_is_masked_and_never_compresses_time(episodes: Any, tmp_path: Path) -> None:
    whole = episode_of(episodes.write(tmp_path / "whole"))
    path = episodes.write(tmp_path / "gap", without(episodes.messages(), CAMERA, 2.0, 2.45))
    assert "warning: head_camera/color/image_raw: 1 gaps" in findings(path)["gap"]
    episode = episode_of(path)
    part = episode.sides["right"]
    assert (len(episode), episode.fps) == (len(whole), 30.0)
    masked = np.flatnonzero(~part.arm_mask)
    assert masked.tolist() == list(range(masked[0], masked[0] + len(masked)))
    assert 12 <= len(masked) <= 14
    np.testing.assert_allclose(part.arm_joint, whole.sides["right"].arm_joint, atol=0.006)
    assert (
        np.abs(np.diff(part.arm_joint, axis=0)).max()
        < 1.2 * np.abs(np.diff(whole.sides["right"].arm_joint, axis=0)).max()
    )


def test_a_camera_that_was_away_for_long_is_refused_in_words(episodes: Any, tmp_path: Path) -> None:
    path = episodes.write(tmp_path / "bag", without(episodes.messages(6.0), CAMERA, 2.0, 4.5))
    with pytest.raises(CameraGapError, match=r"silent for 2\.5\d s from 1\.9\d s on.*trim"):
        episode_of(path)


def test_frames_before_the_first_hand_sample_are_left_out_and_not_zeros(episodes: Any, tmp_path: Path) -> None:
    episode = episode_of(episodes.write(tmp_path / "bag", without(episodes.messages(), HAND, 0.0, 0.31)))
    assert len(episode) == 120 - 10
    part = episode.sides["right"]
    assert part.arm_mask.all()
    assert np.abs(part.hand_joint).min() > 0.1
    source = BagEpisodes(tmp_path, [tmp_path / "bag"])  # its videos live as long as it does
    recording = source.load(0)
    with VideoReader(recording.video.path) as video:
        assert len(video) == len(episode)


def test_a_side_without_its_hand_takes_no_part_and_none_at_all_is_refused(episodes: Any, tmp_path: Path) -> None:
    from vitra_training.datasets.errors import MissingKeyError

    with pytest.raises(MissingKeyError, match="right_hand/joint_states"):
        episode_of(episodes.write(tmp_path / "bag", without(episodes.messages(), HAND, 0.0, 99.0)))


def jpegs(episodes: Any, damage: dict[int, Any]) -> list[Any]:
    messages = episodes.messages()
    frames = [n for n, message in enumerate(messages) if message[0] == CAMERA]
    for count, number in enumerate(frames):
        _, t, image = messages[number]
        data = cv2.imencode(".jpg", np.asarray(image.data).reshape(16, 32, 3))[1].reshape(-1)
        data = damage.get(count, lambda whole: whole)(data)
        fields = {"header": image.header, "format": "rgb8; jpeg compressed bgr8", "data": data}
        messages[number] = (f"{CAMERA}/compressed", t, episodes.make("sensor_msgs/msg/CompressedImage", **fields))
    return messages


def test_a_frozen_image_is_found_though_every_jpeg_has_another_header(episodes: Any, tmp_path: Path) -> None:
    messages = jpegs(episodes, {})
    images = [message for topic, _, message in messages if topic == f"{CAMERA}/compressed"]
    shown = [bytes(an_image.data) for an_image in images]
    for number, an_image in enumerate(images):
        comment = b"\xff\xfe" + (2 + 8).to_bytes(2, "big") + f"{number:8d}".encode()  # as a camera writes its time
        jpeg = shown[30 if 30 <= number < 60 else number]
        an_image.data = np.frombuffer(jpeg[:2] + comment + jpeg[2:], np.uint8)
    assert "error: the same image for 1.0 s" in findings(episodes.write(tmp_path / "bag", messages))["frozen image"]


def test_a_damaged_jpeg_costs_its_frame_and_nothing_else(episodes: Any, tmp_path: Path) -> None:
    damage = {
        40: lambda data: data[: len(data) // 2],
        41: lambda data: np.zeros(50, np.uint8),
        42: lambda data: data[:0],
    }
    path = episodes.write(tmp_path / "bag", jpegs(episodes, damage))
    assert findings(path)["images"] == "error: 3 images cannot be decoded: they are damaged"
    episode = episode_of(path)
    assert np.flatnonzero(~episode.sides["right"].arm_mask).tolist() == [40, 41, 42]


def test_a_stream_that_is_suddenly_stamped_late_has_a_stepped_clock(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages()
    begin_ns = messages[0][1]
    for topic, t, message in messages:
        if topic == CAMERA and t - begin_ns > 2 * SECOND:
            stamp_ns = t - 500_000_000
            message.header.stamp.sec, message.header.stamp.nanosec = stamp_ns // SECOND, stamp_ns % SECOND
    kept = without(messages, CAMERA, 1.49, 2.0)  # so that its stamps still increase
    path = episodes.write(tmp_path / "bag", kept)
    assert "error: head_camera/color/image_raw: from 2" in findings(path)["clock"]


def test_a_recorder_that_was_busy_for_a_while_is_no_stepped_clock(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages()
    begin_ns = messages[0][1]

    def arrival_ns(t: int) -> int:
        """Everything half a second late for a second, then caught up with, in order."""
        since = t - begin_ns
        return begin_ns + (since + SECOND // 2 if 2 * SECOND < since < 3 * SECOND else max(since, 7 * SECOND // 2))

    late = [(topic, arrival_ns(t) if t - begin_ns > 2 * SECOND else t, message) for topic, t, message in messages]
    assert "clock" not in findings(episodes.write(tmp_path / "bag", sorted(late, key=lambda m: m[1])))


def test_samples_that_lack_a_joint_are_left_out_and_counted(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(1.0)
    arm = [message for topic, _, message in messages if topic == ARM]
    arm[50].name[3] = "right_jo1nt_4"
    arm[51].position = arm[51].position[:5]
    content = read_bag(episodes.write(tmp_path / "bag", messages))
    assert content.unusable == {"right_arm/joint_states": 2}
    assert content.joints["right_arm/joint_states"].fresh.all()


def test_slots_follow_drift_keep_jitter_and_drop_doubles() -> None:
    rng = np.random.default_rng(0)
    drifting = np.cumsum(np.full(2000, 1 / 29.8)) + rng.uniform(-0.006, 0.006, 2000)
    slots = timeline(Path("bag"), drifting)
    assert len(slots.times_s) == 2000
    assert slots.seen.all()
    lost = np.delete(drifting, [500, 501, 900])
    slots = timeline(Path("bag"), lost)
    assert (len(slots.times_s), int((~slots.seen).sum())) == (2000, 3)
    assert np.abs(slots.times_s - drifting).max() < 0.04
    doubled = np.sort(np.concatenate([drifting, drifting[[100, 700]] + 0.002]))
    assert len(timeline(Path("bag"), doubled).times_s) == 2000
    assert len(timeline(Path("bag"), np.array([5.0])).times_s) == 1


def test_bags_of_one_name_in_two_folders_stay_apart(episodes: Any, tmp_path: Path) -> None:
    paths = [episodes.write(tmp_path / f"set/{day}/episode_1", episodes.messages(1.0)) for day in ("monday", "tuesday")]
    source = BagEpisodes(tmp_path / "set", paths)
    assert source.ids == ["monday__episode_1", "tuesday__episode_1"]
    first, second = source.load(0), source.load(1)
    assert first.video.path != second.video.path
    source.release(0)
    assert not first.video.path.exists()
    assert second.video.path.exists()


def test_a_bag_without_any_image_that_can_be_decoded_says_so(episodes: Any, tmp_path: Path) -> None:
    from vitra_training.bags.errors import NoImagesError

    damage = {n: (lambda data: data[:10]) for n in range(120)}
    with pytest.raises(NoImagesError):
        episode_of(episodes.write(tmp_path / "bag", jpegs(episodes, damage)))
