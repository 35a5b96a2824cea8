"""How far off a trained network sees the named object, on demonstrations of your choice.

python -m vitra_training.imitation.places runs/imitation/checkpoint runs/unseen_stills --out runs/imitation/places.json
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from rich.console import Console

from vitra_policy.checkpoint.store import open_checkpoint
from vitra_policy.command_errors import print_error
from vitra_policy.errors import VitraError
from vitra_policy.model.vla import Vitra
from vitra_policy.places import GEOMETRY, TURN
from vitra_training.imitation.batches import Batches
from vitra_training.imitation.earlier_runs import Scale, scale_of
from vitra_training.imitation.learner import as_pixels
from vitra_training.imitation.table import Looks, load_looks, statistics_of

console = Console(stderr=True, highlight=False)
_WRONG_OBJECT_M = 0.06
_BATCH = 64


@dataclass(frozen=True)
class Args:
    """Median errors of the named object and the box, with quartiles and the share that is on another object."""

    checkpoint: tyro.conf.Positional[Path]
    """Folder that `vitra_training.imitation.train` wrote."""
    demonstrations: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of demonstrations, with features unless the tower learned; not of scenes that it learned from."""
    out: Path | None = None
    """JSON file for the figures."""


@torch.inference_mode()
def errors_m(vitra: Vitra, scale: Scale, looks: Looks) -> NDArray[np.float64]:
    """Distances (N, len(GEOMETRY)) of the places in GEOMETRY from the truth [m], as the keypoint tokens say them.

    Args:
        vitra: Trained network.
        scale: By which it counts places.
        looks: N of them.
    """
    batches, (mean, std) = Batches(looks, statistics_of(looks, "judged"), 1), scale
    parts = []
    for start in range(0, len(looks), _BATCH):
        indices = np.arange(start, min(start + _BATCH, len(looks)))
        seen = batches.seeing(indices)
        tower = seen.seen if not looks.are_images else vitra.vision(as_pixels(seen.seen))
        tokens = vitra.image_features(tower, vitra.language.embedding(seen.text), seen.text != 0)
        error = vitra.places_of_tokens(tokens).numpy() * std + mean - looks.geometry[indices]
        parts.append(np.linalg.norm(error[:, : TURN.start].reshape(len(indices), len(GEOMETRY), 3), axis=-1))
    return np.concatenate(parts)


def summary(error_m: NDArray[np.float64]) -> dict[str, Any]:
    """Figures of errors (N, len(GEOMETRY)), in millimetres."""
    figures: dict[str, Any] = {"looks": len(error_m)}
    for index, what in enumerate(GEOMETRY):
        quartiles = np.quantile(error_m[:, index], (0.25, 0.5, 0.75)) * 1e3
        figures[f"{what}_median_mm"] = round(float(quartiles[1]), 1)
        figures[f"{what}_quartiles_mm"] = [round(float(q), 1) for q in quartiles[::2]]
    figures["another_object"] = round(float((error_m[:, 0] > _WRONG_OBJECT_M).mean()), 3)
    return figures


def run(args: Args) -> dict[str, Any]:
    """Figures over all looks.

    Raises:
        VitraError: no such checkpoint, or no demonstrations.
    """
    stored = open_checkpoint(args.checkpoint)
    said = stored.provenance.training
    scale = scale_of(args.checkpoint, said)
    vitra = stored.load_model().float().eval()
    looks = load_looks(args.demonstrations, stored.config, images=said.get("tower") == "learns")
    figures = summary(errors_m(vitra, scale, looks))
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(figures, indent=1) + "\n")
    return figures


def main() -> int:
    """Entry point."""
    args = tyro.cli(Args, prog="python -m vitra_training.imitation.places", description=__doc__)
    try:
        figures = run(args)
    except VitraError as error:
        print_error(console, "places", error)
        return 2
    console.print_json(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
