"""Learning rates as a pure function of the global step, so that a resumed run cannot start them again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vitra_training.training.config import OptimizerConfig


@dataclass(frozen=True, slots=True)
class Rates:
    """Learning rates of one optimizer step."""

    backbone: float
    """0 while the backbone is frozen."""
    expert: float
    backbone_frozen: bool
    """The backbone's gradients are discarded: neither its weights nor its Adam moments move."""


def rates_at(step: int, total_steps: int, config: OptimizerConfig) -> Rates:
    """Learning rates of optimizer step `step` (0 is the first) of `total_steps`.

    The backbone is frozen in steps 0 .. backbone_freeze_steps - 1 (docs/model.md: Training), then warms up anew.

    Args:
        step: Number from 0.
        total_steps: Of the run.
        config: Highest rates and warm-up.
    """
    frozen = step < config.backbone_freeze_steps
    course = _course(step, total_steps, config)
    expert = config.lr_expert * course * _warmup(step, config.warmup_steps)
    thawed = step - config.backbone_freeze_steps
    backbone = 0.0 if frozen else config.lr_backbone * course * _warmup(thawed, config.warmup_steps)
    return Rates(backbone, expert, frozen)


def _warmup(steps_done: int, warmup_steps: int) -> float:
    return min(1.0, (steps_done + 1) / (warmup_steps + 1))


def _course(step: int, total_steps: int, config: OptimizerConfig) -> float:
    if config.shape == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * min(step / max(total_steps, 1), 1.0)))
