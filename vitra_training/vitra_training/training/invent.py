"""Data out of nothing, in every format that a preset may ask for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from vitra_training.baselines.egodex import write_egodex
from vitra_training.baselines.gripper import write_gripper_data
from vitra_training.synthetic.generate import SyntheticOptions, generate
from vitra_training.synthetic.robot_demos import generate_robot_demos
from vitra_training.training.config import Synthetic


def invent(what: Synthetic, root: Path, episodes: int, workers: int) -> None:
    """Write a synthetic data set; it appears at `root` when it is complete."""
    makers: dict[Synthetic, Callable[[Path, SyntheticOptions], object]] = {
        Synthetic.HUMAN: generate,
        Synthetic.ROBOT: generate_robot_demos,
        Synthetic.EGODEX: write_egodex,
        Synthetic.GRIPPER: write_gripper_data,
    }
    partial = root.with_name(f".{root.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    makers[what](partial, SyntheticOptions(episodes=episodes, workers=max(workers, 1)))
    partial.rename(root)
