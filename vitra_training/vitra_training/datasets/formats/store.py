"""The canonical store: shards of one Parquet table and one short-GOP video each, made for random access by frame.

root/store.json                   version, totals, per shard its counts and SHA-256
root/episodes.parquet             one row per episode: id, kind, length, where its frames are, the rest as JSON
root/frames/shard-00000.parquet   one row per frame; a row group holds whole episodes
root/videos/shard-00000.mp4       the images; `video_frame` of a row is the frame number in here
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vitra_policy.command_options import check_whole_numbers
from vitra_training.datasets.episode import IntArray, Recording, usable_frames
from vitra_training.datasets.formats.new_folder import Layout, NewFolder
from vitra_training.datasets.formats.record import Record, to_record
from vitra_training.datasets.video import VideoReader, VideoWriter, even_size
from vitra_training.datasets.whole_file import whole_file

STORE_NAME = "store.json"
EPISODES_NAME = "episodes.parquet"
VERSION = "2"
META = "meta"
_LAYOUT = Layout(
    "canonical store",
    re.compile(
        r"frames/shard-\d{5}\.(parquet|partial)|videos/shard-\d{5}(\.partial)?\.mp4|store\.partial|episodes\.parquet"
    ),
    STORE_NAME,
)


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How a store is cut and encoded."""

    short_side_max: int = 384
    """Larger images are shrunk to this short side, px; smaller ones keep their size."""
    gop: int = 2
    """Frames from one key frame to the next."""
    crf: int = 21
    """x264 quality; lower is better and larger."""
    frames_per_shard: int = 2000
    """A shard closes after the episode that reaches this many frames."""
    frames_per_group: int = 128
    """A Parquet row group closes after the episode that reaches this many frames."""

    def __post_init__(self) -> None:
        least = {"short_side_max": 16, "gop": 1, "crf": 0, "frames_per_shard": 1, "frames_per_group": 1}
        check_whole_numbers(self, least, {"crf": 51})


def shard_paths(root: Path, number: int) -> tuple[Path, Path]:
    """Table and video of a shard."""
    return root / "frames" / f"shard-{number:05d}.parquet", root / "videos" / f"shard-{number:05d}.mp4"


class StoreWriter:
    """Writes episodes into a new canonical store; episodes of one source video share their frames.

    A shard holds one kind of episode, one image size, one frame rate and one set of columns; anything else opens the
    next shard. `store.json` is written last, so a store without it was interrupted.

    Raises:
        TargetTakenError: something is in the folder that no interrupted conversion left.
    """

    def __init__(self, root: Path, options: StoreOptions | None = None) -> None:
        self._folder = NewFolder(root, _LAYOUT)
        self.root, self._options = root, options or StoreOptions()
        self._rows: list[dict[str, Any]] = []
        self._shards: list[dict[str, Any]] = []
        self._shard: _Shard | None = None

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            if self._shard is not None:
                self._shard.abort()
            self._folder.remove()

    def add(self, recording: Recording) -> None:
        """Append one episode with its images.

        Raises:
            DatasetError: its video cannot be read; the store keeps what it had (and images that no row names).
        """
        record, episode = to_record(recording.episode), recording.episode
        with VideoReader(recording.video.path) as video:
            size = even_size(video.width, video.height, self._options.short_side_max)
            columns = tuple((k, v.dtype.str, v.shape[1:]) for k, v in record.frames.items())
            key = (record.kind, size, round(video.fps, 3), columns)
            if self._shard is None or self._shard.key != key or self._shard.full:
                self._finish_shard()
                self._folder.take()
                self._shard = _Shard(self.root, len(self._shards), key, size, video.fps, self._options)
            numbers = self._shard.add_images(video, recording.video.frames)
        usable = usable_frames(episode)
        place = self._shard.add_rows(record, numbers, usable)
        self._rows.append(
            {"id": record.id, "kind": record.kind, "length": len(numbers), "usable": int(usable.sum()), **place}
        )

    def close(self) -> Path:
        """Finish the last shard and write the index."""
        self._finish_shard()
        self._folder.take()
        numbers = ("length", "usable", "shard", "row_group", "row")
        schema = pa.schema([(n, pa.string()) for n in ("id", "kind")] + [(n, pa.int32()) for n in numbers])
        pq.write_table(pa.Table.from_pylist(self._rows, schema=schema), self.root / EPISODES_NAME, compression="zstd")
        summary = {
            "version": VERSION,
            "options": asdict(self._options),
            "episodes": len(self._rows),
            "frames": sum(row["length"] for row in self._rows),
            "usable_frames": sum(row["usable"] for row in self._rows),
            "shards": self._shards,
        }
        path = self.root / STORE_NAME
        with whole_file(path) as stream:
            stream.write(json.dumps(summary, indent=1).encode())
        self._folder.complete()
        return path

    def _finish_shard(self) -> None:
        shard, self._shard = self._shard, None
        if shard is None:
            return
        if shard.is_empty:  # the one episode it was opened for could not be read
            shard.abort()
        else:
            self._shards.append(shard.close())


class _Shard:
    """The shard being written."""

    def __init__(
        self, root: Path, number: int, key: object, size: tuple[int, int], fps: float, options: StoreOptions
    ) -> None:
        self.key, self.number, self._size, self._options = key, number, size, options
        self._table_path, video_path = shard_paths(root, number)
        self._table_path.parent.mkdir(parents=True, exist_ok=True)
        self._partial = self._table_path.with_suffix(".partial")
        self._video = VideoWriter(video_path, *size, fps, options.gop, options.crf)
        self._known: dict[Path, NDArray[np.int32]] = {}
        """Source video -> per frame of it the number of its image in here, -1 where it is not."""
        self._table: pq.ParquetWriter | None = None
        self._group: list[pa.Table] = []
        self._row_group, self._rows_in_group, self._episodes, self._frames = 0, 0, 0, 0

    @property
    def is_empty(self) -> bool:
        return self._episodes == 0

    @property
    def full(self) -> bool:
        return self._frames >= self._options.frames_per_shard

    def add_images(self, video: VideoReader, frames: IntArray) -> NDArray[np.int32]:
        """One by one: an episode of any length fits into memory."""
        known = self._known.setdefault(video.path, np.full(len(video), -1, dtype=np.int32))
        for frame in map(int, frames):
            if not 0 <= frame < len(known) or known[frame] < 0:  # beyond the end, the video says so
                image = video.rgb(frame)
                if image.shape[1::-1] != self._size:
                    image = np.asarray(cv2.resize(image, self._size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
                known[frame] = self._video.add(image)
        return known[frames]

    def add_rows(self, record: Record, numbers: NDArray[np.int32], usable: NDArray[np.bool_]) -> dict[str, int]:
        table = table_from_arrays({"video_frame": numbers, "usable": usable, **record.frames})
        table = table.append_column(META, pa.array([record.meta] + [None] * (len(numbers) - 1), pa.string()))
        place = {"shard": self.number, "row_group": self._row_group, "row": self._rows_in_group}
        self._group.append(table)
        self._rows_in_group += len(numbers)
        self._frames += len(numbers)
        self._episodes += 1
        if self._rows_in_group >= self._options.frames_per_group:
            self._flush()
        return place

    def close(self) -> dict[str, Any]:
        self._flush()
        video = self._video.close()
        if self._table is not None:
            self._table.close()
        self._partial.replace(self._table_path)
        return {
            "number": self.number,
            "episodes": self._episodes,
            "frames": self._frames,
            "sha256": {"frames": _sha256(self._table_path), "video": _sha256(video)},
        }

    def abort(self) -> None:
        """Give up; the files stay as they are."""
        self._video.abort()
        if self._table is not None:
            with contextlib.suppress(OSError, pa.ArrowException):
                self._table.close()

    def _flush(self) -> None:
        if not self._group:
            return
        table = pa.concat_tables(self._group)
        if self._table is None:
            self._table = pq.ParquetWriter(self._partial, table.schema, compression="zstd", use_dictionary=False)
        self._table.write_table(table, row_group_size=len(table))
        self._group, self._rows_in_group = [], 0
        self._row_group += 1


def table_from_arrays(arrays: dict[str, NDArray[Any]]) -> pa.Table:
    """Arrow table with one row per frame; array shapes beyond the first axis go to the field's metadata."""
    fields, columns = [], []
    for name, array in arrays.items():
        flat = pa.array(np.ascontiguousarray(array).reshape(-1))
        width = int(np.prod(array.shape[1:]))
        column = flat if array.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, width)
        fields.append(pa.field(name, column.type, metadata={"shape": json.dumps(array.shape[1:])}))
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def arrays_from_table(table: pa.Table) -> dict[str, NDArray[Any]]:
    """Inverse of :func:`table_from_arrays`; the JSON column is left out."""
    arrays = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        if field.name == META:
            continue
        chunk = column.combine_chunks()
        flat = chunk.flatten() if pa.types.is_fixed_size_list(chunk.type) else chunk
        shape = json.loads((field.metadata or {}).get(b"shape", b"[]"))
        arrays[field.name] = flat.to_numpy(zero_copy_only=False).reshape(len(chunk), *shape)
    return arrays


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
