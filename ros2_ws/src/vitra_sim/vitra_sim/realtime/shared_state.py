"""The newest physics state in shared memory: one writer, any number of readers, nobody waits (a seqlock)."""

from __future__ import annotations

import mmap
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_runtime.domain import domain_id

Array = NDArray[np.float64]

MAX_POSITIONS = 256
_MAX_PATH_BYTES = 400
_BLOCK = np.dtype(
    [
        ("sequence", np.int64),  # odd while the writer is at work
        ("generation", np.int64),  # counts models
        ("stamp_ns", np.int64),
        ("sim_time_s", np.float64),
        ("positions", np.int64),
        ("qpos", np.float64, (MAX_POSITIONS,)),
        ("model_path", f"S{_MAX_PATH_BYTES}"),
    ]
)
_READ_TRIES = 100
_POLL_S = 0.0005


@dataclass(frozen=True, slots=True)
class SharedState:
    """One consistent reading.

    Attributes:
        generation: Changes whenever the model does.
        stamp_ns: Wall clock time of the state (ROS time).
        sim_time_s: Simulated time.
        qpos: Generalised positions.
        model_path: The compiled model (MJB) that `qpos` belongs to.
    """

    generation: int
    stamp_ns: int
    sim_time_s: float
    qpos: Array
    model_path: Path


def state_path(name: str) -> Path:
    """File behind a named block: in memory where the system has a place for that, private to this user."""
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())
    folder = base / f"vitra-sim-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / name


def default_name() -> str:
    """Block of the world in this ROS domain."""
    return f"world-{domain_id()}"


def _fields(memory: mmap.mmap) -> dict[str, NDArray[Any]]:
    """Views of the fields of a mapped block, each with a first axis of one."""
    block = np.frombuffer(memory, dtype=_BLOCK)[0:1]
    return {name: block[name] for name in _BLOCK.names or ()}


class StateWriter:
    """Owns a block; a writer that comes after one that died goes on in the same file.

    Args:
        name: of the block; one per running world.
    """

    def __init__(self, name: str) -> None:
        self.path = state_path(name)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        os.ftruncate(handle, _BLOCK.itemsize)
        self._map = mmap.mmap(handle, _BLOCK.itemsize)
        os.close(handle)
        self._fields = _fields(self._map)
        self._fields["sequence"] += int(self._fields["sequence"][0]) % 2
        self._positions = 0

    @property
    def generation(self) -> int:
        """Number of the present model."""
        return int(self._fields["generation"][0])

    def model_path(self, generation: int) -> Path:
        """Where to save the model of a generation before announcing it."""
        return self.path.with_name(f"{self.path.name}-{generation}.mjb")

    def set_model(self, generation: int, positions: int, model_path: Path) -> None:
        """Announce a new model with that many generalised positions.

        Args:
            generation: Counts the models of this world.
            positions: Length of qpos.
            model_path: File that readers load.
        """
        f = self._fields
        f["sequence"] += 1
        f["generation"][0], f["positions"][0], f["model_path"][0] = generation, positions, os.fsencode(model_path)
        f["stamp_ns"][0] = 0  # nothing to see until the first write
        f["sequence"] += 1
        self._positions = positions

    def write(self, stamp_ns: int, sim_time_s: float, qpos: Array) -> None:
        """Publish a state; takes microseconds.

        Args:
            stamp_ns: ROS time.
            sim_time_s: Time since the reset.
            qpos: Generalised positions (nq,).
        """
        f = self._fields
        f["sequence"] += 1
        f["stamp_ns"][0], f["sim_time_s"][0] = stamp_ns, sim_time_s
        f["qpos"][0, : self._positions] = qpos
        f["sequence"] += 1

    def close(self) -> None:
        """Remove the block; readers notice that it stands still."""
        self.path.unlink(missing_ok=True)
        for generation in (self.generation - 1, self.generation):
            self.model_path(generation).unlink(missing_ok=True)


class StateReader:
    """Reads a block that may not exist yet, or may be replaced.

    Args:
        name: of the block.
    """

    def __init__(self, name: str) -> None:
        self._path = state_path(name)
        self._fields: dict[str, NDArray[Any]] | None = None

    def read(self) -> SharedState | None:
        """The newest state; None while there is no writer or nothing was written yet."""
        f = self._fields or self._open()
        if f is None:
            return None
        for _ in range(_READ_TRIES):
            before = int(f["sequence"][0])
            generation, stamp_ns, sim_time_s = int(f["generation"][0]), int(f["stamp_ns"][0]), float(f["sim_time_s"][0])
            qpos, path = f["qpos"][0, : f["positions"][0]].copy(), bytes(f["model_path"][0])
            if before % 2 == 0 and int(f["sequence"][0]) == before:
                if stamp_ns == 0:
                    return None
                return SharedState(generation, stamp_ns, sim_time_s, qpos, Path(os.fsdecode(path)))
        return None

    def read_next(self, timeout_s: float, sleep: Callable[[float], None] = time.sleep) -> SharedState | None:
        """As `read`, but the next state if one comes within this time: a state read at once is half a period old."""
        first = self.read()
        if first is None or self._fields is None:
            return first
        sequence, stamp_ns = self._fields["sequence"], self._fields["stamp_ns"]
        for _ in range(round(timeout_s / _POLL_S)):
            if stamp_ns[0] != first.stamp_ns and sequence[0] % 2 == 0:
                break
            sleep(_POLL_S)
        return self.read()

    def reopen(self) -> None:
        """Look for the file again at the next reading: the state has stood still for suspiciously long."""
        self._fields = None

    def _open(self) -> dict[str, NDArray[Any]] | None:
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            if os.fstat(handle).st_size < _BLOCK.itemsize:
                return None
            memory = mmap.mmap(handle, _BLOCK.itemsize, access=mmap.ACCESS_READ)
        finally:
            os.close(handle)
        self._fields = _fields(memory)
        return self._fields
