"""LeRobotDataset v3 read: ours as robot episodes, those of other robots to look at only.

source = LeRobotData(Path("data"))      # a folder with meta/info.json
shown = source.look(0)                  # numbers and cameras of any robot
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vitra_training.datasets.arrays import check_finite, check_shape
from vitra_training.datasets.episode import Array, IntArray, Recording, VideoClip
from vitra_training.datasets.errors import BrokenFileError, DatasetError, MissingKeyError, WrongShapeError
from vitra_training.datasets.formats import lerobot_layout as layout
from vitra_training.datasets.formats.lerobot_mounting import MOUNTING, Mounting, read_mountings, robot_episode
from vitra_training.datasets.sources import frames_of

CAMERA = "observation.images.head_camera"
STATE, ACTION, HANDS_VALID = "observation.state", "action", "observation.hand_valid"
COUNTERS = ("timestamp", "frame_index", "episode_index", "index", "task_index")
_TIME_SLACK_S = 1e-3
QUANTILES = ("q01", "q99")
"""What policies that normalise by quantiles ask for."""


class ForeignRobotError(DatasetError):
    """An episode that can be looked at, but is none of our robot."""

    def __init__(self, episode: str, robot: str, why: str) -> None:
        super().__init__(
            f"{episode} is of robot '{robot}' and read-only: {why}. Look at it with `vitra-data inspect`; to train on "
            "a gripper arm's poses use `--data.format gripper` (docs/neighbours/lerobot.md)."
        )


@dataclass(frozen=True, slots=True)
class LeRobotEpisode:
    """One episode as its data set has it, of whatever robot."""

    id: str
    task: str
    fps: float
    numbers: Mapping[str, Array]
    """(T, D) by feature; counters are left out."""
    names: Mapping[str, tuple[str, ...]]
    """Of the D numbers, where the data set gives them."""
    cameras: Mapping[str, VideoClip]

    def __len__(self) -> int:
        return len(next(iter(self.numbers.values())))


class LeRobotData:
    """A folder in the layout of LeRobotDataset v3.

    Args:
        root: Folder with `meta/info.json`.

    Raises:
        BrokenFileError: it is damaged, of another version, or names files outside of its folder.
        MissingKeyError: a table lacks a column that the layout promises.
    """

    format = "lerobot"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.broken: dict[str, str] = {}
        self._info = _read_json(root / "meta" / "info.json")
        version = str(self._info.get("codebase_version"))
        if not version.startswith("v3."):
            detail = f"codebase_version {version}; only v3 is read, lerobot itself converts older ones"
            raise BrokenFileError(root, "LeRobot data set", detail)
        self.features: dict[str, dict[str, Any]] = self._known("features", dict)
        layout.check_features(root / "meta" / "info.json", self.features)
        self.fps = float(self._known("fps", int | float))
        if not 0 < self.fps <= 1000:
            raise WrongShapeError(f"{root}/meta/info.json: fps", self.fps, "a rate in Hz")
        self.robot_type = str(self._info.get("robot_type") or "unknown")
        self.cameras = tuple(name for name, about in self.features.items() if about.get("dtype") == "video")
        self._tasks = _read_tasks(root / "meta" / "tasks.parquet")
        self._episodes = self._read_episodes()
        self.ids: Sequence[str] = [f"episode_{row['episode_index']:06d}" for row in self._episodes]
        self._mountings: dict[int, Mounting] = read_mountings(root / "meta" / MOUNTING)

    def __len__(self) -> int:
        return len(self._episodes)

    @property
    def is_ours(self) -> bool:
        """Whether its episodes can be trained on: it says how our robot was mounted, and has its head camera."""
        return bool(self._mountings) and CAMERA in self.cameras

    @property
    def statistics(self) -> dict[str, dict[str, Any]]:
        """`meta/stats.json` by feature; empty where there is none."""
        path = self.root / "meta" / "stats.json"
        return _read_json(path) if path.is_file() else {}

    @property
    def has_quantiles(self) -> bool:
        """Whether statistics of state and action hold the quantiles that quantile normalisation asks for."""
        known = self.statistics
        parts = [known.get(feature) for feature in (STATE, ACTION)]
        return all(isinstance(part, dict) and name in part for part in parts for name in QUANTILES)

    def look(self, number: int) -> LeRobotEpisode:
        """Numbers and cameras of an episode.

        Raises:
            DatasetError: rows or a video are missing, or numbers are not what the layout promises.
        """
        about, name = self._episodes[number], self.ids[number]
        path = self._file("data_path", about, "data")
        wanted = [n for n, f in self.features.items() if f.get("dtype") not in ("video", "image", "string")]
        try:
            table = pq.read_table(path, columns=wanted, filters=[("episode_index", "=", about["episode_index"])])
            columns = {n: np.stack([np.asarray(v) for v in table[n].to_pylist()]) for n in table.column_names}
        except (OSError, ValueError, KeyError, pa.ArrowException) as cause:
            raise BrokenFileError(path, "LeRobot table", cause) from None
        length = int(about["length"])
        if missing := sorted({STATE, ACTION, *COUNTERS} & set(wanted) - set(columns)):
            raise MissingKeyError(path, missing[0], sorted(columns))
        if len(table) != length or length < 1:
            raise WrongShapeError(f"{path}: {name}", f"{len(table)} rows", f"{length}, as meta/episodes says")
        counters = {n: layout.check_counter(path, n, v, length) for n, v in columns.items() if n in COUNTERS}
        self._check_times(path, name, counters)
        numbers = {}
        for feature, values in columns.items():
            if feature not in COUNTERS:
                numbers[feature] = check_shape(f"{path}: {feature}", values.reshape(length, -1), (length, None))
                check_finite(f"{path}: {name}: {feature}", numbers[feature])
        names = {n: _names(self.features[n].get("names")) for n in numbers}
        clips = {camera: self._clip(camera, about) for camera in self.cameras}
        if not numbers:
            raise MissingKeyError(path, STATE, sorted(columns))
        task = layout.task_of(path, counters["task_index"], self._tasks) if "task_index" in counters else ""
        return LeRobotEpisode(name, task, self.fps, numbers, names, clips)

    def load(self, number: int) -> Recording:
        """A robot episode, where the data set is one of ours.

        Raises:
            ForeignRobotError: it is of another robot, or does not say how its robot was mounted.
            DatasetError: it is damaged.
        """
        shown, mounting = self.look(number), self._mountings.get(int(self._episodes[number]["episode_index"]))
        if mounting is None or CAMERA not in shown.cameras:
            lacks = f"it has no meta/{MOUNTING}" if mounting is None else f"it has no {CAMERA}"
            names = shown.names.get(STATE, ())
            what = f"its state is {', '.join(names[:3])} ... ({len(names)})" if names else "its numbers have no names"
            raise ForeignRobotError(shown.id, self.robot_type, f"{lacks}, {what}")
        episode = robot_episode(shown.task, self.fps, shown.numbers, shown.names, mounting)
        return Recording(episode, shown.cameras[CAMERA])

    def release(self, number: int) -> None:
        """Nothing was made for an episode."""

    def frame_index(self) -> IntArray:
        """(N, 2) every (episode, frame) at which a sample can start; what cannot be trained on is named."""
        return frames_of(self)

    def content_hash(self) -> str:
        """Changes when tables or videos are changed, added or removed."""
        digest = hashlib.sha256()
        for path in sorted(p for p in self.root.rglob("*") if p.is_file()):
            about = path.stat()
            digest.update(f"{path.relative_to(self.root)} {about.st_size} {about.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def _known(self, key: str, kind: Any) -> Any:
        if key in self._info and not isinstance(self._info[key], kind):
            where, wanted = f"{self.root / 'meta' / 'info.json'}: {key}", {dict: "a map", str: "words"}
            raise WrongShapeError(where, repr(self._info[key])[:60], wanted.get(kind, "a number"))
        if key not in self._info:
            raise MissingKeyError(self.root / "meta" / "info.json", key, sorted(self._info))
        return self._info[key]

    def _read_episodes(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for path in sorted((self.root / "meta" / "episodes").rglob("*.parquet")):
            try:
                schema = pq.read_schema(path).names
                table = pq.read_table(path, columns=[n for n in schema if not n.startswith("stats/")])
            except (OSError, pa.ArrowException) as cause:
                raise BrokenFileError(path, "LeRobot table", cause) from None
            if missing := [name for name in layout.episode_columns(self.cameras) if name not in schema]:
                raise MissingKeyError(path, missing[0], schema)
            for row in table.to_pylist():
                layout.check_row(path, row, self.cameras)
                rows.append(row)
        if not rows:
            raise BrokenFileError(self.root / "meta" / "episodes", "LeRobot data set", "no episode in it")
        return sorted(rows, key=lambda row: int(row["episode_index"]))

    def _clip(self, camera: str, about: Mapping[str, Any]) -> VideoClip:
        path = self._file("video_path", about, f"videos/{camera}", video_key=camera)
        if not path.is_file():
            raise BrokenFileError(path, "video", "not found")
        first = round(float(about[f"videos/{camera}/from_timestamp"]) * self.fps)
        return VideoClip(path, first + np.arange(int(about["length"])), shared=True)

    def _file(self, template: str, about: Mapping[str, Any], prefix: str, **more: str) -> Path:
        place = {f"{n}_index": int(about[f"{prefix}/{n}_index"]) for n in ("chunk", "file")}
        return layout.file_of(self.root, str(self._known(template, str)), {**place, **more})

    def _check_times(self, path: Path, name: str, columns: Mapping[str, NDArray[Any]]) -> None:
        if "timestamp" in columns:
            off_s = np.abs(columns["timestamp"] - np.arange(len(columns["timestamp"])) / self.fps)
            if not (off_s <= _TIME_SLACK_S).all():
                frame = int(np.argmax(~(off_s <= _TIME_SLACK_S)))
                where = f"{path}: {name}: timestamp of frame {frame}"
                raise WrongShapeError(where, f"{off_s[frame]:.3f} s off", f"frame / {self.fps:g} Hz")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as cause:
        raise BrokenFileError(path, "JSON file", cause) from None
    if not isinstance(value, dict):
        raise BrokenFileError(path, "JSON file", "it holds no map")
    return value


def _read_tasks(path: Path) -> dict[int, str]:
    try:
        table = pq.read_table(path).to_pydict()
    except (OSError, pa.ArrowException) as cause:
        raise BrokenFileError(path, "LeRobot table", cause) from None
    words = table.get("task") or table.get("__index_level_0__")
    if words is None or "task_index" not in table:
        raise MissingKeyError(path, "task", sorted(table))
    return layout.read_tasks(path, table["task_index"], words)


def _names(value: Any) -> tuple[str, ...]:
    """Names of a feature's numbers: a list, or a map of lists as older data sets have it."""
    if isinstance(value, dict):
        value = next((names for names in value.values() if isinstance(names, list)), None)
    return tuple(map(str, value)) if isinstance(value, list) else ()
