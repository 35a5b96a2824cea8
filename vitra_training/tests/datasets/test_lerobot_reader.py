"""LeRobot data sets read: ours come back as they were, other robots' are shown and not trained on, damage is named."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vitra_policy.action_space import SIDES
from vitra_training.cli_data import main as vitra_data
from vitra_training.datasets.convert import Format, convert
from vitra_training.datasets.episode import RobotEpisode
from vitra_training.datasets.errors import BrokenFileError, DatasetError, EmptyDatasetError
from vitra_training.datasets.formats.lerobot_reader import CAMERA, STATE, ForeignRobotError, LeRobotData
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.validate import validate_episode
from vitra_training.datasets.video import VideoReader, VideoWriter

WRIST = "observation.images.wrist"


@pytest.fixture
def ours(robot: EpisodeSource, tmp_path: Path) -> Path:
    convert(robot, tmp_path / "lr", Format.LEROBOT)
    return tmp_path / "lr"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Two episodes of a six-joint arm with two cameras, as other people record them: one file for each, no extras."""
    root, lengths, fps = tmp_path / "so101", (6, 9), 15
    names = [f"{joint}.pos" for joint in ("pan", "lift", "elbow", "flex", "roll", "gripper")]
    cameras = {CAMERA: (64, 48), WRIST: (32, 32)}
    for camera, (width, height) in cameras.items():
        path = root / "videos" / camera / "chunk-000" / "file-000.mp4"
        path.parent.mkdir(parents=True)
        with VideoWriter(path, width, height, fps) as writer:
            for shade in range(sum(lengths)):
                writer.add(np.full((height, width, 3), 10 * shade, np.uint8))
    rows: dict[str, list[Any]] = {n: [] for n in ("observation.state", "action", "timestamp", "episode_index")}
    rows |= {n: [] for n in ("frame_index", "index", "task_index")}
    episodes = []
    for number, length in enumerate(lengths):
        first = len(rows["index"])
        for frame in range(length):
            rows["observation.state"].append([float(number), frame, 0, 0, 0, 1])
            rows["action"].append([float(number), frame + 1, 0, 0, 0, 1])
            rows["timestamp"].append(frame / fps)
            for name, value in (("episode_index", number), ("frame_index", frame), ("task_index", number)):
                rows[name].append(value)
            rows["index"].append(first + frame)
        place = {"chunk_index": 0, "file_index": 0}
        about = {"episode_index": number, "length": length, "dataset_from_index": first, "stats/action/mean": [0.0]}
        about |= {f"data/{key}": value for key, value in place.items()}
        for camera in cameras:
            about |= {f"videos/{camera}/{key}": value for key, value in place.items()}
            about[f"videos/{camera}/from_timestamp"] = first / fps
        episodes.append(about)
    (root / "data" / "chunk-000").mkdir(parents=True)
    pq.write_table(pa.table(rows), root / "data" / "chunk-000" / "file-000.parquet")
    (root / "meta" / "episodes" / "chunk-000").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(episodes), root / "meta" / "episodes" / "chunk-000" / "file-000.parquet")
    tasks = pa.table({"task_index": [0, 1], "__index_level_0__": ["Stack it.", "Unstack it."]})
    pq.write_table(tasks, root / "meta" / "tasks.parquet")
    vector = {"dtype": "float32", "shape": [6], "names": names}
    features: dict[str, Any] = {"observation.state": vector, "action": vector}
    for camera, (width, height) in cameras.items():
        features[camera] = {"dtype": "video", "shape": [height, width, 3], "names": ["height", "width", "channels"]}
    for name in ("timestamp", "frame_index", "index", "episode_index", "task_index"):
        features[name] = {"dtype": "int64", "shape": [1], "names": None}
    info = {
        "codebase_version": "v3.0", "robot_type": "so101_follower", "fps": fps, "features": features,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    }  # fmt: skip
    (root / "meta" / "info.json").write_text(json.dumps(info))
    extent = {"q01": [0.0] * 6, "q99": [1.0] * 6}
    (root / "meta" / "stats.json").write_text(json.dumps({"observation.state": extent, "action": extent}))
    return root


def test_our_own_episodes_come_back_as_they_were(robot: EpisodeSource, ours: Path) -> None:
    source = open_source(ours)
    assert isinstance(source, LeRobotData)
    assert len(source) == len(robot)
    for number in range(len(robot)):
        before, recording = robot.load(number).episode, source.load(number)
        after = recording.episode
        assert isinstance(before, RobotEpisode)
        assert isinstance(after, RobotEpisode)
        assert (after.id, after.instruction, len(after)) == (before.id, before.instruction, len(before))
        assert (after.has_left, after.has_right) == (before.has_left, before.has_right)
        np.testing.assert_allclose(after.intrinsics, before.intrinsics)
        for side in SIDES:
            mine, theirs = after.sides[side], before.sides[side]
            np.testing.assert_array_equal(mine.arm_mask & mine.hand_mask, theirs.arm_mask & theirs.hand_mask)
            for name in ("arm_joint", "hand_joint", "arm_joint_target", "hand_joint_target"):
                np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), atol=1e-6)
            seen = np.asarray(theirs.arm_mask)
            poses = (part.hand_mount_pose_in_cam[seen] for part in (mine, theirs))
            np.testing.assert_allclose(*poses, atol=1e-5)
        with VideoReader(recording.video.path) as video:
            assert video.rgb(int(recording.video.frames[7])).mean() == pytest.approx(40 + 5 * 7, abs=3)
        assert validate_episode(source, number).ok


def test_what_was_read_is_written_again_in_every_robot_format(ours: Path, tmp_path: Path) -> None:
    for form in (Format.CANONICAL, Format.TELEDATA, Format.LEROBOT):
        assert convert(open_source(ours), tmp_path / form.value, form).failed == {}


def test_another_robots_episode_is_shown_with_all_its_cameras(foreign: Path) -> None:
    source = LeRobotData(foreign)
    assert (source.robot_type, source.fps, source.is_ours, source.has_quantiles) == ("so101_follower", 15, False, True)
    shown = source.look(1)
    assert (shown.id, shown.task, len(shown)) == ("episode_000001", "Unstack it.", 9)
    np.testing.assert_array_equal(shown.numbers["action"][:, 1], np.arange(9) + 1)
    assert shown.names["action"][5] == "gripper.pos"
    assert set(shown.cameras) == {CAMERA, WRIST}
    for clip in shown.cameras.values():
        with VideoReader(clip.path) as video:
            assert video.rgb(int(clip.frames[2])).mean() == pytest.approx(10 * (6 + 2), abs=3)


def test_another_robots_episode_is_not_trained_on_and_says_why(foreign: Path, tmp_path: Path) -> None:
    source = LeRobotData(foreign)
    with pytest.raises(ForeignRobotError, match=r"robot 'so101_follower' and read-only.*pan\.pos, lift\.pos.*\(6\)"):
        source.load(0)
    assert len(source.frame_index()) == 0
    assert set(source.broken) == {"episode_000000", "episode_000001"}
    for form in (Format.LEROBOT, Format.TELEDATA):
        with contextlib.suppress(EmptyDatasetError):
            convert(source, tmp_path / form.value, form)
        assert not [p for p in (tmp_path / form.value).rglob("*") if p.suffix in (".h5", ".parquet")]
    assert vitra_data(["convert", str(foreign), str(tmp_path / "out")]) != 0


def test_a_foreign_data_set_can_be_inspected(foreign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert vitra_data(["inspect", str(foreign)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "read-only" in said
    assert "so101_follower; 15 Hz" in said
    assert "observation.state (6,), action (6,), observation.images.head_camera (48, 64, 3)" in said
    assert "observation.images.wrist (32, 32, 3)" in said
    assert "with quantiles q01 to q99" in said


def info(**values: Any) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / "meta" / "info.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def table(name: str, value: Any, row: int = 3) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / "data" / "chunk-000" / "file-000.parquet"
        columns = pq.read_table(path).to_pydict()
        columns[name][row] = value
        pq.write_table(pa.table(columns), path)

    return change


EPISODES = "meta/episodes/chunk-000/file-000.parquet"


def column(file: str, name: str, value: Any) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        columns = pq.read_table(root / file)
        made = pa.array([value] * len(columns))
        pq.write_table(columns.set_column(columns.column_names.index(name), name, made), root / file)

    return change


def gone(*names: str) -> Callable[[Path], None]:
    return lambda root: [(root / name).unlink() for name in names][0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (info(codebase_version="v2.1"), "codebase_version v2.1; only v3 is read"),
        (info(fps=0), "a rate in Hz"),
        (info(features=3), "features: is 3, expected a map"),
        (info(fps="fast"), "fps: is 'fast', expected a number"),
        (lambda root: (root / "meta" / "info.json").write_text("[" * 100_000), "not a readable JSON file"),
        (info(data_path="../../{chunk_index}/{file_index}.parquet"), "outside of the data set"),
        (info(video_path="/etc/{video_key}"), "outside of the data set"),
        (info(data_path="{nothing}"), "not '{nothing}'"),
        (gone("meta/tasks.parquet"), "tasks.parquet"),
        (gone("meta/episodes/chunk-000/file-000.parquet"), "no episode"),
        (gone("data/chunk-000/file-000.parquet"), "LeRobot table"),
        (gone(f"videos/{WRIST}/chunk-000/file-000.mp4"), "not found"),
        (table("action", [float("nan")] * 6), "action: not finite at frame 3"),
        (table("timestamp", 9.0), "timestamp of frame 3"),
        (table("timestamp", float("nan")), "timestamp of frame 3"),
        (table("episode_index", 1), "5 rows"),
        (info(features={STATE: 3}), "features: 'observation.state': is 3, expected a map with dtype and shape"),
        (info(features={STATE: {"dtype": "float32", "shape": 6}}), "expected a map with dtype and shape"),
        (info(features={}), "'observation.state' is missing"),
        (info(data_path="{chunk_index:999999999d}"), "a path may name chunk_index"),
        (info(data_path="{chunk_index.__class__}"), "a path may name chunk_index"),
        (info(data_path="\ud800"), "surrogates"),
        (column("data/chunk-000/file-000.parquet", "task_index", 99), "task_index: is 99, expected one of the"),
        (column("data/chunk-000/file-000.parquet", "task_index", None), "task_index: is object"),
        (column("data/chunk-000/file-000.parquet", "timestamp", "now"), "timestamp: is <U3"),
        (column("data/chunk-000/file-000.parquet", "timestamp", [0.0, 1.0]), "a number in each of 6 rows"),
        (column(EPISODES, "length", None), "length: is None, expected a whole number"),
        (column(EPISODES, "episode_index", "x"), "episode_index: is 'x', expected a whole number"),
        (column(EPISODES, "length", 2**60), "length: is 1152921504606846976"),
        (column(EPISODES, f"videos/{WRIST}/from_timestamp", float("nan")), "from_timestamp: is nan, expected seconds"),
        (column("meta/tasks.parquet", "task_index", "x"), "task_index: is 'x', expected a whole number"),
    ],
)
def test_what_is_wrong_with_a_data_set_is_named(foreign: Path, change: Callable[[Path], None], says: str) -> None:
    change(foreign)
    with pytest.raises(DatasetError, match=says):
        LeRobotData(foreign).look(0)


def test_a_mounting_that_cannot_be_is_refused(ours: Path) -> None:
    path = ours / "meta" / "vitra.json"
    content = json.loads(path.read_text())
    for change, says in (
        ({"version": 9}, "version 9"),
        ({"episodes": [{}]}, "KeyError"),
        ({"episodes": [content["episodes"][0] | {"intrinsics": [[1]]}]}, "intrinsics"),
    ):
        path.write_text(json.dumps(content | change))
        with pytest.raises(DatasetError, match=says):
            LeRobotData(ours)
    path.write_text("[")
    with pytest.raises(BrokenFileError, match=r"vitra\.json"):
        LeRobotData(ours)


def test_a_data_set_of_ours_with_other_joints_is_refused(ours: Path) -> None:
    content = json.loads((ours / "meta" / "info.json").read_text())
    content["features"]["action"]["names"][0] = "elbow"
    (ours / "meta" / "info.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="action: is elbow"):
        LeRobotData(ours).load(0)
