"""Reading the canonical store: any episode by number, with the last row groups kept."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vitra_training.datasets.episode import IntArray, Recording, VideoClip
from vitra_training.datasets.errors import BrokenFileError
from vitra_training.datasets.formats.record import Record, from_record
from vitra_training.datasets.formats.store import (
    EPISODES_NAME,
    META,
    STORE_NAME,
    VERSION,
    arrays_from_table,
    shard_paths,
)

_CACHED_GROUPS = 16


class _Names(Sequence[str]):
    """Strings that stay in Arrow's memory: a million of them cost little in every worker process."""

    def __init__(self, values: pa.StringArray) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, row: Any) -> Any:
        return self._values[row].to_pylist() if isinstance(row, slice) else self._values[row].as_py()


class CanonicalStore:
    """A store on disk; cheap to open, safe to send to worker processes.

    Raises:
        BrokenFileError: not a complete store of this version.
    """

    format = "canonical"

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            self.summary: dict[str, Any] = json.loads((root / STORE_NAME).read_text())
            table = pq.read_table(root / EPISODES_NAME)
        except (OSError, ValueError, pa.ArrowException) as cause:
            raise BrokenFileError(root / STORE_NAME, "canonical store", cause) from None
        if self.summary.get("version") != VERSION:
            raise BrokenFileError(root / STORE_NAME, f"store of version {VERSION}", self.summary.get("version"))
        self.broken: dict[str, str] = {}  # episodes that could not be read were left out when the store was written
        self.ids: Sequence[str] = _Names(table["id"].combine_chunks())
        self._kinds: Sequence[str] = _Names(table["kind"].combine_chunks())
        self._place = {name: table[name].to_numpy() for name in ("length", "shard", "row_group", "row")}
        self._open_files()

    def __len__(self) -> int:
        return len(self.ids)

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["root"])  # type: ignore[misc]

    def load(self, number: int) -> Recording:
        """Episode and images by number.

        Raises:
            BrokenFileError: its shard is damaged.
        """
        where = {name: int(values[number]) for name, values in self._place.items()}
        rows = slice(where["row"], where["row"] + where["length"])
        arrays, texts = self._group(where["shard"], where["row_group"])
        frames = {name: values[rows] for name, values in arrays.items()}
        video_frames = frames.pop("video_frame").astype(np.int64)
        frames.pop("usable")
        meta = texts[where["row"]].as_py()
        record = Record(self._kinds[number], self.ids[number], meta, frames)  # type: ignore[arg-type]
        return Recording(from_record(record), VideoClip(shard_paths(self.root, where["shard"])[1], video_frames, True))

    def release(self, number: int) -> None:
        """Nothing was made for an episode."""

    def frame_index(self) -> IntArray:
        """(N, 2) every usable (episode, frame)."""
        pairs = []
        for shard in np.unique(self._place["shard"]):
            usable = pq.read_table(shard_paths(self.root, int(shard))[0], columns=["usable"])["usable"].to_numpy()
            episodes = np.flatnonzero(self._place["shard"] == shard)
            lengths = self._place["length"][episodes]
            starts = np.cumsum(lengths) - lengths
            numbers = np.repeat(episodes, lengths)
            frames = np.arange(len(numbers)) - np.repeat(starts, lengths)
            pairs.append(np.stack([numbers, frames], axis=1)[usable])
        return np.concatenate(pairs).astype(np.int64) if pairs else np.zeros((0, 2), dtype=np.int64)

    def content_hash(self) -> str:
        """Changes when any episode changes (from the shards' stored digests)."""
        digests = [shard["sha256"] for shard in self.summary["shards"]]
        return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()

    def _open_files(self) -> None:
        self._files: dict[int, pq.ParquetFile] = {}
        self._groups: OrderedDict[tuple[int, int], tuple[dict[str, NDArray[Any]], Any]] = OrderedDict()

    def _group(self, shard: int, row_group: int) -> tuple[dict[str, NDArray[Any]], Any]:
        """Arrays of a row group, and its JSON column."""
        key = (shard, row_group)
        if key in self._groups:
            self._groups.move_to_end(key)
            return self._groups[key]
        path = shard_paths(self.root, shard)[0]
        try:
            if shard not in self._files:
                self._files[shard] = pq.ParquetFile(path, memory_map=True)
            table = self._files[shard].read_row_group(row_group, use_threads=False)
        except (OSError, pa.ArrowException, IndexError) as cause:
            raise BrokenFileError(path, "shard of a canonical store", cause) from None
        self._groups[key] = arrays_from_table(table), table[META].combine_chunks()
        if len(self._groups) > _CACHED_GROUPS:
            self._groups.popitem(last=False)
        return self._groups[key]
