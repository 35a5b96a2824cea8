"""Data out of nothing, in every format that a preset may ask for."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from vitra_training.baselines.egodex import write_egodex
from vitra_training.baselines.gripper import write_gripper_data
from vitra_training.datasets.episode import HumanEpisode
from vitra_training.datasets.sources import open_source
from vitra_training.synthetic.generate import SyntheticOptions, generate
from vitra_training.synthetic.robot_demos import generate_robot_demos
from vitra_training.training.config import Synthetic

ANNOTATIONS = "annotations.json"
"""Coarse labels beside synthetic human episodes, for the granularity baseline."""


def synthesize(what: Synthetic, root: Path, episodes: int) -> None:
    """Write a synthetic data set; it appears at `root` when it is complete.

    Args:
        what: Human or robot.
        root: The new folder.
        episodes: How many.
    """
    makers: dict[Synthetic, Callable[[Path, SyntheticOptions], object]] = {
        Synthetic.HUMAN: _labelled_episodes,
        Synthetic.ROBOT: generate_robot_demos,
        Synthetic.EGODEX: write_egodex,
        Synthetic.GRIPPER: write_gripper_data,
    }
    partial = root.with_name(f".{root.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    makers[what](partial, SyntheticOptions(episodes=episodes, workers=len(os.sched_getaffinity(0))))
    partial.rename(root)


def _labelled_episodes(root: Path, options: SyntheticOptions) -> None:
    """Human episodes, and labels that start late and end early, as people who note the gist of a video would."""
    generate(root, options)
    source = open_source(root)
    labels: dict[str, list[dict[str, object]]] = {}
    for number in range(len(source)):
        episode = source.load(number).episode
        if isinstance(episode, HumanEpisode):
            first, length = int(episode.video_decode_frame[0]), len(episode)
            text: dict[str, object] = {side: windows[0].caption for side, windows in episode.text.items() if windows}
            window: dict[str, object] = {"start": first + length // 6, "end": first + length - length // 6, **text}
            labels.setdefault(episode.video_name, []).append(window)
    (root / ANNOTATIONS).write_text(json.dumps(labels, indent=1) + "\n")
