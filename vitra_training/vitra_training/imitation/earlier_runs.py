"""Weights of earlier runs that a run starts with: what one has learned to see, and how another acts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vitra_policy.checkpoint.store import open_checkpoint
from vitra_policy.errors import VitraError
from vitra_policy.places import NUMBERS
from vitra_training.imitation.learner import TOWER, Learner

Scale = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Mean and deviation (NUMBERS,) by which places are counted."""


class EarlierRunError(VitraError):
    """The run to start from is not there, or of another network."""


def read_run(learner: Learner, run: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Load the weights of a run that was begun, and return all that it has kept.

    Args:
        learner: Gets the weights.
        run: Folder that the run was given as `--out`.
        device: Where what it has kept is put.

    Raises:
        EarlierRunError: there is no such run, or its network, words or tower are others.
    """
    path = run / "state.pt"
    if not path.is_file():
        raise EarlierRunError(
            f"No run to start from in {run}: expected {path}. Give the --out folder of an earlier run."
        )
    saved: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
    came = {name: weight.detach().clone() for name, weight in learner.state_dict().items() if name.startswith(TOWER)}
    try:
        learner.load_state_dict(saved["learner"])
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise EarlierRunError(
            f"The run in {run} is of another network, or its data name other colours and kinds: {first}"
        ) from error
    now = learner.state_dict()
    if not learner.tower_learns and any(not torch.equal(weight, now[name]) for name, weight in came.items()):
        raise EarlierRunError(
            f"The run in {run} has another image tower than the features: go on from it with --tower learns."
        )
    return saved


def take_seeing(learner: Learner, run: Path) -> Scale:
    """Start with all that an earlier run has learned; returns the scale by which its places are counted.

    Args:
        learner: Gets the weights.
        run: Folder that the run was given as `--out`.

    Raises:
        EarlierRunError: see `read_run`.
    """
    mean, std = read_run(learner, run)["places"].numpy()
    return mean, std


def scale_of(checkpoint: Path, training: Mapping[str, Any]) -> Scale:
    """The scale by which a checkpoint says that it counts places.

    Args:
        checkpoint: Its folder.
        training: What it says of its training.

    Raises:
        EarlierRunError: it says none, or of other numbers than these.
    """
    if "places_mean" not in training:
        raise EarlierRunError(f"{checkpoint} says no places: it is not of vitra_training.imitation.train.")
    mean, std = (np.array(training[f"places_{what}"], dtype=np.float32) for what in ("mean", "std"))
    if mean.shape != (NUMBERS,) or std.shape != (NUMBERS,):
        raise EarlierRunError(
            f"{checkpoint} says places in {len(mean)} numbers, which are {NUMBERS} by now: train it anew."
        )
    return mean, std


def take_acting(learner: Learner, checkpoint: Path, own: Scale) -> None:
    """Start with an earlier run's action expert, which counts places by another scale.

    Args:
        learner: Gets the weights.
        checkpoint: Folder of the earlier run's checkpoint.
        own: Scale of the places from now on.

    Raises:
        CheckpointError: no such checkpoint.
        EarlierRunError: its places or its action expert are others.
    """
    stored = open_checkpoint(checkpoint)
    mean, std = (torch.from_numpy(x) for x in scale_of(checkpoint, stored.provenance.training))
    known = stored.load_model().float().state_dict()
    own_mean, own_std = (torch.from_numpy(x) for x in own)
    weight = known["places.into.weight"]
    known["places.into.bias"] += weight @ ((own_mean - mean) / std)
    known["places.into.weight"] = weight * (own_std / std)
    acting = set(learner.acting())
    taken = {f"vitra.{name}": value for name, value in known.items() if f"vitra.{name}" in acting}
    try:
        learner.load_state_dict(taken, strict=False)
    except RuntimeError as error:
        raise EarlierRunError(
            f"{checkpoint} has another action expert: {str(error).splitlines()[1].strip()}"
        ) from error
