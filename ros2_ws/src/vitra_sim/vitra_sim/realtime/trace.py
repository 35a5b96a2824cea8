"""What happened in the world: states at 30 Hz for images (npz), arm motion at 200 Hz for fault tests (JSON lines)."""

from __future__ import annotations

import json
import os
import zipfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_policy.errors import VitraError
from vitra_sim.realtime.runner import Port, Snapshot

Array = NDArray[np.float64]

_STATE_PERIOD_S = 1 / 30


class TraceError(VitraError):
    """A trace file that cannot be read."""


@dataclass(frozen=True, slots=True)
class Segment:
    """States between two resets.

    Attributes:
        task: Name of the task.
        seed: Its start state.
        stamps_s: (n,) ROS time of the states.
        qpos: (n, nq) generalised positions.
    """

    task: str
    seed: int
    stamps_s: Array
    qpos: Array


class StateTrace:
    """Collects states; `add` after every tick, `save` at the end.

    Args:
        path: npz file to write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[tuple[str, int, float, Array]] = []
        self._next_s = 0.0

    def add(self, snapshot: Snapshot) -> None:
        """Keep the state if it is time for one."""
        if snapshot.sim_time_s >= self._next_s:
            self._next_s = snapshot.sim_time_s + _STATE_PERIOD_S - 1e-6
            layout = snapshot.world.layout
            self._rows.append((layout.name, layout.seed, snapshot.stamp_ns * 1e-9, snapshot.qpos))

    def save(self) -> None:
        """Write what was collected; the file appears complete or not at all."""
        rows = list(self._rows)
        if not rows:
            return
        widest = max(len(row[3]) for row in rows)
        qpos = np.full((len(rows), widest), np.nan)
        for i, row in enumerate(rows):
            qpos[i, : len(row[3])] = row[3]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial.npz")
        np.savez(
            partial,
            task=np.array([row[0] for row in rows]),
            seed=np.array([row[1] for row in rows]),
            stamp_s=np.array([row[2] for row in rows]),
            qpos=qpos,
        )
        os.replace(partial, self._path)


def load_trace(path: Path) -> list[Segment]:
    """The segments of a saved trace, in order.

    Raises:
        TraceError: no such file, or not a trace.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            task, seed, stamp_s, qpos = (file[key] for key in ("task", "seed", "stamp_s", "qpos"))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise TraceError(f"{path} is not a trace of the simulated world ({error}). sim_world writes one.") from error
    width = np.isfinite(qpos).sum(axis=1)
    changes = (task[1:] != task[:-1]) | (seed[1:] != seed[:-1])
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), len(task)]
    return [
        Segment(str(task[a]), int(seed[a]), stamp_s[a:b], qpos[a:b, : width[a]])
        for a, b in zip(bounds[:-1], bounds[1:], strict=True)
    ]


class MotionTrace:
    """Arm positions and targets after every tick, as JSON lines.

    Each line: `t` simulated time [s], `stamp` ROS time [s], `leaps` of the objects so far, and per side `q`,
    `target` [rad] and `command_t`, the simulated time of the last accepted command.

    Args:
        path: file to write; lines appear in batches through `flush`.
        arms: the arms' ports by side.
    """

    def __init__(self, path: Path, arms: Mapping[Side, Port]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = path.open("w")
        self._arms = arms
        self._waiting: deque[tuple[Snapshot, dict[Side, tuple[Array, float]]]] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Note the state; called by the physics thread."""
        commands = {side: (arm.target(), arm.last_command_s) for side, arm in self._arms.items()}
        self._waiting.append((snapshot, commands))

    def flush(self) -> None:
        """Write what was noted; called by one other thread."""
        while self._waiting:
            snapshot, commands = self._waiting.popleft()
            line: dict[str, object] = {
                "t": round(snapshot.sim_time_s, 4), "stamp": snapshot.stamp_ns * 1e-9, "leaps": snapshot.leaps,
            }  # fmt: skip
            for side in SIDES:
                target, command_s = commands[side]
                q = snapshot.world.arm(side).q_in(snapshot.qpos)
                line[side] = {
                    "q": np.round(q, 6).tolist(),
                    "target": np.round(target, 6).tolist(),
                    "command_t": round(command_s, 4),
                }
            self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Write the rest and close."""
        if not self._file.closed:
            self.flush()
            self._file.close()
