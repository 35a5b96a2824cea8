"""The segmentation stage: actions of each hand over a video, the other hand ignored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.engines.job import output_folder
from vitra_training.labeling.engines.stage import Inputs
from vitra_training.labeling.segmentation.cuts import SegmentationConfig, segment
from vitra_training.labeling.segmentation.plot import plot_speed
from vitra_training.labeling.world.stage import WorldHands, runs


@dataclass(frozen=True, slots=True)
class Action:
    """One atomic action of one hand."""

    side: Side
    start: int
    end: int
    """After its last frame."""


@dataclass(frozen=True, slots=True)
class Segments:
    """All actions of a video."""

    actions: tuple[Action, ...]
    speed_m_s: NDArray[np.float64]
    """(2, T) of each smoothed wrist; zero where the hand is not valid."""
    cuts: tuple[tuple[int, ...], ...]
    """Of each hand, inner cuts."""


def cut_actions(inputs: Inputs, config: SegmentationConfig) -> Segments:
    """Cut both hands' paths; draws `speed.png` beside the result."""
    world = load(WorldHands, inputs.one("world"))
    segments = segment_hands(world, config)
    plot_speed(segments, world, output_folder() / "speed.png")
    return segments


def segment_hands(world: WorldHands, config: SegmentationConfig) -> Segments:
    """Cut each unbroken stretch of each hand."""
    speed = np.zeros((2, len(world)))
    actions: list[Action] = []
    cuts: tuple[list[int], list[int]] = ([], [])
    for row, side in enumerate(SIDES):
        for start, end in _stretches(world, row):
            found = segment(world.world_from_wrist[row, start:end, :3, 3], world.fps, config)
            speed[row, start:end] = found.speed_m_s
            cuts[row].extend(start + t for t in found.cuts)
            least = round(config.shortest_s * world.fps)
            actions += [Action(side, start + a, start + b) for a, b in found.segments if b - a >= least]
    return Segments(tuple(actions), speed, (tuple(cuts[0]), tuple(cuts[1])))


def _stretches(world: WorldHands, row: int) -> list[tuple[int, int]]:
    """Where a hand is valid without a break, in one world."""
    found = []
    for start, end in runs(world.valid[row], 3):
        breaks = start + 1 + np.flatnonzero(np.diff(world.world_of[start:end]))
        bounds = [start, *breaks.tolist(), end]
        found += list(zip(bounds[:-1], bounds[1:], strict=True))
    return found
