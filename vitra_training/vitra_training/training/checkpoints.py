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
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from vitra_policy.checkpoint.store import Provenance, save_weights
from vitra_policy.checkpoint.stream import TensorSpec
from vitra_policy.model.config import VitraConfig
from vitra_policy.statistics import Statistics
from vitra_training.training.errors import BrokenTrainingStateError

LATEST = "latest"
_PREFIX, _PARTIAL = "step-", ".partial"
_STATE, _OPTIMIZER, _WEIGHTS = "training/state.json", "training/optimizer.safetensors", "training/weights.safetensors"
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
class TrainingState:
    """Everything but the progress, as whole tensors on the CPU."""

    weights: Mapping[str, Tensor]
    """Raw weights by parameter name."""
    average: Mapping[str, Tensor]
    """Their moving average; empty without one."""
    optimizer: Mapping[str, Tensor]
    """`exp_avg/NAME`, `exp_avg_sq/NAME`, `step/NAME`."""


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
        """Write a checkpoint, move it into place when it is complete, and remove what is too old."""
        target = self.root / f"{_PREFIX}{progress.step:08d}"
        partial = self.root / f".{target.name}{_PARTIAL}"
        policy = state.average or state.weights
        save_weights(
            partial,
            parts.config,
            [TensorSpec(name, tuple(tensor.shape)) for name, tensor in policy.items()],
            lambda names: {name: policy[name] for name in names},
            statistics=parts.statistics,
            tokenizer_file=parts.tokenizer_file,
            provenance=Provenance("vitra-train", training={"step": progress.step, **progress.settings}),
            overwrite=True,
        )
        (partial / "training").mkdir()
        save_file(dict(state.optimizer), partial / _OPTIMIZER)
        if state.average:
            save_file(dict(state.weights), partial / _WEIGHTS)
        (partial / _STATE).write_text(json.dumps({"version": _VERSION, **asdict(progress)}, indent=1) + "\n")
        for path in (partial / "training").iterdir():
            _flush(path)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
        _flush(self.root)
        self._point_latest_to(target)
        self._tidy()
        return target

    def load(self, checkpoint: Path) -> tuple[Progress, TrainingState]:
        """Read a checkpoint back.

        Raises:
            BrokenTrainingStateError: a file is missing or damaged.
        """
        try:
            values = json.loads((checkpoint / _STATE).read_text())
            if values.pop("version") != _VERSION:
                raise ValueError(f"state.json is of another version than {_VERSION}")
            progress = Progress(**values)
            policy: dict[str, Tensor] = {}
            for file in sorted(checkpoint.glob("model*.safetensors")):
                policy |= load_file(file)
            averaged = (checkpoint / _WEIGHTS).is_file()
            weights = load_file(checkpoint / _WEIGHTS) if averaged else policy
            return progress, TrainingState(weights, policy if averaged else {}, load_file(checkpoint / _OPTIMIZER))
        except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
            raise BrokenTrainingStateError(checkpoint, error) from error

    def clean(self) -> None:
        """Remove what a killed process left half-written."""
        for path in self.root.glob(f".*{_PARTIAL}"):
            shutil.rmtree(path, ignore_errors=True)

    def _all(self) -> list[Path]:
        return sorted(path for path in self.root.glob(f"{_PREFIX}*") if (path / _STATE).is_file())

    def _point_latest_to(self, target: Path) -> None:
        link = self.root / f".{LATEST}"
        link.unlink(missing_ok=True)
        link.symlink_to(target.name)
        link.replace(self.root / LATEST)

    def _tidy(self) -> None:
        for path in self._all()[: -self._keep] if self._keep else []:
            shutil.rmtree(path)


def _flush(path: Path) -> None:
    """Make sure a file or a folder's entries are on the disk, not only in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
