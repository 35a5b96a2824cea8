"""Weights of earlier runs that a run starts with: what one has learned to see, and how another acts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vitra_policy.checkpoint.store import open_checkpoint
from vitra_policy.errors import VitraError
from vitra_training.imitation.learner import Learner

Scale = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Mean and deviation (NUMBERS,) by which places are counted."""


class EarlierRunError(VitraError):
    """The run to start from is not there, or of another network."""


def take_seeing(learner: Learner, run: Path) -> Scale:
    """Start with all that an earlier run has learned; returns the scale by which its places are counted.

    Args:
        learner: Gets the weights.
        run: Folder that the run was given as `--out`.

    Raises:
        EarlierRunError: there is no such run, or its network or words are others.
    """
    path = run / "state.pt"
    if not path.is_file():
        raise EarlierRunError(
            f"No run to start from in {run}: expected {path}. Give the --out folder of an earlier run."
        )
    saved = torch.load(path, weights_only=True, map_location="cpu")
    try:
        learner.load_state_dict(saved["learner"])
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise EarlierRunError(
            f"The run in {run} is of another network, or its data name other colours and kinds: {first}"
        ) from error
    mean, std = saved["places"].numpy()
    return mean, std


def take_acting(learner: Learner, checkpoint: Path, own: Scale) -> None:
    """Start with an earlier run's action expert, which counts places by another scale.

    Args:
        learner: Gets the weights.
        checkpoint: Folder of the earlier run's checkpoint.
        own: Scale of the places from now on.

    Raises:
        CheckpointError: no such checkpoint.
    """
    stored = open_checkpoint(checkpoint)
    known, said = stored.load_model().float().state_dict(), stored.provenance.training
    mean, std = (torch.tensor(said[f"places_{what}"], dtype=torch.float32) for what in ("mean", "std"))
    own_mean, own_std = (torch.from_numpy(x) for x in own)
    weight = known["places.into.weight"]
    known["places.into.bias"] += weight @ ((own_mean - mean) / std)
    known["places.into.weight"] = weight * (own_std / std)
    acting = set(learner.acting())
    taken = {f"vitra.{name}": value for name, value in known.items() if f"vitra.{name}" in acting}
    learner.load_state_dict(taken, strict=False)
