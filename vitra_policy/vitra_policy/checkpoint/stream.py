"""Writing safetensors files tensor by tensor, so that converting 15 GB needs a few hundred megabytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vitra_policy.checkpoint.errors import CheckpointFileError

MODEL = "model"
INDEX_FILE = "model.safetensors.index.json"
MAX_SHARD_BYTES = 2 * 1024**3
"""Largest file; a larger tensor gets one of its own."""

_CHUNK_ELEMENTS = 16 * 1024**2
_DTYPE_NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name and size of a tensor to write."""

    name: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Number of values."""
        count = 1
        for size in self.shape:
            count *= size
        return count


def write_weights(
    directory: Path,
    specs: Sequence[TensorSpec],
    read: Callable[[Sequence[str]], Mapping[str, Tensor]],
    dtype: torch.dtype,
    stem: str = MODEL,
    noted: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write tensors as ``{stem}.safetensors``, or as shards with an index when they are larger than one shard.

    Args:
        directory: Existing directory to write into.
        specs: What to write, in order.
        read: Returns the named tensors; called once per shard, so that a mapped source can be released in between.
        dtype: Stored number format, float32, float16 or bfloat16.
        stem: Start of the files' names.
        noted: Texts by name for the header of every file.

    Returns:
        The files written.
    """
    shards = plan_shards(specs, dtype)
    if len(shards) == 1:
        single = directory / f"{stem}.safetensors"
        _write_file(single, shards[0], read, dtype, noted or {})
        return [single]
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"{stem}-{number:05d}-of-{len(shards):05d}.safetensors"
        _write_file(directory / name, shard, read, dtype, noted or {})
        weight_map |= {spec.name: name for spec in shard}
    total = sum(spec.elements for spec in specs) * dtype.itemsize
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    named = directory / f"{stem}.safetensors.index.json"
    named.write_text(json.dumps(index, indent=1) + "\n")
    return [*(directory / name for name in dict.fromkeys(weight_map.values())), named]


def weight_files(directory: Path, stem: str = MODEL) -> list[Path]:
    """Safetensors files of a checkpoint directory; empty when there are none.

    Raises:
        CheckpointFileError: the index is damaged.
    """
    index = directory / f"{stem}.safetensors.index.json"
    if index.is_file():
        try:
            names = dict.fromkeys(json.loads(index.read_text())["weight_map"].values())
            return [directory / Path(name).name for name in names]
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise CheckpointFileError(f"Cannot read {index}: {error}. Copy the checkpoint again.") from error
    single = directory / f"{stem}.safetensors"
    return [single] if single.is_file() else []


def plan_shards(specs: Iterable[TensorSpec], dtype: torch.dtype) -> list[list[TensorSpec]]:
    """Which tensors go into which file, in order; who reads them together with others reads in this order.

    Args:
        specs: Tensors, by name and shape.
        dtype: In which they are stored.
    """
    shards: list[list[TensorSpec]] = [[]]
    size = 0
    for spec in specs:
        needed = spec.elements * dtype.itemsize
        if shards[-1] and size + needed > MAX_SHARD_BYTES:
            shards.append([])
            size = 0
        shards[-1].append(spec)
        size += needed
    return shards


def _write_file(
    path: Path,
    specs: Sequence[TensorSpec],
    read: Callable[[Sequence[str]], Mapping[str, Tensor]],
    dtype: torch.dtype,
    noted: Mapping[str, str],
) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt", **noted}}
    offset = 0
    for spec in specs:
        end = offset + spec.elements * dtype.itemsize
        header[spec.name] = {"dtype": _DTYPE_NAMES[dtype], "shape": list(spec.shape), "data_offsets": [offset, end]}
        offset = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-(8 + len(encoded)) % 64)  # data starts aligned, so that mapped tensors are
    tensors = read([spec.name for spec in specs])
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)))
        file.write(encoded)
        for spec in specs:
            flat = tensors[spec.name].detach().reshape(-1)
            for start in range(0, len(flat), _CHUNK_ELEMENTS):
                chunk = flat[start : start + _CHUNK_ELEMENTS].to("cpu", dtype).contiguous()
                file.write(chunk.view(torch.uint8).numpy().data)
