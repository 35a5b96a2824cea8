"""A fresh start of sharded processes: only the leader makes the whole network; each takes its share from a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from vitra_policy.checkpoint.stream import TensorSpec, write_weights
from vitra_policy.model.vla import Vitra
from vitra_training.training.checkpoints import mapped_tensors
from vitra_training.training.config import TrainConfig
from vitra_training.training.distributed import Team
from vitra_training.training.errors import DiskFullError, is_full
from vitra_training.training.initial import build

_FOLDER, _STEM = ".initial", "weights"


def starts_sharded(config: TrainConfig, team: Team) -> bool:
    """Whether each process holds a part of the network only, so that none but the leader may make it whole."""
    return team.world_size > 1 and config.run.sharding != "replicate"


@contextmanager
def initial_weights(config: TrainConfig, team: Team) -> Iterator[dict[str, torch.Tensor]]:
    """Weights that the run begins with by parameter name, mapped from files that are gone afterwards.

    Every process must enter and leave.

    Raises:
        DiskFullError: there is no room for them (four bytes a parameter).
        VitraError: a checkpoint to begin with is missing or damaged.
    """
    folder = config.directory / _FOLDER
    with team.in_turn():
        if team.leads:
            _write(folder, config)
    try:
        yield mapped_tensors(folder, _STEM)
        team.wait()
    finally:
        if team.leads:
            shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, config: TrainConfig) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    vitra: Vitra = build(config.model, config.loss, config.run.seed)[0]
    tensors = {name: parameter.detach() for name, parameter in vitra.named_parameters()}
    specs = [TensorSpec(name, tuple(tensor.shape)) for name, tensor in tensors.items()]
    folder.mkdir(parents=True)
    try:
        write_weights(folder, specs, lambda names: {n: tensors[n] for n in names}, torch.float32, stem=_STEM)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        if not is_full(error):
            raise
        raise DiskFullError(folder, 0, None) from error
