"""Export in the LeRobotDataset v3.0 layout: many episodes per Parquet and mp4 file, indexed by meta tables."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vitra_policy.action_space import ACTION_DIM, SIDES
from vitra_policy.prompt import InstructionError, format_instruction
from vitra_training.datasets.episode import HumanEpisode, IntArray, Recording, RobotEpisode, valid_frames
from vitra_training.datasets.errors import ConversionError, EmptyDatasetError, NoValidHandError
from vitra_training.datasets.formats.lerobot_mounting import MOUNTING, NUMBERS, Mounting, write_mountings
from vitra_training.datasets.formats.lerobot_statistics import Extent
from vitra_training.datasets.formats.new_folder import Layout, NewFolder
from vitra_training.datasets.samples.captions import window_at
from vitra_training.datasets.samples.motion import motion_of
from vitra_training.datasets.samples.sample import cut_chunk
from vitra_training.datasets.samples.view import full_view
from vitra_training.datasets.video import VideoReader, VideoWriter, even_size
from vitra_training.datasets.whole_file import whole_file

CAMERA_KEY = "observation.images.head_camera"
_CHUNK_FILES = 1000
_ROWS_PER_GROUP = 4096
"""So many rows are encoded at once, however long an episode is."""
_DATA_BYTES, _VIDEO_BYTES = 100_000_000, 200_000_000
_DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
_LAYOUT = Layout(
    "LeRobot data set",
    re.compile(
        rf"(data|videos/{re.escape(CAMERA_KEY)}|meta/episodes)/chunk-\d{{3}}/file-\d{{3}}(\.partial)?\.(parquet|mp4)"
        rf"|meta/(tasks\.parquet|stats\.json|info\.partial|{re.escape(MOUNTING)})"
    ),
    "meta/info.json",
)
_IMAGES_FOR_STATISTICS, _LEAST_SIDE_PX = 8, 100
"""So many images of an episode, each thinned to about so many pixels, tell its colours."""
_COUNTERS = ("timestamp", "frame_index", "episode_index", "index", "task_index")


class LeRobotWriter:
    """Writes one LeRobot data set; all episodes must share kind, image size and rate."""

    def __init__(self, root: Path) -> None:
        self._folder = NewFolder(root, _LAYOUT)
        self.root = root
        self._form: tuple[str, tuple[int, int], float] | None = None
        self._names: list[str] = []
        self._episodes: list[dict[str, Any]] = []
        self._tasks: dict[str, int] = {}
        self._frames = 0
        self._data: pq.ParquetWriter | None = None
        self._data_bytes, self._data_file, self._video_file = 0, 0, -1
        self._video: VideoWriter | None = None
        self._totals: dict[str, Extent] = {}
        self._mountings: list[Mounting] = []

    def __enter__(self) -> LeRobotWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            if self._video is not None:
                self._video.abort()
            with contextlib.suppress(OSError, pa.ArrowException):
                self._finish_rows()
            self._folder.remove()

    def add(self, recording: Recording) -> None:
        """Append one episode.

        Raises:
            ConversionError: it differs in kind, image size or rate from the first one.
        """
        episode = recording.episode
        with VideoReader(recording.video.path) as reader:
            size, fps = even_size(reader.width, reader.height), round(reader.fps, 3)
            form = ("human" if isinstance(episode, HumanEpisode) else "robot", size, fps)
            if self._form not in (None, form):
                raise ConversionError(episode.id, "LeRobot data set", f"it is {form}, the first was {self._form}")
            state, action, self._names, task = _vectors(recording, reader)
            self._form = form
            first_in_file, shown = self._write_images(reader, recording.video.frames, size, fps)
        length, number = len(episode), len(self._episodes)
        task_index = self._tasks.setdefault(task, len(self._tasks))
        columns: dict[str, NDArray[Any]] = {
            "observation.state": state.astype(np.float32, copy=False),
            "action": action.astype(np.float32, copy=False),
            "observation.hand_valid": np.stack([valid_frames(episode)[side] for side in SIDES], axis=1),
            "timestamp": (np.arange(length) / fps).astype(np.float32),
            "frame_index": np.arange(length),
            "episode_index": np.full(length, number),
            "index": self._frames + np.arange(length),
            "task_index": np.full(length, task_index),
        }
        statistics = {name: Extent.of(values) for name, values in columns.items()}
        statistics[CAMERA_KEY] = Extent.of(shown / 255.0, channels=True)
        for name, extent in statistics.items():
            self._totals[name] = self._totals[name].merged(extent) if name in self._totals else extent
        data_file = self._write_rows(columns)
        if isinstance(episode, RobotEpisode):
            self._mountings.append(Mounting.of(episode))
        self._episodes.append(
            {
                "episode_index": number,
                "tasks": [task],
                "length": length,
                "data/chunk_index": data_file // _CHUNK_FILES,
                "data/file_index": data_file % _CHUNK_FILES,
                "dataset_from_index": self._frames,
                "dataset_to_index": self._frames + length,
                f"videos/{CAMERA_KEY}/chunk_index": self._video_file // _CHUNK_FILES,
                f"videos/{CAMERA_KEY}/file_index": self._video_file % _CHUNK_FILES,
                f"videos/{CAMERA_KEY}/from_timestamp": first_in_file / fps,
                f"videos/{CAMERA_KEY}/to_timestamp": (first_in_file + length) / fps,
                **{f"stats/{n}/{k}": v for n, extent in statistics.items() for k, v in extent.as_dict().items()},
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
        )
        self._frames += length

    def close(self) -> Path:
        """Finish files and write the meta tables.

        Raises:
            EmptyDatasetError: nothing was added.
        """
        if self._form is None:
            raise EmptyDatasetError(str(self.root))
        self._finish_rows()
        if self._video is not None:
            self._video.close()
        meta = self.root / "meta"
        (meta / "episodes" / "chunk-000").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(self._episodes), meta / "episodes" / "chunk-000" / "file-000.parquet")
        _write_tasks(meta / "tasks.parquet", self._tasks)
        (meta / "stats.json").write_text(json.dumps({n: e.as_dict() for n, e in self._totals.items()}, indent=2))
        if self._mountings:
            write_mountings(meta / MOUNTING, self._mountings)
        path = meta / "info.json"
        with whole_file(path) as stream:
            stream.write(json.dumps(self._info(), indent=2).encode())
        self._folder.complete()
        return path

    def _info(self) -> dict[str, Any]:
        assert self._form is not None
        kind, (width, height), fps = self._form
        vector = {"dtype": "float32", "shape": [len(self._names)], "names": self._names}
        video = {"video.fps": fps, "video.codec": "h264", "video.pix_fmt": "yuv420p", "video.is_depth_map": False}
        types = {"timestamp": "float32"}
        features = {
            "observation.state": vector,
            "action": vector,
            "observation.hand_valid": {"dtype": "bool", "shape": [2], "names": list(SIDES)},
            CAMERA_KEY: {
                "dtype": "video",
                "shape": [height, width, 3],
                "names": ["height", "width", "channels"],
                "info": {**video, "video.height": height, "video.width": width, "video.channels": 3}
                | {"has_audio": False},
            },
            **{n: {"dtype": types.get(n, "int64"), "shape": [1], "names": None} for n in _COUNTERS},
        }
        return {
            "codebase_version": "v3.0",
            "robot_type": "rm75_xhand" if kind == "robot" else "human_hands",
            "total_episodes": len(self._episodes),
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "chunks_size": _CHUNK_FILES,
            "data_files_size_in_mb": _DATA_BYTES // 1_000_000,
            "video_files_size_in_mb": _VIDEO_BYTES // 1_000_000,
            "fps": int(fps) if float(fps).is_integer() else fps,
            "splits": {"train": f"0:{len(self._episodes)}"},
            "data_path": _DATA_PATH,
            "video_path": _VIDEO_PATH,
            "features": features,
        }

    def _write_images(
        self, reader: VideoReader, frames: IntArray, size: tuple[int, int], fps: float
    ) -> tuple[int, NDArray[np.uint8]]:
        """Append images one by one; returns the number of the first in its file, and some of them for statistics."""
        if self._video is not None and self._video.bytes_written > _VIDEO_BYTES:
            self._video.close()
            self._video = None
        if self._video is None:
            self._folder.take()
            self._video_file += 1
            place = divmod(self._video_file, _CHUNK_FILES)
            path = _VIDEO_PATH.format(video_key=CAMERA_KEY, chunk_index=place[0], file_index=place[1])
            self._video = VideoWriter(self.root / path, *size, fps)
        first, shown, every = self._video.count, [], max(len(frames) // _IMAGES_FOR_STATISTICS, 1)
        for row, number in enumerate(frames):
            image = reader.rgb(int(number))[: size[1], : size[0]]
            self._video.add(image)
            if row % every == 0:
                step = max(min(image.shape[:2]) // _LEAST_SIDE_PX, 1)
                shown.append(image[::step, ::step].copy())
        return first, np.stack(shown)

    def _write_rows(self, columns: Mapping[str, NDArray[Any]]) -> int:
        """Append rows; returns the number of their file."""
        if self._data_bytes > _DATA_BYTES:
            self._finish_rows()
            self._data_file += 1
        table = pa.table({name: _arrow(values) for name, values in columns.items()})
        if self._data is None:
            chunk, file = divmod(self._data_file, _CHUNK_FILES)
            path = self.root / _DATA_PATH.format(chunk_index=chunk, file_index=file)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._data = pq.ParquetWriter(path, table.schema)
        self._data.write_table(table, row_group_size=_ROWS_PER_GROUP)
        self._data_bytes += table.nbytes
        return self._data_file

    def _finish_rows(self) -> None:
        data, self._data, self._data_bytes = self._data, None, 0
        if data is not None:
            data.close()


def _arrow(values: NDArray[Any]) -> pa.Array:
    """A column; rows of several numbers as lists, without an object per row."""
    if values.ndim == 1:
        return pa.array(values)
    rows, width = values.shape
    return pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32) * width), pa.array(values.reshape(-1)))


def _vectors(recording: Recording, reader: VideoReader) -> tuple[Any, Any, list[str], str]:
    """State (T, D), action (T, D), names of the D numbers, task."""
    if isinstance(recording.episode, RobotEpisode):
        return _robot_vectors(recording.episode)
    return _human_vectors(recording.episode, reader)


def _robot_vectors(episode: RobotEpisode) -> tuple[Any, Any, list[str], str]:
    parts = [episode.sides[side] for side in SIDES]
    # As single precision at once: of half an hour, double precision would need 30 MB more.
    state = np.concatenate([v for p in parts for v in (p.arm_joint, p.hand_joint)], axis=1, dtype=np.float32)
    targets = [v for p in parts for v in (p.arm_joint_target, p.hand_joint_target)]
    action = np.concatenate(targets, axis=1, dtype=np.float32)
    return state, action, list(NUMBERS), episode.instruction


def _human_vectors(episode: HumanEpisode, reader: VideoReader) -> tuple[Any, Any, list[str], str]:
    """Hands in the camera of each frame and the step to the next; zeros where no hand is valid."""
    motion = motion_of(episode, reader.width, reader.height)
    view = full_view(motion.camera)
    state, action = np.zeros((len(motion), ACTION_DIM)), np.zeros((len(motion), ACTION_DIM))
    for frame in range(len(motion)):
        try:
            chunk = cut_chunk(motion, frame, view, steps=1)
        except NoValidHandError:
            continue
        state[frame], action[frame] = chunk.state, chunk.actions[0]
    parts = ("x", "y", "z", "roll", "pitch", "yaw", *(f"finger_{i}" for i in range(45)))
    names = [f"{side}_{part}" for side in SIDES for part in parts]
    first = {side: window_at(episode.text[side], 0) for side in SIDES}
    try:
        task = format_instruction(*(first[side].caption if first[side] else None for side in SIDES))  # type: ignore[union-attr]
    except InstructionError:
        raise ConversionError(episode.id, "LeRobot episode", "no hand has a caption at its first frame") from None
    return state, action, names, task


def _write_tasks(path: Path, tasks: Mapping[str, int]) -> None:
    """`task_index` indexed by task text, as pandas would write it (LeRobot reads the index back)."""
    table = pa.table({"task_index": pa.array(list(tasks.values()), pa.int64()), "task": list(tasks)})
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
            | {"metadata": None},
            {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": None},
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.0.0",
    }
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}), path)
