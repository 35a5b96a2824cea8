"""How an episode of an evaluation went."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from vitra_policy.places import is_piece
from vitra_sim.tasks.ground_truth import SceneTruth
from vitra_sim.tasks.tasks import Goal

_TAKEN_M = 0.03
_TOUCHED_M = 0.015


class Failure(StrEnum):
    """How an episode went wrong."""

    NONE = ""
    LOST = "left the table"
    WRONG = "took the other object"
    MISSED = "did not touch the object"
    PUSHED = "moved the object, did not lift it"
    DROPPED = "lifted it, put it elsewhere"
    UNDONE = "lifted it, did not pour, sweep or hold"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One episode.

    Attributes:
        cell: Its cell.
        scene: Family or task.
        seed: Of the scene.
        success: Whether the judge was satisfied.
        named: The object that the instruction names.
        taken: The object that was lifted first; "" for none.
        failure: How it went wrong.
        sim_s: Simulated length [s].
        chunks: How many chunks the policy gave.
    """

    cell: str
    scene: str
    seed: int
    success: bool
    named: str
    taken: str
    failure: Failure
    sim_s: float
    chunks: int


def lifted(start: SceneTruth, now: SceneTruth) -> str:
    """Name of an object that is above where it stood; "" for none. Neither the box, which is last, nor pieces count."""
    for name, before, after in zip(start.names[:-1], start.poses, now.poses, strict=False):
        if not is_piece(name) and after[2, 3] - before[2, 3] > _TAKEN_M:
            return name
    return ""


def failure_of(
    start: SceneTruth, end: SceneTruth, named: str, taken: str, reason: str, goal: Goal = Goal.IN_BOX
) -> Failure:
    """Why an episode failed, from where things are in the end.

    Args:
        start: Where things were.
        end: Where they are.
        named: Object of the instruction.
        taken: Object the hand took; empty: none.
        reason: Why the episode ended.
        goal: What was to be done.
    """
    if reason:
        return Failure.LOST
    if taken and taken != named:
        return Failure.WRONG
    if taken:
        return Failure.DROPPED if goal is Goal.IN_BOX else Failure.UNDONE
    index = start.names.index(named)
    moved_m = float(np.linalg.norm(end.poses[index][:2, 3] - start.poses[index][:2, 3]))
    return Failure.PUSHED if moved_m > _TOUCHED_M else Failure.MISSED
