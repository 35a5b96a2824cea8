"""From settings to a finished run: the parts put together."""

from __future__ import annotations

import dataclasses
import json
from enum import Enum
from pathlib import Path
from typing import Any

import torch

from vitra_training.datasets.survey import Share
from vitra_training.training.checkpoints import CheckpointFolder, read_progress
from vitra_training.training.config import TrainConfig, resume_differences
from vitra_training.training.data import TrainingData, open_training_data, synthesize_if_asked
from vitra_training.training.distributed import Team, join_team
from vitra_training.training.errors import ResumeMismatchError
from vitra_training.training.initial import build
from vitra_training.training.latent_data import with_latents
from vitra_training.training.metrics_logger import MetricsLogger
from vitra_training.training.sharded_start import initial_weights, starts_sharded
from vitra_training.training.stopping import stop_on_signals
from vitra_training.training.trainer import CHECKPOINTS, Trainer

_CACHE, _SETTINGS, _REPORT = "statistics", "settings.json", "data_report.json"


def train(config: TrainConfig) -> int:
    """Run, or go on with, a training run; returns the process's exit code (128 + signal when stopped by one).

    Raises:
        VitraError: a subclass names what is wrong and what to do.
    """
    team = join_team(config.run)
    config.check(team.world_size)
    settings = settings_of(config)
    torch.manual_seed(config.run.seed)
    folder = CheckpointFolder(config.directory / CHECKPOINTS, config.run.keep)
    newest = folder.latest() if config.run.resume == "auto" else None
    shares = newest is None and starts_sharded(config, team)
    vitra, tokenizer = build(config.model, config.loss, config.run.seed, empty=newest is not None or shares)
    if config.run.resume == "never" and folder.latest():
        raise ResumeMismatchError(config.directory, ["--run.resume is never, but it holds checkpoints"])
    with team.in_turn():
        if team.leads:
            synthesize_if_asked(config.data, _say_if(team))
            folder.clean()
    steps, cache = vitra.config.expert.steps, config.run.out / _CACHE
    data = open_training_data(
        config.data, config.run.seed, steps, cache, _say_if(team), Share(team.rank, team.world_size)
    )
    if config.data.latents:
        with team.in_turn():
            data = with_latents(data, config, team.device)
    if newest:
        _check_same_run(config.directory, newest, settings, data)
    trainer = Trainer(config, settings, vitra, tokenizer, data, team)
    if newest:
        trainer.restore(newest)
    if shares:
        with initial_weights(config, team) as weights:
            trainer.begin_with(weights)
    if team.leads:
        config.directory.mkdir(parents=True, exist_ok=True)
        (config.directory / _SETTINGS).write_text(json.dumps(settings, indent=1) + "\n")
    with (
        stop_on_signals() as stop,
        MetricsLogger(config.directory, config.run, settings, trainer.step, silent=not team.leads) as journal,
    ):
        journal.say(_opening(trainer, data))
        try:
            trainer.run(journal, stop)
        finally:
            if team.leads:
                _report(trainer, journal)
        if stop.signal:
            journal.say(f"stopped by {stop.signal.name} after step {trainer.step}, which is saved; run again to go on")
        else:
            journal.say(f"done: {folder.root / 'latest'}")
    return stop.exit_code


def settings_of(config: TrainConfig) -> dict[str, Any]:
    """Settings as plain JSON values."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=_plain))
    return values


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return str(value)


def _check_same_run(directory: Path, checkpoint: Path, settings: dict[str, Any], data: TrainingData) -> None:
    progress = read_progress(checkpoint)
    differences = resume_differences(progress.settings, settings)
    if progress.data != data.content:
        differences.append("the data or their statistics have other contents")
    if differences:
        raise ResumeMismatchError(directory, differences)


def _opening(trainer: Trainer, data: TrainingData) -> str:
    trained = sum(p.numel() for p in trainer.parameters.values() if p.requires_grad)
    every = sum(p.numel() for p in trainer.parameters.values())
    frames = ", ".join(
        f"{part.name} {share:.0%}" for part, share in zip(data.train.sets, data.train.schedule.shares, strict=True)
    )
    return (
        f"{trained / 1e6:.1f} of {every / 1e6:.1f} M parameters, {data.train.frames} frames ({frames}), "
        f"{trainer.team.world_size} x {trainer.team.device.type}, step {trainer.step} of {trainer.config.run.steps}"
    )


def _report(trainer: Trainer, journal: MetricsLogger) -> None:
    """What of the data was used and what had to be left out, for the file and for the person."""
    if not trainer.report:
        return
    path = trainer.config.directory / _REPORT
    path.write_text(json.dumps(trainer.report, indent=1) + "\n")
    for name, episodes in trainer.report["left_out"].items():
        first = next(iter(episodes.items()), None)
        if first:
            journal.say(f"{len(episodes)} episodes of {name} left out, for example {first[0]}: {first[1]}")
    for item in trainer.report["replaced"]:
        journal.say(f"{item['count']} samples of {item['dataset']} replaced ({item['cause']}): {item['example']}")


def _say_if(team: Team) -> Any:
    from rich.console import Console

    console = Console(stderr=True, quiet=not team.leads)
    return lambda line: console.print(line, highlight=False, soft_wrap=True)
