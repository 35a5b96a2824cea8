from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from vitra_training.datasets.errors import BrokenFileError, DatasetError, MissingKeyError, WrongShapeError
from vitra_training.datasets.formats import teledata
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.validate import validate_episode
from vitra_training.datasets.video import VideoWriter


def test_writing_and_reading_is_lossless(robot: EpisodeSource, tmp_path: Path) -> None:
    for number in range(len(robot)):
        episode = robot.load(number).episode
        again = teledata.read_episode(teledata.write_episode(episode, tmp_path))  # type: ignore[arg-type]
        assert (again.id, again.instruction, again.fps) == (episode.id, episode.instruction, episode.fps)  # type: ignore[union-attr]
        for side, part in episode.sides.items():  # type: ignore[union-attr]
            for name in type(part).__slots__:
                assert np.array_equal(getattr(again.sides[side], name), getattr(part, name)), name


def test_written_demonstrations_pass_the_kinematic_checks(robot: EpisodeSource) -> None:
    for number in range(len(robot)):
        report = validate_episode(robot, number)
        assert report.ok, report.findings
        assert "forward kinematics" in report.checks
        assert "camera relation" in report.checks


@pytest.mark.parametrize(
    ("key", "change", "check"),
    [
        ("state/right_arm_joint", lambda v: v + 0.02, "forward kinematics"),
        ("kinematics/right_ee_urdf_to_hand_mount", lambda v: v * [1, 1, 1, 1.1], "forward kinematics"),
        ("state/right_hand_mount_pose_in_cam", lambda v: v + 0.01, "camera relation"),
        ("kinematics/head_camera_to_right_arm_base", lambda v: v * [[-1], [1], [1], [1]], "rotations"),
        ("mask/left_arm", lambda v: ~v, "masks"),
        ("mask/right_hand", lambda v: v & False, "valid hand"),
        ("meta/fps", lambda v: 15.0, "length and rate"),
        ("meta/instruction", lambda v: "", "captions"),
        ("state/right_hand_joint", lambda v: v * np.nan, "finite"),
    ],
)
def test_each_broken_promise_is_found(robot_dir: Path, tmp_path: Path, key: str, change: object, check: str) -> None:
    path = tmp_path / "demo1.h5"
    path.write_bytes((robot_dir / "demo1.h5").read_bytes())
    (tmp_path / "demo1.mp4").write_bytes((robot_dir / "demo1.mp4").read_bytes())
    with h5py.File(path, "r+") as file:
        value = change(file[key][()])  # type: ignore[operator]
        del file[key]
        file[key] = value
    report = validate_episode(open_source(path), 0)
    assert check in {finding.check for finding in report.findings}


def test_a_video_of_another_length_is_found(robot: EpisodeSource, tmp_path: Path) -> None:
    teledata.write_episode(replace(robot.load(0).episode, id="short"), tmp_path)  # type: ignore[arg-type]
    with VideoWriter(tmp_path / "short.mp4", 160, 120, 30) as video:
        for _ in range(7):
            video.add(np.zeros((120, 160, 3), dtype=np.uint8))
    report = validate_episode(open_source(tmp_path), 0)
    assert not report.ok
    assert {"length and rate", "video frames"} <= {finding.check for finding in report.findings}


def test_truncated_missing_and_misshapen_files_are_named(robot_dir: Path, tmp_path: Path) -> None:
    whole = (robot_dir / "demo0.h5").read_bytes()
    path = tmp_path / "x.h5"

    def attempt() -> None:
        teledata.read_episode(path)

    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenFileError, match=r"x\.h5"):
        attempt()
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        del file["state/left_hand_joint"]
        file["state/left_hand_joint"] = np.zeros((3, 12))
    with pytest.raises(WrongShapeError, match="left_hand_joint"):
        attempt()
    with h5py.File(path, "r+") as file:
        del file["state/left_hand_joint"]
    with pytest.raises(MissingKeyError, match="left_hand_joint"):
        attempt()


def test_a_missing_video_is_a_finding_not_a_crash(robot: EpisodeSource, tmp_path: Path) -> None:
    teledata.write_episode(robot.load(0).episode, tmp_path)  # type: ignore[arg-type]
    report = validate_episode(open_source(tmp_path), 0)
    assert not report.ok
    assert report.findings[0].check == "BrokenFileError"


def test_pose_vectors_are_rotation_vectors() -> None:
    pose = teledata.pose_from_vector(np.array([1.0, 2.0, 3.0, 0.0, 0.0, np.pi / 2]))
    assert pose[:3, :3] @ [1, 0, 0] == pytest.approx([0, 1, 0])
    assert teledata.vector_from_pose(pose) == pytest.approx([1, 2, 3, 0, 0, np.pi / 2])


def test_every_data_error_is_one_family() -> None:
    assert issubclass(BrokenFileError, DatasetError)


@pytest.mark.parametrize(
    ("key", "value"),
    [("fps", 0.0), ("fps", float("nan")), ("fps", -30.0), ("fps", 30 + 0j), ("fps", "30"), ("has_left", "yes"),
     ("has_right", 2), ("has_right", float("nan"))],
)  # fmt: skip
def test_rates_and_flags_that_are_none_are_refused_by_name(
    robot_dir: Path, tmp_path: Path, key: str, value: object
) -> None:
    path = Path(shutil.copy(robot_dir / "demo0.h5", tmp_path / "demo0.h5"))
    with h5py.File(path, "a") as file:
        del file[f"meta/{key}"]
        file[f"meta/{key}"] = value
    with pytest.raises(DatasetError, match=f"meta/{key}"):
        teledata.read_episode(path)
