"""A network and settings so small that a training step takes milliseconds; also a program that trains them and dies.

As a program: `python tiny.py DATA OUT NAME [--die-at STEP] [--sharding S]...`, so that tests can kill a real process.
"""

from __future__ import annotations

import argparse
import os
import signal
from dataclasses import replace
from pathlib import Path

from vitra_policy.model import config as network
from vitra_policy.model.config import ExpertConfig, LanguageConfig, VisionConfig, VitraConfig
from vitra_training.training.config import (
    DataConfig,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    RunConfig,
    TrainConfig,
)

TINY = VitraConfig(
    name="tiny",
    vision=VisionConfig(image_size=28, width=16, layers=1, heads=2, mlp_width=32),
    language=LanguageConfig(
        vocabulary=264, width=24, layers=2, heads=2, kv_heads=1, head_dim=8, mlp_width=48, query_scalar=8.0
    ),
    expert=ExpertConfig(width=32, layers=1, heads=2),
    tokenizer=network.PRESETS["mini"].tokenizer,
)


def install() -> None:
    """Make the tiny network known as preset `tiny`."""
    network.PRESETS["tiny"] = TINY


def settings(data: Path, out: Path, name: str, **run: object) -> TrainConfig:
    """A run of twelve steps with everything switched on."""
    base = RunConfig(
        name=name,
        out=out,
        steps=12,
        batch_size=4,
        precision="fp32",
        device="cpu",
        save_every=4,
        log_every=1,
        evaluate_samples=0,
        tensorboard=False,
        ema_decay=0.9,
    )
    return TrainConfig(
        config="tiny",
        data=DataConfig(paths=(data,), holdout=0.3, workers=0, statistics_frames=2),
        model=ModelConfig(preset="tiny"),
        optimizer=OptimizerConfig(lr_backbone=5e-4, lr_expert=2e-3, backbone_freeze_steps=2, shape="cosine"),
        loss=LossConfig(repeats=2, max_prefix=3),
        run=replace(base, **run),  # type: ignore[arg-type]
    )


def die_at(step: int, number: signal.Signals) -> None:
    """Send this process a signal as soon as a step is recorded."""
    from vitra_training.training.metrics_logger import MetricsLogger

    record = MetricsLogger.record

    def record_and_die(self: MetricsLogger, at: int, values: dict[str, float]) -> None:
        record(self, at, values)
        if at == step:
            os.kill(os.getpid(), number)

    MetricsLogger.record = record_and_die  # type: ignore[method-assign, assignment]


def _main() -> None:
    import torch

    from vitra_training.training.run import train

    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--die-at", type=int)
    parser.add_argument("--sharding", nargs="*", default=["auto"])
    parser.add_argument("--precision", nargs="*", default=["fp32"])
    given = parser.parse_args()
    torch.set_num_threads(1)
    install()
    if given.die_at:
        die_at(given.die_at, signal.SIGKILL)
    for name, sharding, precision in zip(given.names, given.sharding, given.precision, strict=True):
        train(settings(given.data, given.out, name, sharding=sharding, precision=precision))


if __name__ == "__main__":
    _main()
