"""Numbers that cannot be right are left out of statistics and training, and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_policy.pinhole import SKEW_MAX
from vitra_policy.transforms import transform_points
from vitra_training.datasets.episode import HumanEpisode, RobotEpisode
from vitra_training.datasets.errors import BrokenPromiseError, DatasetError
from vitra_training.datasets.formats import teledata, vitra_1m
from vitra_training.datasets.promises import demand_promises
from vitra_training.datasets.samples.motion import checked_motion, motion_of
from vitra_training.datasets.samples.sample import SampleOptions, cut_chunk
from vitra_training.datasets.samples.stream import SampleStream, TrainingSet
from vitra_training.datasets.samples.view import full_view
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.statistics import StatisticsOptions, compute_statistics
from vitra_training.datasets.survey import survey
from vitra_training.datasets.video import VideoReader

PLAIN = StatisticsOptions(augment=False)


def moved(episode: HumanEpisode, shift_m: np.ndarray, scale: float = 1.0) -> HumanEpisode:
    """The hands shifted by (T, 3) in the world and scaled, all labels in agreement."""
    hands = {}
    for side, hand in episode.hands.items():
        world = (hand.joints_worldspace + shift_m[:, None]) * scale
        extrinsics = episode.extrinsics.copy()
        extrinsics[:, :3, 3] *= scale
        hands[side] = replace(
            hand,
            transl_worldspace=(hand.transl_worldspace + shift_m) * scale,
            joints_worldspace=world,
            joints_camspace=transform_points(extrinsics, world),
        )
    return replace(episode, hands=hands, extrinsics=extrinsics)


def jump(episode: HumanEpisode) -> HumanEpisode:
    shift = np.zeros((len(episode), 3))
    shift[5] = [5.0, 0, 0]
    return moved(episode, shift)


HUMAN_FAULTS: dict[str, Callable[[HumanEpisode], HumanEpisode]] = {
    "millimetres": lambda e: moved(e, np.zeros((len(e), 3)), 1000.0),
    "mirrored extrinsics": lambda e: replace(e, extrinsics=np.diag([-1.0, 1, 1, 1]) @ e.extrinsics),
    "scaled extrinsics": lambda e: replace(e, extrinsics=np.diag([2.0, 2, 2, 1]) @ e.extrinsics),
    "intrinsics of another size": lambda e: replace(
        e, intrinsics=e.intrinsics * np.array([[1, 1, 1], [1, 1, 0.75], [1, 1, 1]])
    ),
    "intrinsics of no camera": lambda e: replace(e, intrinsics=e.intrinsics * np.array([100.0, 100, 1])),
}
ROBOT_FAULTS: dict[str, Callable[[Any], Any]] = {
    "degrees in an arm": lambda p: replace(p, arm_joint=np.degrees(p.arm_joint)),
    "degrees in a hand": lambda p: replace(p, hand_joint=np.degrees(p.hand_joint)),
    "degrees in commands": lambda p: replace(p, hand_joint_target=np.degrees(p.hand_joint_target)),
    "millimetres": lambda p: replace(p, hand_mount_pose_in_cam=p.hand_mount_pose_in_cam * np.repeat([1e3, 1], 3)),
    "a mirrored camera": lambda p: replace(
        p, head_camera_to_arm_base=p.head_camera_to_arm_base @ np.diag([-1.0, 1, 1, 1])
    ),
}


def with_one_bad(human: EpisodeSource, human_dir: Path, root: Path, change: Any) -> EpisodeSource:
    """The generated episodes with one of them changed."""
    for number in range(len(human)):
        episode = human.load(number).episode
        assert isinstance(episode, HumanEpisode)
        vitra_1m.write_episode(change(episode) if number == 1 else episode, root)
    return open_source(root, human_dir)


@pytest.mark.parametrize("fault", HUMAN_FAULTS)
def test_an_impossible_episode_spoils_neither_statistics_nor_training(
    fault: str, human: EpisodeSource, human_dir: Path, tmp_path: Path
) -> None:
    source = with_one_bad(human, human_dir, tmp_path / "data", HUMAN_FAULTS[fault])
    found = survey(source, "x", tmp_path / "cache", PLAIN)
    assert list(found.left_out) == [source.ids[1]]
    assert 1 not in found.frames[:, 0]
    for side in found.statistics.present:
        assert found.statistics.hands[side].action.std[:3].max() < 0.05
    # A loader that is given its frames all the same replaces and counts them.
    frames = np.stack([np.full(10, 1), np.arange(10)], axis=1)
    rows = np.concatenate([frames, found.frames[:40]])
    stream = SampleStream([TrainingSet("x", source, found.statistics, 1.0, SampleOptions(augment=False), rows)], seed=0)
    failures = [failure for place in range(50) for failure in stream[place].failures]
    assert {failure.cause for failure in failures} == {"BrokenPromiseError"}
    assert all(source.ids[1] in failure.message for failure in failures)


@pytest.mark.parametrize("fault", ROBOT_FAULTS)
def test_an_impossible_demonstration_is_left_out(
    fault: str, robot: EpisodeSource, robot_dir: Path, tmp_path: Path
) -> None:
    for number in range(len(robot)):
        episode = robot.load(number).episode
        assert isinstance(episode, RobotEpisode)
        if number == 0:
            episode = replace(episode, sides=episode.sides | {"right": ROBOT_FAULTS[fault](episode.sides["right"])})
        teledata.write_episode(episode, tmp_path)
        (tmp_path / f"{episode.id}.mp4").write_bytes((robot_dir / f"{episode.id}.mp4").read_bytes())
    _, count = compute_statistics(open_source(tmp_path), "x", PLAIN)
    assert list(count.skipped) == ["demo0"]


def test_intrinsics_of_another_size_are_left_out_of_robot_data(robot: EpisodeSource) -> None:
    recording = robot.load(0)
    doubled = replace(recording.episode, intrinsics=np.diag([2.0, 2, 1]) @ recording.episode.intrinsics)
    with VideoReader(recording.video.path) as video, pytest.raises(BrokenPromiseError, match="principal point"):
        checked_motion(replace(recording, episode=doubled), video)


def test_one_jump_costs_its_frame_and_not_the_deviations_of_the_set(
    human: EpisodeSource, human_dir: Path, tmp_path: Path
) -> None:
    plain, _ = compute_statistics(human, "x", PLAIN)
    source = with_one_bad(human, human_dir, tmp_path, jump)
    found, count = compute_statistics(source, "x", PLAIN)
    assert count.skipped == {}
    assert count.doubts["frames out of reach"] >= 1
    for side in found.present:
        assert found.hands[side].action.std == pytest.approx(plain.hands[side].action.std, rel=0.2, abs=1e-3)


def test_a_wrist_that_goes_away_and_comes_back_is_two_jumps_and_no_frame(human: EpisodeSource) -> None:
    episode = human.load(0).episode
    assert isinstance(episode, HumanEpisode)
    shift = np.zeros((len(episode), 3))
    shift[5] = [0.6, 0, 0]
    motion = motion_of(moved(episode, shift), 160, 120)
    hand = motion.hands[episode.anno_type]
    assert np.flatnonzero(hand.jumps).tolist() == [4, 5]
    assert not hand.valid[5]
    shift[5:] = [0.6, 0, 0]
    motion = motion_of(moved(episode, shift), 160, 120)
    chunk = cut_chunk(motion, 0, full_view(motion.camera))
    assert chunk.step_valid[episode.anno_type].tolist() == [k != 4 for k in range(16)]


def test_good_episodes_keep_all_their_promises(human: EpisodeSource, robot: EpisodeSource) -> None:
    for source in (human, robot):
        for number in range(len(source)):
            recording = source.load(number)
            with VideoReader(recording.video.path) as video:
                try:
                    checked_motion(recording, video)
                except DatasetError as error:  # pragma: no cover
                    pytest.fail(str(error))


@pytest.mark.parametrize(("skew", "kept"), [(0.9 * SKEW_MAX, True), (1.1 * SKEW_MAX, False)])
def test_every_episode_is_held_to_the_skew_that_an_observation_may_have(
    human: EpisodeSource, robot: EpisodeSource, skew: float, kept: bool
) -> None:
    for source in (human, robot):
        recording = source.load(0)
        intrinsics = recording.episode.intrinsics.copy()
        intrinsics[0, 1] = skew * intrinsics[0, 0]
        changed = replace(recording.episode, intrinsics=intrinsics)
        with VideoReader(recording.video.path) as video:
            if kept:
                demand_promises(changed, video)
                continue
            with pytest.raises(BrokenPromiseError, match="no pinhole camera's"):
                demand_promises(changed, video)


@pytest.mark.parametrize(
    ("entry", "value"),
    [((1, 1), 3 * 110.0), ((0, 1), 50.0), ((2, 2), 0.0), ((2, 0), 3.0), ((1, 0), 1.0)],
)
def test_intrinsics_of_no_pinhole_camera_break_a_promise(
    robot: EpisodeSource, entry: tuple[int, int], value: float
) -> None:
    recording = robot.load(0)
    assert isinstance(recording.episode, RobotEpisode)
    intrinsics = recording.episode.intrinsics.copy()
    intrinsics[entry] = value
    with VideoReader(recording.video.path) as video:
        demand_promises(recording.episode, video)
        with pytest.raises(BrokenPromiseError, match="camera"):
            demand_promises(replace(recording.episode, intrinsics=intrinsics), video)
