from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from vitra_training.datasets.convert import Format, convert
from vitra_training.datasets.episode import RobotEpisode
from vitra_training.datasets.errors import EmptyDatasetError
from vitra_training.datasets.formats import lerobot_v3
from vitra_training.datasets.formats.lerobot_v3 import CAMERA_KEY, LeRobotWriter
from vitra_training.datasets.sources import EpisodeSource
from vitra_training.datasets.video import VideoReader


def tables(root: Path) -> tuple[dict, dict, dict]:
    info = json.loads((root / "meta" / "info.json").read_text())
    episodes = pq.read_table(root / "meta" / "episodes" / "chunk-000" / "file-000.parquet").to_pydict()
    rows = pq.read_table(root / "data" / "chunk-000" / "file-000.parquet").to_pydict()
    return info, episodes, rows


def test_the_layout_is_the_published_one(robot: EpisodeSource, tmp_path: Path) -> None:
    report = convert(robot, tmp_path / "lr", Format.LEROBOT)
    assert report.converted == 2
    info, episodes, rows = tables(tmp_path / "lr")
    assert info["codebase_version"] == "v3.0"
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"], info["fps"]) == (2, 41, 1, 30)
    assert info["features"]["action"]["shape"] == [38]
    assert info["features"][CAMERA_KEY]["shape"] == [120, 160, 3]
    assert set(rows) == set(info["features"]) - {CAMERA_KEY}
    assert rows["index"] == list(range(41))
    assert rows["timestamp"][20:23] == pytest.approx([0, 1 / 30, 2 / 30])
    assert episodes["dataset_from_index"] == [0, 20]
    assert episodes["dataset_to_index"] == [20, 41]
    assert episodes["tasks"] == [["Pick up the red cup."]] * 2
    tasks = pq.read_table(tmp_path / "lr" / "meta" / "tasks.parquet")
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]
    assert tasks.to_pydict() == {"task_index": [0], "task": ["Pick up the red cup."]}


def test_rows_are_written_as_they_come_however_many_an_episode_has(
    robot: EpisodeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(robot, tmp_path / "whole", Format.LEROBOT)
    monkeypatch.setattr(lerobot_v3, "_ROWS_PER_GROUP", 8)
    name = "data/chunk-000/file-000.parquet"
    with LeRobotWriter(tmp_path / "pieces") as writer:
        writer.add(robot.load(0))
        in_file_bytes = (tmp_path / "pieces" / name).stat().st_size
        writer.add(robot.load(1))
        assert (tmp_path / "pieces" / name).stat().st_size > in_file_bytes > 1000
    file = pq.ParquetFile(tmp_path / "pieces" / name)
    assert [file.metadata.row_group(n).num_rows for n in range(6)] == [8, 8, 4, 8, 8, 5]
    assert file.read().equals(pq.read_table(tmp_path / "whole" / name))


def test_numbers_and_images_are_those_of_the_episodes(robot: EpisodeSource, tmp_path: Path) -> None:
    convert(robot, tmp_path / "lr", Format.LEROBOT)
    info, episodes, rows = tables(tmp_path / "lr")
    second = robot.load(1).episode
    assert isinstance(second, RobotEpisode)
    names = info["features"]["observation.state"]["names"]
    column = names.index("right_hand_index_joint1")
    state = np.array(rows["observation.state"])[20:, column]
    assert state == pytest.approx(second.sides["right"].hand_joint[:, 4], abs=1e-6)
    assert np.array(rows["observation.hand_valid"])[20:].tolist() == [[False, True]] * 21
    start = episodes[f"videos/{CAMERA_KEY}/from_timestamp"][1]
    path = info["video_path"].format(video_key=CAMERA_KEY, chunk_index=0, file_index=0)
    with VideoReader(tmp_path / "lr" / path) as video:
        assert len(video) == 41
        image = video.rgb(round((start + rows["timestamp"][20 + 7]) * 30))
        assert image.mean() == pytest.approx(40 + 5 * 7, abs=2)


def test_statistics_are_over_all_frames(robot: EpisodeSource, tmp_path: Path) -> None:
    convert(robot, tmp_path / "lr", Format.LEROBOT)
    _, _, rows = tables(tmp_path / "lr")
    stats = json.loads((tmp_path / "lr" / "meta" / "stats.json").read_text())
    action = np.array(rows["action"])
    assert stats["action"]["mean"] == pytest.approx(action.mean(axis=0).tolist(), abs=1e-6)
    assert stats["action"]["std"] == pytest.approx(action.std(axis=0).tolist(), abs=1e-6)
    assert stats["action"]["count"] == [41]
    assert np.shape(stats[CAMERA_KEY]["mean"]) == (3, 1, 1)


def test_files_are_split_at_their_size_limit(
    robot: EpisodeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lerobot_v3, "_DATA_BYTES", 100)
    monkeypatch.setattr(lerobot_v3, "_VIDEO_BYTES", 100)
    convert(robot, tmp_path / "lr", Format.LEROBOT)
    _, episodes, rows = tables(tmp_path / "lr")
    assert episodes["data/file_index"] == [0, 1]
    assert episodes[f"videos/{CAMERA_KEY}/file_index"] == [0, 1]
    assert episodes[f"videos/{CAMERA_KEY}/from_timestamp"] == [0, 0]
    assert len(rows["index"]) == 20


def test_human_episodes_become_hand_vectors(human: EpisodeSource, tmp_path: Path) -> None:
    report = convert(human, tmp_path / "lr", Format.LEROBOT)
    assert report.failed == {}
    info, episodes, _ = tables(tmp_path / "lr")
    assert info["features"]["action"]["shape"] == [102]
    assert info["robot_type"] == "human_hands"
    assert all(task[0].startswith("Left hand: ") for task in episodes["tasks"])


def test_kinds_cannot_be_mixed(robot: EpisodeSource, human: EpisodeSource, tmp_path: Path) -> None:
    from vitra_training.datasets.errors import ConversionError

    with LeRobotWriter(tmp_path / "lr") as writer:
        writer.add(robot.load(0))
        with pytest.raises(ConversionError, match="human"):
            writer.add(human.load(0))


def test_an_empty_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyDatasetError):
        LeRobotWriter(tmp_path / "lr").close()


@pytest.mark.slow
def test_the_real_lerobot_reads_what_we_wrote(robot: EpisodeSource, repo_root: Path, tmp_path: Path) -> None:
    environment = Path(os.environ.get("LEROBOT_ENV", repo_root / ".venv-lerobot"))
    if not (environment / "bin/python").exists():
        pytest.skip("run requirements/open-lerobot.sh once: it makes the environment of lerobot")
    for form in (Format.LEROBOT, Format.TELEDATA):
        convert(robot, tmp_path / form.value, form)
    run = subprocess.run(
        [repo_root / "requirements/open-lerobot.sh", tmp_path / "lerobot"], capture_output=True, text=True, timeout=250
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert "2 episodes, 41 frames at 30 Hz" in run.stdout
    assert "pixels and times of all frames equal" in run.stdout
    assert "state, action, words equal TeleData's" in run.stdout
