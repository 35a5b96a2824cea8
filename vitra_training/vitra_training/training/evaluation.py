"""Held-out evaluation: denoise chunks of unseen episodes, compare with what was done, draw the errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vitra_policy.action_space import ACTION_DIM, HAND, SIDES, Hands
from vitra_policy.statistics import Statistics
from vitra_training.datasets.samples.motion import EmbodimentKind
from vitra_training.training.batch import TrainBatch
from vitra_training.training.blind import BlindBound
from vitra_training.training.distributed import Team
from vitra_training.training.network import Sampling, valid_components
from vitra_training.training.open_loop import ErrorSums


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Iterable[TrainBatch],
    statistics: Mapping[str, Statistics],
    team: Team,
    sampling: Sampling | None = None,
    blind: BlindBound | None = None,
) -> dict[str, Any]:
    """Open-loop errors over the batches of each process, equally many; every process must call it.

    Args:
        model: a `TrainingNetwork`, alone or shared.
        batches: held-out batches without augmentation.
        statistics: by data set name, to turn network numbers into metres and radians.
        team: the processes.
        sampling: how actions are denoised.
        blind: the denoiser that sees nothing, for comparison.
    """
    was_training = model.training
    model.eval()
    sums: dict[str, ErrorSums] = {}
    losses = {name: torch.zeros(2, device=team.device) for name in ("loss", *_SHUFFLES, "loss_blind")}
    for batch in batches:
        on_device = batch.to(team.device)
        share = valid_components(on_device, 0).float()
        losses["loss"] += torch.stack([model(on_device)[0] * share, share])
        for name, shuffle in _SHUFFLES.items():
            losses[name] += torch.stack([model(shuffle(on_device))[0] * share, share])
        if blind is not None:
            losses["loss_blind"] += _blind_loss(blind, batch).to(team.device)
        actions, _ = model(on_device, sampling or Sampling())
        for name in ("", *_OF_SEVERAL):
            sums.setdefault(name, ErrorSums(actions.shape[2]))
        _add(sums, batch, actions, statistics)
    model.train(was_training)
    if not sums:
        return {}
    for part in sums.values():
        for values in (*part.sums.values(), part.counts):
            # float32 where the device has no float64
            values[:] = team.sum(torch.as_tensor(values, dtype=torch.float32, device=team.device)).cpu().numpy()
    totals = {name: team.sum(value) for name, value in losses.items()}
    found = {name: float(value[0] / value[1]) for name, value in totals.items() if value[1] > 0}
    summary = sums[""].summary()
    for name in _OF_SEVERAL:
        summary["mean"][f"wrist_mm_{name}"] = sums[name].summary()["mean"]["wrist_mm"]
    return {"samples_per_chunk": actions.shape[0], **found, **summary}


def _roll(batch: TrainBatch, *names: str) -> TrainBatch:
    """The batch with each example's neighbour's values in some fields."""
    return replace(batch, **{name: getattr(batch, name).roll(1, 0) for name in names})


_SHUFFLES: dict[str, Callable[[TrainBatch], TrainBatch]] = {
    "loss_other_images": lambda batch: _roll(batch, "pixels", "fov_rad"),
    "loss_other_words": lambda batch: _roll(batch, "text_ids", "text_valid"),
}
_OF_SEVERAL = ("mean", "best")
"""Mean of several sampled chunks, and the one of them nearest to what was done."""


def _blind_loss(blind: BlindBound, batch: TrainBatch) -> torch.Tensor:
    """Loss of the blind denoiser times its weight, and the weight."""
    total, weight = 0.0, 0
    for robot in (False, True):
        rows = (batch.is_robot == robot).numpy()
        actions, mask = batch.actions.numpy()[rows], batch.action_mask.numpy()[rows]
        value = blind.judge(actions, mask, robot) if rows.any() else None
        if value is not None:
            total, weight = total + value * int(rows.sum()), weight + int(rows.sum())
    return torch.tensor([total, float(weight)])


def _add(
    sums: Mapping[str, ErrorSums], batch: TrainBatch, actions: torch.Tensor, statistics: Mapping[str, Statistics]
) -> None:
    """Include sampled chunks (R, B, steps, action_dim)."""
    predicted, actual = actions.float().cpu().numpy(), batch.actions.numpy()
    mask, robots = batch.action_mask.numpy()[..., :ACTION_DIM], batch.is_robot.tolist()
    for row, key in enumerate(batch.keys):
        moments = statistics[key.dataset]
        hands = Hands(**{side: bool(mask[row][:, HAND[side]].any()) for side in SIDES})
        truth = moments.denormalise_action(actual[row], hands)
        chunks = moments.denormalise_action(predicted[:, row], hands)
        kind: EmbodimentKind = "robot" if robots[row] else "human"
        apart = []
        for chunk in chunks:
            one = ErrorSums(len(truth))
            one.add(chunk, truth, mask[row], kind)
            apart.append(one.sums["wrist_mm"].sum())
        middle = moments.denormalise_action(predicted[:, row].mean(axis=0), hands)
        for name, chunk in (("", chunks[0]), ("mean", middle), ("best", chunks[int(np.argmin(apart))])):
            sums[name].add(chunk, truth, mask[row], kind)


def write_evaluation(result: dict[str, Any], folder: Path, name: str, fps: float = 30.0) -> tuple[Path, Path]:
    """Write the result as JSON and as a plot of error over horizon; returns both paths.

    Args:
        result: Figures.
        folder: Where to.
        name: Of the files.
        fps: Steps a second.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    figure = Figure(figsize=(10.5, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    titles = (("wrist_mm", "wrist position [mm]"), ("wrist_deg", "wrist rotation [deg]"), ("joint_deg", "joints [deg]"))
    for axes, (measure, title) in zip(figure.subplots(1, 3), titles, strict=True):
        curve = result["per_step"][measure]
        time_ms = [1e3 * (step + 1) / fps for step in range(len(curve))]
        axes.plot(time_ms, curve, label="policy")
        if f"{measure}_still" in result["per_step"]:
            axes.plot(time_ms, result["per_step"][f"{measure}_still"], "--", color="grey", label="standing still")
            axes.legend(frameon=False)
        axes.set(title=title, xlabel="horizon [ms]", ylim=(0, None))
    plot = folder / f"{name}.png"
    figure.savefig(plot, dpi=120)
    return path, plot
