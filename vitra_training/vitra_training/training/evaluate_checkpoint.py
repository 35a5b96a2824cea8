"""Evaluating a finished checkpoint on any data set, outside of a training run."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import torch

from vitra_policy.checkpoint.store import open_checkpoint
from vitra_policy.command_options import check_whole_numbers
from vitra_training.datasets.samples.loader import Loader, LoaderOptions
from vitra_training.datasets.samples.sample import SampleOptions
from vitra_training.datasets.samples.stream import SampleStream, TrainingSet
from vitra_training.training.config import LossConfig, RunConfig
from vitra_training.training.data import demand_kind, held_out_episodes, kind_of, open_path
from vitra_training.training.distributed import join_team
from vitra_training.training.errors import TrainingConfigError
from vitra_training.training.evaluation import evaluate, write_evaluation
from vitra_training.training.evaluation_options import EvaluationOptions
from vitra_training.training.examples import Examples
from vitra_training.training.feed import feed
from vitra_training.training.network import Sampling, TrainingNetwork
from vitra_training.training.trainer import Collate


def evaluate_checkpoint(options: EvaluationOptions) -> tuple[dict[str, Any], Path]:
    """Open-loop errors and the plot of them; the data are normalised with the checkpoint's own statistics.

    Raises:
        TrainingConfigError: no data, or a checkpoint without statistics.
        VitraError: checkpoint or data cannot be read.
    """
    check_whole_numbers(options, {"samples": 1, "batch_size": 1, "steps": 1})
    check_whole_numbers(options.data, {"workers": 0, "prefetch": 1})
    checkpoint = open_checkpoint(options.checkpoint)
    statistics = checkpoint.statistics
    if statistics is None:
        raise TrainingConfigError(f"{options.checkpoint} has no statistics.json, so its actions mean nothing.")
    if not options.data.paths:
        raise TrainingConfigError("--data.paths: name the data to evaluate on.")
    team = join_team(RunConfig(device=options.device))
    plain = SampleOptions(steps=checkpoint.config.expert.steps, augment=False)
    sets = []
    for number, path in enumerate(options.data.paths):
        source = open_path(path, options.data)
        rows = source.frame_index()
        if options.data.holdout:
            rows = rows[held_out_episodes(source.ids, options.data.holdout)[rows[:, 0]]]
        demand_kind(statistics, kind_of(source))
        sets.append(TrainingSet(f"{number}:{path.name}", source, statistics, 1.0, plain, rows))
    loss = LossConfig(repeats=1)
    examples: Any = Examples(SampleStream(sets, seed=0), checkpoint.config, loss, 0, checkpoint.tokenizer_file)
    loader = Loader(
        examples,
        LoaderOptions(options.batch_size, options.data.workers, options.data.prefetch, team.rank, team.world_size),
        collate=Collate(checkpoint.config.tokenizer.pad_id),  # type: ignore[arg-type]
    )
    model = TrainingNetwork(checkpoint.load_model(dtype=torch.float32), loss).to(team.device).eval()
    batches = -(-options.samples // (options.batch_size * team.world_size))
    by_set = {part.name: statistics for part in sets}
    result = evaluate(model, islice(feed(loader), batches), by_set, team, Sampling(options.steps, options.guidance))
    result = {
        "checkpoint": str(options.checkpoint),
        "samples": batches * options.batch_size * team.world_size,
        **result,
    }
    _, plot = write_evaluation(result, options.out, "evaluation")
    return result, plot
