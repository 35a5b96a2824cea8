from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_description.kinematics import ArmModel
from vitra_description.limits import ARM_LIMITS, ARM_VENDOR_LIMITS
from vitra_policy.action_space import SIDES
from vitra_policy.transforms import make_pose
from vitra_training.datasets.episode import RobotEpisode
from vitra_training.datasets.errors import ConversionError
from vitra_training.datasets.formats import teledata
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.validate import validate_episode
from vitra_training.synthetic.arm_paths import find_arm_path
from vitra_training.synthetic.generate import SyntheticOptions
from vitra_training.synthetic.robot_demos import generate_robot_demos

SMALL = SyntheticOptions(episodes=3, width_px=96, height_px=72, seed=1)


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> EpisodeSource:
    root = tmp_path_factory.mktemp("demos") / "demos"
    assert generate_robot_demos(root, SMALL) == 3
    return open_source(root)


def test_every_promise_of_teledata_is_kept(demos: EpisodeSource) -> None:
    for number in range(len(demos)):
        report = validate_episode(demos, number)
        assert report.findings == ()
        assert {"forward kinematics", "camera relation"} <= set(report.checks)


def test_joints_move_and_keep_the_arms_limits(demos: EpisodeSource) -> None:
    for number in range(len(demos)):
        episode = demos.load(number).episode
        assert isinstance(episode, RobotEpisode)
        (side,) = (s for s in SIDES if episode.has(s))
        joints = episode.sides[side].arm_joint
        assert np.ptp(joints, axis=0).max() > 0.1
        assert all(ARM_LIMITS.contains(q) for q in joints)
        speed = np.abs(np.diff(joints, axis=0)) * episode.fps
        assert (speed <= ARM_VENDOR_LIMITS.velocity_rad_s).all()
        assert np.array_equal(episode.sides[side].arm_joint_target[:-1], joints[1:])


def test_wrong_joints_are_found(demos: EpisodeSource, tmp_path: Path) -> None:
    recording = demos.load(0)
    episode = recording.episode
    assert isinstance(episode, RobotEpisode)
    sides = {s: replace(part, arm_joint=np.zeros_like(part.arm_joint)) for s, part in episode.sides.items()}
    path = teledata.write_episode(replace(episode, sides=sides), tmp_path)
    path.with_suffix(".mp4").write_bytes(recording.video.path.read_bytes())
    assert [f.check for f in validate_episode(open_source(path), 0).findings] == ["forward kinematics", "command"]


def test_a_motion_beyond_the_arm_has_no_path() -> None:
    poses = make_pose(np.linspace([0, 0, 0], [3.0, 0, 0], 60), np.tile(np.eye(3), (60, 1, 1)))
    extrinsics = default_calibration().side("right")
    assert find_arm_path(poses, "right", extrinsics, 30.0, np.random.default_rng(0)) is None


def test_a_path_is_where_forward_kinematics_says() -> None:
    extrinsics = default_calibration().side("left")
    shifts = np.linspace([0, 0, 0], [0.08, 0.02, -0.03], 30)
    poses = make_pose(shifts, np.tile(np.eye(3), (30, 1, 1)))
    path = find_arm_path(poses, "left", extrinsics, 30.0, np.random.default_rng(0))
    assert path is not None
    arm = ArmModel(side=extrinsics)
    reached = np.stack([arm.wrist_pose(q) for q in path.joints_rad])
    assert reached == pytest.approx(path.base_from_world @ poses, abs=2e-4)


def test_demonstrations_are_not_overwritten(demos: EpisodeSource) -> None:
    with pytest.raises(ConversionError, match="not empty"):
        generate_robot_demos(demos.root, SMALL)
