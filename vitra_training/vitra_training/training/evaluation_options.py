"""What `vitra-train evaluate` is told; apart from the evaluation, which loads the network's libraries."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from vitra_training.training.config import DataConfig


@dataclass(frozen=True)
class EvaluationOptions:
    """Which checkpoint is evaluated on what."""

    checkpoint: Annotated[Path, tyro.conf.Positional]
    """Checkpoint directory."""
    out: Path = Path("runs/evaluation")
    """Folder for evaluation.json and evaluation.png."""
    samples: int = 256
    """Chunks to predict."""
    steps: int = 10
    """DDIM steps."""
    guidance: float = 5.0
    """Classifier-free guidance scale."""
    batch_size: int = 16
    """Chunks at once."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto, cpu or cuda."""
    data: DataConfig = field(default_factory=lambda: DataConfig(holdout=0.0, workers=1))
    """What is evaluated on; with a holdout, only the episodes kept from training."""
