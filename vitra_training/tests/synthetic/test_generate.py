from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitra_policy.action_space import SIDES, Side
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import euler_xyz_from_matrix, make_pose
from vitra_training.datasets.episode import HumanEpisode
from vitra_training.datasets.errors import ConversionError
from vitra_training.datasets.formats.vitra_1m import read_index
from vitra_training.datasets.sources import EpisodeSource
from vitra_training.datasets.video import VideoReader
from vitra_training.synthetic.generate import SyntheticOptions, generate, make_episode
from vitra_training.synthetic.hands import HELD_FROM_WRIST_M, fingers, grasp_pose, side_grasp, top_grasp
from vitra_training.synthetic.motions import Skill, Touched, perform
from vitra_training.synthetic.objects import scatter

SMALL = SyntheticOptions(episodes=2, width_px=96, height_px=72, seed=9)


def test_the_seed_determines_everything() -> None:
    (a, images_a), (b, images_b) = (make_episode(3, 0, "v", SMALL) for _ in range(2))
    assert a.text == b.text
    assert np.array_equal(a.extrinsics, b.extrinsics)
    assert np.array_equal(next(images_a), next(images_b))
    other, _ = make_episode(4, 0, "v", SMALL)
    assert not np.array_equal(a.extrinsics[0], other.extrinsics[0])


def test_key_points_are_forward_kinematics_of_the_labels(human: EpisodeSource) -> None:
    episode = human.load(1).episode
    assert isinstance(episode, HumanEpisode)
    for side in SIDES:
        hand = episode.hands[side]
        if not hand.kept_frames.any():
            continue
        angles = euler_xyz_from_matrix(hand.hand_pose).reshape(len(episode), 45)
        pose = make_pose(hand.transl_worldspace, hand.global_orient_worldspace)
        size = 1 + hand.beta[0] / 10
        expected = default_skeleton().scaled(size).posed_keypoints(pose, angles, side)
        assert hand.joints_worldspace == pytest.approx(expected, abs=1e-9)


def test_the_camera_moves_and_the_images_change(human: EpisodeSource) -> None:
    for number in range(len(human)):
        recording = human.load(number)
        assert isinstance(recording.episode, HumanEpisode)
        assert recording.episode.total_transl_dist > 0.005
        with VideoReader(recording.video.path) as video:
            first, last = (video.rgb(int(recording.video.frames[n])).astype(int) for n in (0, -1))
        assert np.abs(first - last).mean() > 3


def test_hands_are_drawn_where_the_labels_say() -> None:
    """Without the hand the image differs, and only around the projected hand and arm."""
    from vitra_training.datasets.camera import Camera
    from vitra_training.synthetic.render import DrawnHand, render
    from vitra_training.synthetic.scene import camera_path, make_room

    rng = np.random.default_rng(0)
    camera = Camera(np.array([[120.0, 0, 80], [0, 120, 60], [0, 0, 1]]), 160, 120)
    pose = camera_path(1, np.array([[0.45, 0.0, 0.05]]), rng)[0]
    wrist = grasp_pose("right", top_grasp("right"), np.array([0.45, 0.0, 0.05]))
    points = default_skeleton().posed_keypoints(wrist, fingers(0.2), "right")
    hand = DrawnHand("right", points, points[0] + [-0.2, -0.1, 0.05], (220, 170, 140), (40, 60, 200))
    room = make_room(160, 120, rng)
    with_hand, without = (render(camera, pose, room, [], hands).astype(int) for hands in ([hand], []))
    changed = np.abs(with_hand - without).max(axis=2) > 12
    pixels = camera.project(points @ pose[:3, :3].T + pose[:3, 3]).astype(int)
    assert all(changed[y, x] for x, y in pixels)
    assert changed.mean() < 0.5


def test_videos_hold_several_episodes_and_the_index_lists_them(human_dir: Path, human: EpisodeSource) -> None:
    assert len(list((human_dir / "Video").glob("*.mp4"))) == 2
    pairs, ids = read_index(human_dir / "annotations" / "episode_frame_index.npz")
    assert ids == human.ids
    assert len(pairs) == sum(len(human.load(n).episode) for n in range(len(human)))
    starts = [int(human.load(n).video.frames[0]) for n in range(3)]
    assert starts[0] == 0
    assert starts == sorted(set(starts))


def test_nothing_is_overwritten(human_dir: Path) -> None:
    with pytest.raises(ConversionError, match="not empty"):
        generate(human_dir, SMALL)


@pytest.mark.parametrize("side", SIDES)
def test_a_grasp_puts_the_thing_before_the_palm(side: str) -> None:
    for rotation in (side_grasp(side), top_grasp(side)):  # type: ignore[arg-type]
        assert np.linalg.det(rotation) == pytest.approx(1)
        thing = np.array([0.4, 0.1, 0.05])
        pose = grasp_pose(side, rotation, thing)  # type: ignore[arg-type]
        assert pose[:3, :3] @ HELD_FROM_WRIST_M[side] + pose[:3, 3] == pytest.approx(thing)  # type: ignore[index]


@pytest.mark.parametrize("skill", [Skill.REACH, Skill.GRASP, Skill.PLACE, Skill.POUR, Skill.SWEEP])
def test_every_skill_moves_smoothly_and_carries_its_thing(skill: Skill) -> None:
    rng = np.random.default_rng(2)
    things = scatter(4, rng)
    script = perform(skill, Side.RIGHT, things, Touched(0, 1), 30.0, rng)
    steps = np.linalg.norm(np.diff(script.wrist[:, :3, 3], axis=0), axis=1)
    assert steps.max() < 0.06
    moved = np.linalg.norm(script.thing_pose[-1, :3, 3] - script.thing_pose[0, :3, 3])
    tilted = np.abs(script.thing_pose[-1, :3, :3] - script.thing_pose[0, :3, :3]).max()
    assert (moved > 0.02 or tilted > 0.3) == (skill is not Skill.REACH)
    assert things[0].name in script.captions[0]
