"""Data sets of robots are judged as their bags are: words, commands and images against what moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vitra_policy.action_space import Side
from vitra_training.cli_data import main
from vitra_training.datasets.episode import RobotEpisode
from vitra_training.datasets.formats import teledata
from vitra_training.datasets.sources import open_source
from vitra_training.datasets.validate import validate_episode
from vitra_training.datasets.video import VideoWriter

LENGTH = 60


def written(folder: Path, episode: RobotEpisode, frozen_from: int = LENGTH) -> Path:
    """A data set of one episode whose scene moves until it freezes."""
    noise = np.random.default_rng(0).integers(0, 255, (6, 40, 3), dtype=np.uint8)
    teledata.write_episode(episode, folder)
    with VideoWriter(folder / f"{episode.id}.mp4", 160, 120, episode.fps) as video:
        for frame in range(len(episode)):
            shown = np.roll(noise, min(frame, frozen_from), axis=1)
            video.add(cv2.resize(shown, (160, 120), interpolation=cv2.INTER_NEAREST))
    return folder


def part(episode: RobotEpisode, side: Side, **changes: Callable[[Any], Any]) -> RobotEpisode:
    changed = {name: change(getattr(episode.sides[side], name)) for name, change in changes.items()}
    return replace(episode, sides={**episode.sides, side: replace(episode.sides[side], **changed)})


def found(folder: Path) -> list[str]:
    return [f"{f.level} {f.check}: {f.message}" for f in validate_episode(open_source(folder), 0).findings]


@pytest.fixture(scope="module")
def right(robot_episodes: Any) -> RobotEpisode:
    episode: RobotEpisode = robot_episodes("demo", ("right",), LENGTH)
    return episode


@pytest.fixture(scope="module")
def both(robot_episodes: Any) -> RobotEpisode:
    episode: RobotEpisode = robot_episodes("demo", ("left", "right"), LENGTH)
    return episode


@pytest.mark.parametrize("words", ["Pick up the cup.", "Left hand: None. Right hand: Pick up the cup."])
def test_a_good_demonstration_breaks_no_promise(right: RobotEpisode, tmp_path: Path, words: str) -> None:
    assert found(written(tmp_path, replace(right, instruction=words))) == []


def test_noise_of_encoders_and_masked_frames_are_no_finding(right: RobotEpisode, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.002, (LENGTH, 12))
    episode = part(right, Side.RIGHT, hand_joint=lambda v: v + noise, hand_mask=lambda v: np.arange(LENGTH) % 7 > 1)
    assert found(written(tmp_path, episode)) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Left hand: Wave. Right hand: None.", "is for the left hand, which is not recorded with its arm"),
        ("Left hand: None. Right hand: None.", "leaves both hands idle"),
    ],
)
def test_words_for_a_hand_that_is_not_there_are_an_error(
    right: RobotEpisode, tmp_path: Path, words: str, said: str
) -> None:
    assert found(written(tmp_path, replace(right, instruction=words)))[0] == f"error instruction: '{words}' {said}"


def standing(both: RobotEpisode, side: Side) -> RobotEpisode:
    """An arm with noise of 1 mrad that stands, with its poses; the other one moves."""
    moving = both.sides[side]
    still = {
        name: np.repeat(getattr(moving, name)[:1], LENGTH, axis=0)
        for name in ("arm_joint", "arm_joint_target", "hand_joint", "hand_joint_target", "hand_mount_pose",
                     "hand_mount_pose_in_cam")
    }  # fmt: skip
    still["hand_joint"] = still["hand_joint"] + np.random.default_rng(0).normal(0.0, 0.001, (LENGTH, 12))
    words = "Left hand: Wave. Right hand: None."
    return replace(both, instruction=words, sides={**both.sides, side: replace(moving, **still)})


def test_words_for_a_hand_that_stands_are_an_error(both: RobotEpisode, tmp_path: Path) -> None:
    said = "error instruction: 'Left hand: Wave. Right hand: None.', but only the right arm or hand moves"
    assert found(written(tmp_path, standing(both, Side.LEFT))) == [said]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v + 0.9, "error command: right_arm is up to 0.90 rad off its commands for 2.0 s in all"),
        (lambda v: v + 0.3, "warning command: right_arm is up to 0.30 rad off its commands for 2.0 s in all"),
    ],
)
def test_commands_far_from_what_is_measured_are_found(
    right: RobotEpisode, tmp_path: Path, change: Any, said: str
) -> None:
    episode = replace(part(right, Side.RIGHT, arm_joint_target=lambda v: change(v - 0.01)), instruction="Wave.")
    assert found(written(tmp_path, episode))[0].startswith(said)


def turning(episode: RobotEpisode, rad: float) -> RobotEpisode:
    """An arm whose first joint turns so far in all, evenly."""
    joints = episode.sides[Side.RIGHT].arm_joint[:1] + np.linspace(0.0, rad, LENGTH)[:, None] * (np.arange(7) == 0)
    return part(episode, Side.RIGHT, arm_joint=lambda _: joints, arm_joint_target=lambda _: joints)


@pytest.mark.parametrize("rad", [0.6, 0.14], ids=["0.3 rad/s", "0.07 rad/s"])
def test_a_video_that_freezes_while_the_arm_moves_is_a_warning_for_coding_hides_what_is_faint(
    right: RobotEpisode, tmp_path: Path, rad: float
) -> None:
    said = found(written(tmp_path, turning(right, rad), frozen_from=20))
    (one,) = (finding for finding in said if "frozen" in finding)
    assert one.startswith("warning frozen image: the same image for 1.2 s at 0.7 s while the robot moves (a joint by ")
    assert one.endswith("look at it")


def test_a_video_that_stands_while_the_arm_turns_by_less_than_a_camera_sees_is_no_finding(
    right: RobotEpisode, tmp_path: Path
) -> None:
    stands = part(turning(right, 0.06), Side.RIGHT, hand_joint=lambda v: v[:1] + 0 * v, hand_joint_target=lambda v: v)
    assert [one for one in found(written(tmp_path, stands, frozen_from=20)) if "frozen" in one] == []


def test_bags_are_held_to_their_check_by_this_conversion_too(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    episodes.write(tmp_path / "set/good", episodes.messages(2.0))
    bad = [message for message in episodes.messages(2.0) if not message[0].endswith("hand/joint_states")]
    episodes.write(tmp_path / "set/bad", bad)
    episodes.write(tmp_path / "set/stopped", episodes.messages(2.0), {**episodes.about, "outcome": "unjudged"})
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "out")]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 2 episodes" in said
    assert "bad: its check fails: " in said
    assert "stopped: unjudged, no operator saved it" in said
    assert "vitra-bag check" in (tmp_path / "out/left_out.json").read_text()
    assert list(open_source(tmp_path / "out").ids) == ["good"]


def test_validation_calls_no_bag_good_that_its_check_calls_bad(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    episodes.write(tmp_path / "set/good", episodes.messages(2.0))
    black = [
        (topic, t, replace(m, data=0 * m.data) if topic.endswith("image_raw") else m)
        for topic, t, m in episodes.messages(2.0)
    ]
    episodes.write(tmp_path / "set/black", black)
    (episodes.write(tmp_path / "set/lost", episodes.messages(2.0)) / "metadata.yaml").unlink()
    episodes.write(tmp_path / "set/unjudged", episodes.messages(2.0), {**episodes.about, "outcome": "unjudged"})
    assert main(["validate", str(tmp_path / "set/good")]) == 0
    assert main(["validate", str(tmp_path / "set")]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "error black: bag: its check fails: frozen image: the same image" in said
    assert "error lost: bag: its check fails: BrokenFileError" in said
    assert "left out unjudged: unjudged" in said
    assert said.endswith("3 episodes, 120 frames (118 usable), 2 broken")


@pytest.mark.parametrize("fps", [3.0, 5.0, 10.0, 30.0])
def test_a_hand_that_waves_moves_however_few_frames_there_are(both: RobotEpisode, tmp_path: Path, fps: float) -> None:
    wave = 0.3 * np.sin(2 * np.pi * 0.9 * np.arange(LENGTH) / fps)[:, None]
    slow = part(both, Side.RIGHT, arm_joint=lambda v: v[:1] + 0.05 * np.linspace(0, 1, LENGTH)[:, None])
    slow = part(slow, Side.RIGHT, arm_joint_target=lambda v: slow.sides[Side.RIGHT].arm_joint)
    waving = part(slow, Side.LEFT, arm_joint=lambda v: v[:1] + wave, arm_joint_target=lambda v: v[:1] + wave)
    waving = part(waving, Side.LEFT, hand_joint=lambda v: 0 * v + 0.1, hand_joint_target=lambda v: 0 * v + 0.1)
    episode = replace(waving, fps=fps, instruction="Left hand: Wave. Right hand: None.")
    assert not [words for words in found(written(tmp_path, episode)) if "instruction" in words]


def test_a_folder_of_bags_that_all_fail_is_accounted_for(episodes: Any, tmp_path: Path) -> None:
    bad = [message for message in episodes.messages(2.0) if not message[0].endswith("hand/joint_states")]
    bag = episodes.write(tmp_path / "bad", bad)
    assert main(["convert", str(bag), str(tmp_path / "out")]) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["left_out.json"]
