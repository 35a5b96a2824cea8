"""Before a session: write a plan, check it, see how many trials it needs; and judge two counts in a line."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.markup import escape

from vitra_evaluation.commands.screen import console
from vitra_evaluation.errors import NoPlanError, PlanError, SessionError
from vitra_evaluation.plan.file import read_plan
from vitra_evaluation.plan.plan import Plan, Robot
from vitra_evaluation.plan.scene import check_scene
from vitra_evaluation.plan.template import TEMPLATE
from vitra_evaluation.session.files import write_durably
from vitra_evaluation.session.trial_setup import Setup
from vitra_evaluation.stats.independent_power import MOST_TRIALS
from vitra_evaluation.stats.intervals import CountError, check_counts
from vitra_evaluation.stats.power import POWER, check_level, check_pairs, power_table, smallest_difference
from vitra_evaluation.stats.verdict import compare_counts
from vitra_policy.errors import UnknownNameError, VitraError
from vitra_policy.policies.registry import create_policy, policy_names

_COUNT = re.compile(r"(\d{1,30})/(\d{1,30})")


@dataclass(frozen=True)
class Init:
    """Write a plan with every key explained, ready to be filled in."""

    out: tyro.conf.Positional[Path] = Path("plan.yaml")
    """File to write; an existing one is left alone."""


@dataclass(frozen=True)
class CheckPlan:
    """Check a plan as `run` does, and show how long it takes and what it can show; nothing moves."""

    plan: tyro.conf.Positional[Path]
    """The plan: a YAML file, or the name of a shipped one (demo, baselines_sim, table2_sim, table2_real)."""


@dataclass(frozen=True)
class Power:
    """How many trials show which difference: every policy tries every start state once (paired test)."""

    baseline: float = 0.7
    """Success rate of the weaker policy, as you expect it."""
    trials: int | None = None
    """Trials of each policy that you can afford: shows the smallest difference they reveal."""
    power: float = POWER
    """How often a difference that is there shall be seen."""
    alpha: float = 0.05
    """How often two equal policies may be called different."""


@dataclass(frozen=True)
class Compare:
    """Are 17/20 and 14/20 different? For counts of independent trials, e.g. of a paper."""

    first: tyro.conf.Positional[str]
    """Successes/trials of one policy, e.g. 17/20."""
    second: tyro.conf.Positional[str]
    """Successes/trials of the other, e.g. 14/20."""
    alpha: float = 0.05
    """How often two equal policies may be called different."""


def init(command: Init) -> int:
    """Write the template.

    Raises:
        SessionError: there is a file already.
    """
    if command.out.exists():
        raise SessionError(f"{command.out} is there already; name another file.")
    command.out.parent.mkdir(parents=True, exist_ok=True)
    write_durably(command.out, TEMPLATE)
    console.print(f"{command.out} is written. Fill it in, then: vitra-eval plan {command.out}")
    return 0


def check_plan(command: CheckPlan) -> int:
    """Check and describe a plan."""
    describe(load_plan(command.plan))
    return 0


def power(command: Power) -> int:
    """Show what numbers of trials can show.

    Raises:
        CountError: a number that is no rate, level or number of trials.
    """
    check_level("power", command.power)
    check_level("alpha", command.alpha)
    percent = f"{100 * command.power:.0f} %"
    if command.trials is not None:
        check_pairs(command.trials)
        found = smallest_difference(command.trials, command.baseline, command.power, command.alpha)
        says = "no difference at all" if found is None else f"differences of {100 * found:.0f} points and more"
        console.print(
            f"{command.trials} trials of each policy, rates near {command.baseline:g}: they show {says} with {percent}."
        )
        return 0
    table = power_table(command.baseline, np.arange(0.05, 0.55, 0.05), command.power, command.alpha)
    if not table:
        raise CountError(f"Beside {command.baseline:g} nothing is 5 points better; give a --baseline of 0.95 at most.")
    console.print(
        f"Trials of each policy that show a difference with {percent} (level {command.alpha:g}, paired test):"
    )
    for difference, pairs in table:
        rates = f"{100 * command.baseline:.0f} % and {100 * (command.baseline + difference):.0f} %"
        console.print(f"  {rates}: {pairs if pairs is not None else 'more than 2000'}")
    return 0


def compare(command: Compare) -> int:
    """Judge two counts in one line.

    Raises:
        CountError: no counts, or no level.
    """
    check_level("alpha", command.alpha)
    verdict, needed = compare_counts(read_count(command.first), read_count(command.second), command.alpha)
    console.print(verdict.sentence())
    if not verdict.is_shown and needed is not None:
        console.print(f"If the rates are these, {needed} trials of each would show it ({100 * POWER:.0f} %).")
    return 0


def read_count(text: str) -> tuple[int, int]:
    """Successes and trials of "17/20".

    Raises:
        CountError: something else, or impossible.
    """
    match = _COUNT.fullmatch(text.strip())
    if match is None:
        raise CountError(f"'{text}' is no count; one looks like 17/20.")
    k, n = int(match[1]), int(match[2])
    check_counts(k, n)
    if n > MOST_TRIALS:
        raise CountError(f"{n} trials are too many for an exact test; allowed: at most {MOST_TRIALS}.")
    return k, n


def load_plan(path: Path) -> Plan:
    """A plan that `run` takes: from a file, or a shipped one by name; read, in reach, its policies creatable.

    Raises:
        PlanError: what is wrong with it, line by line.
    """
    path = plan_path(path)
    plan = read_plan(path, policy_names())
    problems: list[tuple[int, str]] = []
    for check in (check_scene, check_policies):
        try:
            check(plan, path)
        except PlanError as error:
            problems += error.problems
    if problems:
        raise PlanError(path, problems)
    return plan


def check_policies(plan: Plan, path: Path) -> None:
    """Create every policy, without loading it: options, checkpoints and packages are there.

    Raises:
        PlanError: each that cannot be created.
    """
    problems = []
    for spec in plan.policies:
        try:
            create_policy(spec.policy, dict(spec.options)).close()
        except (VitraError, ValueError, OSError) as error:
            problems.append((spec.line, f"policy '{spec.name}' cannot be made: {error}"))
    if problems:
        raise PlanError(path, problems)


def check_setup(plan: Plan, setup: Setup) -> None:
    """Refuse what does not go together, before anything exists.

    Raises:
        SessionError: why not.
    """
    if setup.is_lockstep and plan.robot is not Robot.SIM:
        raise SessionError("--graph lockstep simulates; the plan is for the real robot.")


def check_camera(plan: Plan, setup: Setup) -> None:
    """Refuse a simulation without camera where a policy looks at it: once locked, no `resume` could give it one.

    Raises:
        SessionError: which policies look.
    """
    if not setup.is_lockstep or setup.render:
        return
    looking = []
    for spec in plan.policies:
        with contextlib.closing(create_policy(spec.policy, dict(spec.options))) as policy:  # created, not loaded
            if policy.metadata.needs_image:
                looking.append(spec.name)
    if looking:
        raise SessionError(f"Policies of this plan look at the head camera ({', '.join(looking)}): give --render.")


def plan_path(path: Path) -> Path:
    """The file of a plan.

    Raises:
        NoPlanError: no such file.
        UnknownNameError: no file, and no shipped plan of that name.
    """
    is_file = path.suffix in (".yaml", ".yml")
    if is_file and path.exists():
        return path
    from ament_index_python.packages import get_package_share_directory

    shipped = {
        p.stem: p for p in sorted((Path(get_package_share_directory("vitra_evaluation")) / "plans").glob("*.yaml"))
    }
    if is_file:
        raise NoPlanError(path, list(shipped))
    if path.name not in shipped:
        raise UnknownNameError("plan", str(path), shipped, "Or give the path of a .yaml file.")
    return shipped[path.name]


def describe(plan: Plan) -> None:
    """What a plan asks for, and what it can show."""
    console.print(f"[bold]{escape(plan.name)}[/bold] ({plan.robot}): {', '.join(p.name for p in plan.policies)}")
    for cell in plan.cells:
        console.print(f"  {cell.key}: {cell.trials} trials for each of {len(plan.policies)} policies")
    hours = plan.longest_s / 3600
    console.print(
        f"{plan.trials} trials; {hours:.1f} h if every one takes its {plan.time_limit_s:g} s + {plan.reset_s:g} s"
    )
    if len(plan.policies) > 1:
        blocks, pairs = sum(cell.trials for cell in plan.cells), plan.declared_pairs
        alpha = plan.comparisons.alpha / len(pairs)
        found = smallest_difference(blocks, 0.7, alpha=alpha)
        says = "no difference" if found is None else f"a difference of {100 * found:.0f} points"
        console.print(
            f"declared comparisons: {', '.join(f'{a} - {b}' for a, b in pairs)}; {blocks} blocks show {says} around "
            f"70 % with {100 * POWER:.0f} %"
        )
