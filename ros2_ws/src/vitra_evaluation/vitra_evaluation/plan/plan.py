"""What a session consists of: policies, tasks, objects, layouts and cells; frozen once read."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Robot(StrEnum):
    """Where the trials take place."""

    SIM = "sim"
    REAL = "real"


class Condition(StrEnum):
    """What the policy has not seen in training (columns of the paper's Table II)."""

    SEEN = "seen"
    UNSEEN_OBJECT_BACKGROUND = "unseen_object_background"
    UNSEEN_CATEGORY = "unseen_category"


class Latency(StrEnum):
    """Whether policies answer at their own pace, or all by one fixed schedule that is slow enough for each."""

    EQUAL = "equal"
    OWN = "own"


DEFAULT_MILESTONES = ("reached", "grasped", "lifted", "placed")
DEFAULT_FAILURE_CODES = (
    "no_motion", "missed_grasp", "dropped", "wrong_object", "collision", "wrong_place", "time_limit", "stopped",
    "object_lost", "other",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """One policy under test.

    Attributes:
        name: How the report calls it.
        policy: Name in the policy registry.
        options: Its options, as strings.
        line: Where the plan has it.
    """

    name: str
    policy: str
    options: tuple[tuple[str, str], ...] = ()
    line: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """One object: its words in the instruction, and the simulator's task that has it (robot: sim)."""

    name: str
    words: str
    sim_task: str = ""


@dataclass(frozen=True, slots=True)
class LayoutSpec:
    """One start state, the same for every policy.

    Attributes:
        name: Its name.
        seed: Of the simulator's layout (robot: sim).
        point_m: Where the object is grasped, in base_link (robot: real).
        image: Reference image for the reset; empty: the first image taken of this layout.
        note: For the person who sets it up.
    """

    name: str
    seed: int = 0
    point_m: tuple[float, float, float] | None = None
    image: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task; `{object}` in the instruction stands for the object's words."""

    name: str
    side: str
    instruction: str
    milestones: tuple[str, ...] = DEFAULT_MILESTONES


@dataclass(frozen=True, slots=True)
class CellSpec:
    """Trials of every policy at one task under one condition."""

    task: str
    condition: Condition
    objects: tuple[str, ...]
    layouts: tuple[str, ...]
    trials: int
    line: int = field(default=0, compare=False)

    @property
    def key(self) -> str:
        """Its name in the report."""
        return f"{self.task} / {self.condition}"

    def setting(self, trial: int) -> tuple[str, str]:
        """(object, layout) of the trial-th trial; all objects take turns, then the next layout comes."""
        objects, layouts = len(self.objects), len(self.layouts)
        return self.objects[trial % objects], self.layouts[(trial // objects) % layouts]


@dataclass(frozen=True, slots=True)
class SequentialSpec:
    """Pre-declared stopping of a comparison of two policies."""

    alpha: float = 0.05


@dataclass(frozen=True, slots=True)
class ComparisonsSpec:
    """What is compared, declared before the first trial; everything else in a report is exploratory.

    Attributes:
        pairs: Policies compared with each other; empty: every pair.
        alpha: Highest probability of calling any two equal policies different, over all pairs together.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    alpha: float = 0.05


@dataclass(frozen=True, slots=True)
class Setting:
    """One start state: what a block of trials has in common.

    Attributes:
        cell: Index of the plan's cell.
        trial: Number of the trial within its cell, from 0.
        thing: Name of the object.
        layout: Name of the layout.
        seed: Of the simulator's start state; a layout that comes again gets another one every time.
    """

    cell: int
    trial: int
    thing: str
    layout: str
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole session, checked.

    Attributes:
        name: Title of the session.
        robot: Simulated or real.
        seed: Of the order of trials.
        time_limit_s: Longest trial.
        reset_s: Expected time between trials.
        calibration: Mounting of the robot.
        blind: Hide which policy runs until the report.
        latency: Whether answers come at an equal pace.
        policies: At least one.
        tasks: By order in the file.
        objects: By order in the file.
        layouts: By order in the file.
        cells: What is tried how often.
        failure_codes: What a failed trial may be labelled with.
        sequential: Declared stopping, or None.
        comparisons: What is compared.
        answer_s: Fixed answer time (latency: equal); None: measured when the policies are warmed up.
        text: The file, for its hash and the report.
    """

    name: str
    robot: Robot
    seed: int
    time_limit_s: float
    reset_s: float
    calibration: str
    blind: bool
    latency: Latency
    policies: tuple[PolicySpec, ...]
    tasks: tuple[TaskSpec, ...]
    objects: tuple[ObjectSpec, ...]
    layouts: tuple[LayoutSpec, ...]
    cells: tuple[CellSpec, ...]
    failure_codes: tuple[str, ...] = DEFAULT_FAILURE_CODES
    sequential: SequentialSpec | None = None
    comparisons: ComparisonsSpec = ComparisonsSpec()
    answer_s: float | None = None
    text: str = field(default="", repr=False)

    def task(self, name: str) -> TaskSpec:
        """The task of that name (the plan is checked: it exists)."""
        return next(t for t in self.tasks if t.name == name)

    def object(self, name: str) -> ObjectSpec:
        """The object of that name."""
        return next(o for o in self.objects if o.name == name)

    def layout(self, name: str) -> LayoutSpec:
        """The layout of that name."""
        return next(x for x in self.layouts if x.name == name)

    def instruction(self, task: str, thing: str) -> str:
        """The sentence the policy gets."""
        return self.task(task).instruction.replace("{object}", self.object(thing).words)

    def settings(self) -> list[Setting]:
        """Start states of all blocks, cell by cell; in simulation no two are the same."""
        seen: Counter[tuple[str, str]] = Counter()
        found = []
        for index, cell in enumerate(self.cells):
            for trial in range(cell.trials):
                thing, layout = cell.setting(trial)
                seed = start_seed(self.layout(layout).seed, seen[thing, layout])
                seen[thing, layout] += 1
                found.append(Setting(index, trial, thing, layout, seed))
        return found

    @property
    def declared_pairs(self) -> tuple[tuple[str, str], ...]:
        """Pairs of policies whose comparison was declared."""
        names = [policy.name for policy in self.policies]
        return self.comparisons.pairs or tuple(itertools.combinations(names, 2))

    @property
    def trials(self) -> int:
        """Trials of all policies together."""
        return len(self.policies) * sum(cell.trials for cell in self.cells)

    @property
    def longest_s(self) -> float:
        """Duration if every trial takes its whole time, without reruns."""
        return self.trials * (self.time_limit_s + self.reset_s)


def start_seed(seed: int, repeat: int) -> int:
    """Seed of a layout's start state the first time (its own), the second, and so on."""
    if repeat == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}:{repeat}".encode()).digest()[:4])
