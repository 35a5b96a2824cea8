"""Training checkpoints: a policy checkpoint that the robot loads, with what resuming needs inside; whole or not at all.

runs/train/NAME/checkpoints/step-00001000/   what `vitra_policy.load_policy` opens
training/state.json                      step, place of the next sample, settings
training/optimizer.safetensors           Adam moments by parameter name
training/weights.safetensors             raw weights, where the policy gets their moving average
runs/train/NAME/checkpoints/latest           link to the newest
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vitra_policy.checkpoint.errors import CheckpointFileError
from vitra_policy.checkpoint.store import About, Provenance, WeightSource, open_checkpoint, save_weights
from vitra_policy.checkpoint.stream import TensorSpec, plan_shards, weight_files, write_weights
from vitra_policy.checkpoint.written_together import check_contents
from vitra_policy.model.config import VitraConfig
from vitra_policy.statistics import Statistics
from vitra_training.training.errors import BrokenTrainingStateError, DiskFullError, is_full

LATEST = "latest"
_PREFIX, _PARTIAL = "step-", ".partial"
_STATE, _OPTIMIZER, _WEIGHTS = "training/state.json", "optimizer", "weights"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands; with the settings and the data it determines everything that follows."""

    step: int
    """Optimizer steps done."""
    place: int
    """Place of the next global batch's first sample."""
    settings: dict[str, Any]
    """`TrainConfig` as JSON."""
    data: str
    """Content hash of the data and statistics."""


@dataclass(frozen=True, slots=True)
class PolicyParts:
    """What the robot needs besides weights."""

    config: VitraConfig
    statistics: Statistics
    tokenizer_file: Path | None


@dataclass(frozen=True, slots=True)
class TensorSet:
    """Named tensors that are fetched some at a time, since all of them together may not fit into one process."""

    specs: tuple[TensorSpec, ...] = ()
    read: Callable[[Sequence[str]], Mapping[str, Tensor]] = lambda names: {}
    """Whole tensors by name on the leader; sharded ones are put together, so every process must call it alike."""

    def follow(self) -> None:
        """What the other processes do while the leader writes."""
        for shard in plan_shards(self.specs, torch.float32):
            self.read([spec.name for spec in shard])


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Everything but the progress."""

    weights: TensorSet
    """Raw weights by parameter name."""
    average: TensorSet
    """Their moving average; empty without one."""
    optimizer: TensorSet
    """`exp_avg/NAME`, `exp_avg_sq/NAME`, `step/NAME`."""

    def follow(self) -> None:
        """What the other processes do while the leader saves."""
        for part in (self.average if self.average.specs else self.weights, self.optimizer):
            part.follow()
        if self.average.specs:
            self.weights.follow()


@dataclass(frozen=True, slots=True)
class StoredState:
    """The same, mapped from files: a process that takes slices of it reads those alone."""

    weights: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]


class CheckpointFolder:
    """The checkpoints of one run.

    Args:
        root: folder they lie in.
        keep: how many stay; 0 for all.
    """

    def __init__(self, root: Path, keep: int) -> None:
        self.root, self._keep = root, keep

    def latest(self) -> Path | None:
        """The newest complete checkpoint."""
        found = self._all()
        return found[-1] if found else None

    def save(self, progress: Progress, state: TrainingState, parts: PolicyParts) -> Path:
        """Write a checkpoint, move it into place when it is complete, and remove what is too old.

        Args:
            progress: Step and data position.
            state: Weights, averages, optimizer.
            parts: Configuration, statistics, tokenizer.

        Raises:
            DiskFullError: there is no room; what was written before stays as it is.
        """
        target = self.root / f"{_PREFIX}{progress.step:08d}"
        partial = self.root / f".{target.name}{_PARTIAL}"
        try:
            self._write(partial, progress, state, parts)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            if not is_full(error):
                raise
            raise DiskFullError(self.root, progress.step, self.latest()) from error
        if target.exists():
            _remove(target)
        partial.rename(target)
        _flush(self.root)
        self._point_latest_to(target)
        self._tidy()
        return target

    def _write(self, partial: Path, progress: Progress, state: TrainingState, parts: PolicyParts) -> None:
        policy = state.average if state.average.specs else state.weights
        save_weights(
            partial,
            parts.config,
            overwrite=True,
            about=About(
                statistics=parts.statistics,
                tokenizer_file=parts.tokenizer_file,
                provenance=Provenance("vitra-train", training={"step": progress.step, **progress.settings}),
            ),
            weights=WeightSource(specs=policy.specs, read=policy.read),
        )
        folder = partial / "training"
        folder.mkdir()
        write_weights(folder, state.optimizer.specs, state.optimizer.read, torch.float32, stem=_OPTIMIZER)
        if state.average.specs:
            write_weights(folder, state.weights.specs, state.weights.read, torch.float32, stem=_WEIGHTS)
        (partial / _STATE).write_text(json.dumps({"version": _VERSION, **asdict(progress)}, indent=1) + "\n")
        for path in folder.iterdir():
            _flush(path)

    def load(self, checkpoint: Path) -> tuple[Progress, StoredState]:
        """Read a checkpoint back, its tensors mapped from the files.

        Raises:
            BrokenTrainingStateError: a file is missing or damaged.
        """
        progress = read_progress(checkpoint)
        try:
            check_contents(weight_files(checkpoint), open_checkpoint(checkpoint).provenance.weights_sha256)
            policy, training = mapped_tensors(checkpoint, "model"), checkpoint / "training"
            averaged = bool(weight_files(training, _WEIGHTS))
            weights = mapped_tensors(training, _WEIGHTS) if averaged else policy
            return progress, StoredState(weights, policy if averaged else {}, mapped_tensors(training, _OPTIMIZER))
        except (OSError, ValueError, TypeError, KeyError, SafetensorError, CheckpointFileError, OverflowError) as error:
            raise BrokenTrainingStateError(checkpoint, error) from error

    def clean(self) -> None:
        """Remove what a killed process left half-written."""
        for path in self.root.glob(f".*{_PARTIAL}"):
            shutil.rmtree(path, ignore_errors=True)

    def _all(self) -> list[Path]:
        """By their steps; what somebody keeps here under a name of their own is none of the run's."""
        named = ((path.name.removeprefix(_PREFIX), path) for path in self.root.glob(f"{_PREFIX}*"))
        found = {int(step): path for step, path in named if step.isdecimal() and step == f"{int(step):08d}"}
        return [path for _, path in sorted(found.items()) if (path / _STATE).is_file()]

    def _point_latest_to(self, target: Path) -> None:
        link = self.root / f".{LATEST}"
        link.unlink(missing_ok=True)
        link.symlink_to(target.name)
        link.replace(self.root / LATEST)

    def _tidy(self) -> None:
        for path in self._all()[: -self._keep] if self._keep else []:
            _remove(path)


def _remove(checkpoint: Path) -> None:
    """Of one that somebody has moved to another disk, leaving a link, that link alone."""
    checkpoint.unlink() if checkpoint.is_symlink() else shutil.rmtree(checkpoint)


def read_progress(checkpoint: Path) -> Progress:
    """Where the run stood at a checkpoint.

    Raises:
        BrokenTrainingStateError: its state.json is missing or damaged.
    """
    try:
        values = json.loads((checkpoint / _STATE).read_text())
        if values.pop("version") != _VERSION:
            raise ValueError(f"state.json is of another version than {_VERSION}")
        progress = Progress(**values)
        for name, kind in (("step", int), ("place", int), ("settings", dict), ("data", str)):
            if not isinstance(getattr(progress, name), kind):
                raise ValueError(f"'{name}' of state.json is not of type {kind.__name__}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise BrokenTrainingStateError(checkpoint, error) from error
    return progress


def mapped_tensors(folder: Path, stem: str) -> dict[str, Tensor]:
    """Tensors of a file or of shards, mapped: their pages are read when they are touched.

    Args:
        folder: Where `STEM.safetensors` or its shards lie.
        stem: Their name.

    Raises:
        ValueError: there are none.
        SafetensorError: one of them is damaged.
    """
    files = weight_files(folder, stem)
    if not files:
        raise ValueError(f"there is no {stem}.safetensors")
    tensors: dict[str, Tensor] = {}
    for file in files:
        with safe_open(file, framework="pt") as opened:
            tensors |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    return tensors


def _flush(path: Path) -> None:
    """Make sure a file or a folder's entries are on the disk, not only in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
