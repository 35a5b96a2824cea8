"""Held-out evaluation: denoise chunks of unseen episodes, compare with what was done, draw the errors."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vitra_policy.action_space import ACTION_DIM, HAND, SIDES, Hands
from vitra_policy.statistics import Statistics
from vitra_training.training.batch import TrainBatch
from vitra_training.training.distributed import Team
from vitra_training.training.network import Sampling, valid_components
from vitra_training.training.open_loop import ErrorSums


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Iterable[TrainBatch],
    count: int,
    statistics: Mapping[str, Statistics],
    team: Team,
    sampling: Sampling | None = None,
) -> dict[str, Any]:
    """Open-loop errors over `count` batches per process; every process must call it.

    Args:
        model: a `TrainingNetwork`, alone or shared.
        batches: held-out batches without augmentation.
        count: how many of them.
        statistics: by data set name, to turn network numbers into metres and radians.
        team: the processes.
        sampling: how actions are denoised.
    """
    was_training = model.training
    model.eval()
    sums: ErrorSums | None = None
    losses = torch.zeros(2, device=team.device)
    for batch in itertools.islice(batches, count):
        on_device = batch.to(team.device)
        share = valid_components(on_device, 0).float()
        losses += torch.stack([model(on_device)[0] * share, share])
        actions, _ = model(on_device, sampling or Sampling())
        sums = sums or ErrorSums(actions.shape[1])
        _add(sums, batch, actions, statistics)
    model.train(was_training)
    if sums is None:
        return {}
    for values in (*sums.sums.values(), sums.counts):
        # float32 where the device has no float64
        values[:] = team.sum(torch.as_tensor(values, dtype=torch.float32, device=team.device)).cpu().numpy()
    total = team.sum(losses)
    return {"loss": float(total[0] / total[1].clamp(min=1)), **sums.summary()}


def _add(sums: ErrorSums, batch: TrainBatch, actions: torch.Tensor, statistics: Mapping[str, Statistics]) -> None:
    predicted, actual = actions.float().cpu().numpy(), batch.actions.numpy()
    mask, robots = batch.action_mask.numpy()[..., :ACTION_DIM], batch.is_robot.tolist()
    for row, key in enumerate(batch.keys):
        moments = statistics[key.dataset]
        hands = Hands(**{side: bool(mask[row][:, HAND[side]].any()) for side in SIDES})
        sums.add(
            moments.denormalise_action(predicted[row], hands),
            moments.denormalise_action(actual[row], hands),
            mask[row],
            "robot" if robots[row] else "human",
        )


def write_evaluation(result: dict[str, Any], folder: Path, name: str, fps: float = 30.0) -> tuple[Path, Path]:
    """Write the result as JSON and as a plot of error over horizon; returns both paths."""
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
