"""Gripper arms in the hand action space (Open X-Embodiment): the gripper opens and closes a whole hand.

Read: LeRobot data, v2 (one `videos/**/episode_XXXXXX.mp4` per episode) or v3 (many episodes in a file), whose
`observation.state` starts with the gripper's pose x, y, z, roll, pitch, yaw in metres and radians and ends with its
opening in [0, 1] (1 is open). RLDS data are converted to LeRobot first, with the tools of those projects. Open
X-Embodiment gives no camera pose: `camera.json` in the folder may hold `{"intrinsics": 3x3, "camera_from_base": 4x4}`,
else the base frame stands in for the camera's, as it must where nothing is known.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vitra_policy.action_space import Side
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import euler_xyz_from_matrix, make_pose, matrix_from_euler_xyz
from vitra_training.baselines.human_arrays import EpisodeSourceName, Filmed, HandTrack, human_episode
from vitra_training.datasets.episode import Array, HumanEpisode, IntArray, Recording, VideoClip
from vitra_training.datasets.errors import BrokenFileError, UnknownFormatError, WrongShapeError
from vitra_training.datasets.sources import open_source
from vitra_training.datasets.video import VideoReader, VideoWriter
from vitra_training.synthetic.generate import SyntheticOptions, generate

_SKELETON = default_skeleton()
_CLOSED = np.zeros((15, 3))
_CLOSED[:12, 2] = 0.9  # bend of every finger joint, MANO's z axis
_CLOSED[12:] = [[0, -0.5, 0.4], [0, 0.5, 0], [0, 0.5, 0]]
"""Joint angles of a hand that stands for a closed gripper; an open one is flat."""
_WIDE_RAD = np.radians(60.0)


class GripperData:
    """A LeRobot data set of one gripper arm, read as right-hand episodes.

    Raises:
        UnknownFormatError: no meta/info.json.
        BrokenFileError: it, or a data file, cannot be read.
    """

    format = "gripper"

    def __init__(self, root: Path) -> None:
        if not (root / "meta" / "info.json").is_file():
            raise UnknownFormatError(root)
        self.root = root
        self.broken: dict[str, str] = {}
        try:
            self._info: dict[str, Any] = json.loads((root / "meta" / "info.json").read_text())
            self._tasks = _read_tasks(root)
            self._clips = _read_clips(root, self._info)
            tables = [pq.read_table(path) for path in sorted((root / "data").rglob("*.parquet"))]
            table = pa.concat_tables(tables, promote_options="default")
            self._state = np.stack(table["observation.state"].to_numpy(zero_copy_only=False)).astype(np.float64)
            numbers = table["episode_index"].to_numpy()
            self._task = table["task_index"].to_numpy()
        except (OSError, ValueError, KeyError, pa.ArrowException) as cause:
            raise BrokenFileError(root, "LeRobot data set", cause) from None
        if self._state.shape[1] < 7:
            raise WrongShapeError(f"{root}: observation.state", self._state.shape[1:], "at least 7 numbers")
        self._rows = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
        self.ids = [f"episode_{number:06d}" for number in np.unique(numbers)]

    def __len__(self) -> int:
        return len(self.ids)

    def load(self, number: int) -> Recording:
        """Episode and images by number.

        Raises:
            BrokenFileError: its video is missing.
        """
        rows = self._rows[number]
        video = self.root / "videos" / f"{self.ids[number]}.mp4"
        first = 0
        if self.ids[number] in self._clips:
            video, first = self._clips[self.ids[number]]
        elif not video.is_file():
            found = sorted((self.root / "videos").rglob(video.name))
            if not found:
                raise BrokenFileError(video, "video", "not found")
            video = found[0]
        episode = self._episode(number, rows, video)
        return Recording(episode, VideoClip(video, first + np.arange(len(rows)), shared=True))

    def release(self, number: int) -> None:
        """Nothing was made for an episode."""

    def frame_index(self) -> IntArray:
        """(N, 2) every (episode, frame) but the last of each."""
        pairs = [
            np.stack([np.full(len(rows) - 1, n), np.arange(len(rows) - 1)], 1) for n, rows in enumerate(self._rows)
        ]
        return np.concatenate(pairs).astype(np.int64)

    def content_hash(self) -> str:
        """Changes when states or tasks change."""
        return hashlib.sha256(self._state.tobytes() + json.dumps(self._tasks).encode()).hexdigest()

    def _episode(self, number: int, rows: IntArray, video: Path) -> HumanEpisode:
        intrinsics, camera_from_base = self._camera(video)
        wrist, rotations = hand_from_gripper(self._state[rows])
        length = len(rows)
        return human_episode(
            tracks={Side.RIGHT: HandTrack(wrist, rotations, np.ones(length, dtype=bool))},
            captions={Side.RIGHT: (self._tasks[int(self._task[rows[0]])],)},
            skeleton=_SKELETON,
            source=EpisodeSourceName(name=self.ids[number], dataset="gripper", video_name=self.ids[number]),
            filmed=Filmed(camera_from_world=np.tile(camera_from_base, (length, 1, 1)), intrinsics=intrinsics),
        )

    def _camera(self, video: Path) -> tuple[Array, Array]:
        path = self.root / "camera.json"
        if path.is_file():
            try:
                values = json.loads(path.read_text())
                return np.array(values["intrinsics"], dtype=float), np.array(values["camera_from_base"], dtype=float)
            except (OSError, ValueError, KeyError) as cause:
                raise BrokenFileError(path, "camera", cause) from None
        with VideoReader(video) as reader:
            width, height = reader.width, reader.height
        focal = width / 2 / np.tan(_WIDE_RAD / 2)
        return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]]), np.eye(4)


def hand_from_gripper(state: Array) -> tuple[Array, Array]:
    """Wrist poses (T, 4, 4) and finger rotations (T, 15, 3, 3) of gripper states (T, >= 7)."""
    wrist = make_pose(state[:, :3], matrix_from_euler_xyz(state[:, 3:6]))
    closing = 1 - np.clip(state[:, -1], 0, 1)
    return wrist, matrix_from_euler_xyz(closing[:, None, None] * _CLOSED)


def _read_tasks(root: Path) -> dict[int, str]:
    lines = root / "meta" / "tasks.jsonl"
    if lines.is_file():
        rows = [json.loads(line) for line in lines.read_text().splitlines() if line.strip()]
        return {int(row["task_index"]): str(row["task"]) for row in rows}
    table = pq.read_table(root / "meta" / "tasks.parquet").to_pydict()
    words = table.get("task") or table["__index_level_0__"]
    return {int(index): str(task) for index, task in zip(table["task_index"], words, strict=True)}


def _read_clips(root: Path, info: dict[str, Any]) -> dict[str, tuple[Path, int]]:
    """Video file and first frame of each episode of a v3 data set, of its first camera; empty for v2."""
    tables = [pq.read_table(path).to_pydict() for path in sorted((root / "meta" / "episodes").rglob("*.parquet"))]
    clips: dict[str, tuple[Path, int]] = {}
    for table in tables:
        key = next((name.split("/")[1] for name in table if name.startswith("videos/")), None)
        if key is None:
            continue
        columns = (table[f"videos/{key}/{name}"] for name in ("chunk_index", "file_index", "from_timestamp"))
        for episode, chunk, file, start_s in zip(table["episode_index"], *columns, strict=True):
            path = info["video_path"].format(video_key=key, chunk_index=chunk, file_index=file)
            clips[f"episode_{episode:06d}"] = (root / path, round(start_s * float(info["fps"])))
    return clips


def write_gripper_data(root: Path, options: SyntheticOptions) -> int:
    """Synthetic episodes as LeRobot gripper data; returns how many."""
    generate(root / "source", options)
    source = open_source(root / "source")
    (root / "meta").mkdir(parents=True, exist_ok=True)
    (root / "data").mkdir(exist_ok=True)
    columns: dict[str, list[Any]] = {"observation.state": [], "episode_index": [], "task_index": []}
    tasks: dict[str, int] = {}
    for number in range(len(source)):
        recording = source.load(number)
        episode = recording.episode
        if not isinstance(episode, HumanEpisode):
            continue
        side = episode.anno_type
        hand = episode.hands[side]
        task = tasks.setdefault(episode.text[side][0].caption, len(tasks))
        bend = np.abs(euler_xyz_from_matrix(hand.hand_pose)).mean(axis=(1, 2))
        opening = 1 - np.clip(bend / 0.5, 0, 1)
        pose = episode.extrinsics @ make_pose(hand.transl_worldspace, hand.global_orient_worldspace)
        state = np.concatenate([pose[:, :3, 3], euler_xyz_from_matrix(pose[:, :3, :3]), opening[:, None]], axis=1)
        columns["observation.state"] += state.astype(np.float32).tolist()
        columns["episode_index"] += [number] * len(state)
        columns["task_index"] += [task] * len(state)
        with (
            VideoReader(recording.video.path) as video,
            VideoWriter(
                root / "videos" / f"episode_{number:06d}.mp4", video.width, video.height, options.fps
            ) as writer,
        ):
            for frame in recording.video.frames:
                writer.add(video.rgb(int(frame)))
    pq.write_table(pa.table(columns), root / "data" / "file-000.parquet")
    info = {"codebase_version": "v3.0", "fps": options.fps, "total_episodes": len(source)}
    (root / "meta" / "info.json").write_text(json.dumps(info))
    rows = [json.dumps({"task_index": index, "task": task}) for task, index in tasks.items()]
    (root / "meta" / "tasks.jsonl").write_text("\n".join(rows) + "\n")
    return len(source)
