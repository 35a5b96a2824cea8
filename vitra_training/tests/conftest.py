"""Data sets that the tests make themselves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_description.kinematics import ArmModel
from vitra_policy.action_space import SIDES
from vitra_training.datasets import teledata
from vitra_training.datasets.convert import Format, convert
from vitra_training.datasets.episode import RobotEpisode
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.video import VideoWriter
from vitra_training.synthetic.generate import SyntheticOptions, generate

cv2.setNumThreads(1)

EPISODES = 6


@pytest.fixture(scope="session")
def human_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six synthetic human episodes in the VITRA-1M format."""
    root = tmp_path_factory.mktemp("data") / "human"
    generate(root, SyntheticOptions(episodes=EPISODES, episodes_per_video=3, width_px=160, height_px=120, seed=4))
    return root


@pytest.fixture(scope="session")
def human(human_dir: Path) -> EpisodeSource:
    return open_source(human_dir)


@pytest.fixture(scope="session")
def store_dir(human: EpisodeSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same episodes in the canonical store."""
    root = tmp_path_factory.mktemp("data") / "store"
    report = convert(human, root, Format.CANONICAL)
    assert not report.failed
    return root


@pytest.fixture(scope="session")
def store(store_dir: Path) -> EpisodeSource:
    return open_source(store_dir)


@pytest.fixture(scope="session")
def robot_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two robot demonstrations in the TeleData format: one of both arms, one of the right arm."""
    root = tmp_path_factory.mktemp("data") / "robot"
    for number, sides in enumerate((SIDES, ("right",))):
        episode = make_robot_episode(f"demo{number}", sides, length=20 + number)
        teledata.write_episode(episode, root)
        with VideoWriter(root / f"{episode.id}.mp4", 160, 120, episode.fps) as video:
            for frame in range(len(episode)):
                video.add(np.full((120, 160, 3), 40 + 5 * frame, dtype=np.uint8))
    return root


@pytest.fixture(scope="session")
def robot(robot_dir: Path) -> EpisodeSource:
    return open_source(robot_dir)


def make_robot_episode(name: str, active: tuple[str, ...], length: int) -> RobotEpisode:
    """A slow joint motion with poses by forward kinematics and the simulator's calibration."""
    calibration, arm = default_calibration(), ArmModel()
    time = np.linspace(0, 1, length)[:, None]
    sides = {}
    for side in SIDES:
        if side not in active:
            sides[side] = teledata.absent_side(length)
            continue
        joints = np.array([0.2, 0.5, -0.3, 1.2, 0.1, 0.6, 0.0]) + 0.3 * time * np.arange(1, 8) / 7
        hand = np.full((length, 12), 0.1) + 0.5 * time
        sides[side] = teledata.make_side(
            arm_joint=joints,
            hand_joint=hand,
            arm_joint_target=joints + 0.01,
            hand_joint_target=hand + 0.02,
            base_from_ee=np.stack([arm.fk(q) for q in joints]),
            ee_from_hand_mount=np.asarray(calibration.side(side).ee_from_hand_mount),
            base_from_camera=np.linalg.inv(calibration.head_camera_from_arm_base(side)),
        )
    return RobotEpisode(
        id=name,
        instruction="Pick up the red cup.",
        fps=30.0,
        intrinsics=np.array([[110.0, 0, 80], [0, 110, 60], [0, 0, 1]]),
        sides=sides,
        has_left="left" in active,
        has_right="right" in active,
    )
