"""The order of all trials: drawn once from the plan's seed, then locked by its hash.

A block is one setting (cell, object, layout) in which every policy meets the same start state back to back. Blocks come
in random order. Which policy is first in a block, and which alias it has there, comes from the seal's secret: an
evaluator who knows plan and seed still cannot tell. Every policy has every place in the block equally often, in each
cell and over all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vitra_evaluation.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class Slot:
    """One trial to be made.

    Attributes:
        index: Position in the session, from 0.
        block: Block it belongs to, from 0.
        cell: Index of the plan's cell.
        trial: Number of the trial within its cell, from 0.
        task: Name of the task.
        condition: Condition of the cell.
        thing: Name of the object.
        layout: Name of the layout.
        alias: What the policy is called here; drawn anew for every block.
        seed: Of the simulated start state; the same for all policies of the block, and of no other block.
    """

    index: int
    block: int
    cell: int
    trial: int
    task: str
    condition: str
    thing: str
    layout: str
    alias: str
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """All slots, in order, with the hash they are locked by."""

    slots: tuple[Slot, ...]
    plan_sha256: str
    seal_sha256: str

    @property
    def sha256(self) -> str:
        """Hash of the whole schedule, of the plan and of the seal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Canonical text."""
        body = {
            "plan_sha256": self.plan_sha256,
            "seal_sha256": self.seal_sha256,
            "slots": [asdict(slot) for slot in self.slots],
        }
        return json.dumps(body, sort_keys=True, indent=1) + "\n"

    @staticmethod
    def from_json(text: str) -> Schedule:
        """Inverse of `to_json`."""
        body: dict[str, Any] = json.loads(text)
        return Schedule(tuple(Slot(**slot) for slot in body["slots"]), body["plan_sha256"], body["seal_sha256"])


def plan_hash(plan: Plan) -> str:
    """Hash of the plan's file."""
    return hashlib.sha256(plan.text.encode()).hexdigest()


def draw_schedule(plan: Plan, secret: str, seal_sha256: str = "") -> tuple[Schedule, dict[str, str]]:
    """Draw order and aliases.

    Args:
        plan: what to try.
        secret: of the seal.
        seal_sha256: commitment to the seal, becomes part of the schedule.

    Returns:
        the schedule, and the name of the policy behind each alias.
    """
    settings = plan.settings()
    order = np.random.default_rng(plan.seed).permutation(len(settings))
    hidden = np.random.default_rng(list(hashlib.sha256(f"{plan.seed}:{secret}".encode()).digest()))
    turns = _turns([cell.trials for cell in plan.cells], len(plan.policies), hidden)
    slots: list[Slot] = []
    names: dict[str, str] = {}
    for block, chosen in enumerate(order):
        s = settings[int(chosen)]
        spec = plan.cells[s.cell]
        for position, policy in enumerate(turns[int(chosen)]):
            alias = f"{block + 1:03d}{chr(ord('A') + position)}"
            names[alias] = plan.policies[policy].name
            where = (spec.task, str(spec.condition), s.thing, s.layout)
            slots.append(Slot(len(slots), block, s.cell, s.trial, *where, alias, s.seed))
    return Schedule(tuple(slots), plan_hash(plan), seal_sha256), names


def _turns(cells: Sequence[int], policies: int, rng: np.random.Generator) -> list[list[int]]:
    """Order of the policies in each block, cell by cell: every policy in every place equally often.

    Whole Latin squares as long as a cell has blocks for them; what is left over shares squares with the other cells.
    """
    rest: list[list[int]] = []
    found: list[list[int]] = []
    for blocks in cells:
        mine: list[list[int]] = []
        while blocks - len(mine) >= policies:
            mine += _latin_square(policies, rng)
        while len(mine) < blocks:
            rest = rest or _latin_square(policies, rng)
            mine.append(rest.pop())
        rng.shuffle(mine)
        found += mine
    return found


def _latin_square(size: int, rng: np.random.Generator) -> list[list[int]]:
    """Rows in which every number has every place once; rows and names in random order."""
    names, shifts = rng.permutation(size), rng.permutation(size)
    return [[int(names[(i + shift) % size]) for i in range(size)] for shift in shifts]


def swapped(schedule: Schedule, names: Mapping[str, str]) -> dict[str, int]:
    """How often each policy comes first in its block (a fairness figure for the report)."""
    counts = dict.fromkeys(sorted(set(names.values())), 0)
    for slot in schedule.slots:
        if slot.alias.endswith("A"):
            counts[names[slot.alias]] += 1
    return counts
