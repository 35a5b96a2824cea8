"""Run a policy in lockstep simulation and report how often it succeeds, and how fast the simulation is.

python -m vitra_sim.rollout --policy expert --episodes 100
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vitra_description.calibration import calibration_path, load_calibration
from vitra_policy.command_errors import print_error
from vitra_policy.command_options import check_numbers, check_positive, check_whole_numbers
from vitra_policy.errors import VitraError
from vitra_policy.policies.policy import Policy
from vitra_policy.policies.registry import create_policy, parse_options
from vitra_sim.lockstep.env import EnvSettings, VitraSimEnv
from vitra_sim.scene.families import check_scene_name
from vitra_sim.tasks.tasks import DEFAULT_TASK, TASKS

console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Args:
    """Run episodes of a policy in lockstep simulation."""

    policy: str = "expert"
    """Policy by name (vitra_policy.policies.registry)."""
    policy_option: tuple[str, ...] = ()
    """Options of the policy as key=value, repeatable."""
    task: str = DEFAULT_TASK
    """Task or scene family by name; 'all' runs the tasks in turn."""
    episodes: int = 100
    """How many episodes."""
    seed: int = 0
    """Seed of the first start state; episode i uses seed + i."""
    render: bool = False
    """Render the head camera for the policy (424x240); off, observations carry no image."""
    executed_steps: int = 4
    """Steps of a chunk that are executed before the next observation."""
    time_limit_s: float = 30.0
    """Simulated time after which an episode has failed."""
    calibration: str = "sim"
    """Calibration by name or path: the mounting of the robot and its kind of hands. The expert needs the same one:
    --policy-option calibration=..."""
    out: Path = Path("runs/rollout.json")
    """Where the report goes."""


class NoImageError(VitraError):
    """A policy that looks would get nothing to see."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Outcome of one episode; times in seconds; `held`: times the arms were held before they would meet something."""

    task: str
    seed: int
    success: bool
    reason: str
    sim_s: float
    wall_s: float
    cpu_s: float
    held: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """Outcome of all episodes.

    Attributes:
        policy: Its name.
        episodes: How many.
        successes: How many of them succeeded.
        success_rate: Their share.
        episode_s: Mean simulated length of an episode [s].
        real_time_factor: Simulated time over CPU time: how much faster than real time on one core.
        real_time_factor_wall: Simulated time over wall clock time, on this machine with what else ran on it.
        rendered: Whether images were rendered.
        episodes_held: In how many of them the arms were held before they would meet something.
        outcomes: Every episode.
    """

    policy: str
    episodes: int
    successes: int
    success_rate: float
    episode_s: float
    real_time_factor: float
    real_time_factor_wall: float
    rendered: bool
    episodes_held: int
    outcomes: tuple[Episode, ...] = field(repr=False)


def run_episode(env: VitraSimEnv, policy: Policy, task: str, seed: int) -> Episode:
    """One episode from reset to success, failure or the time limit.

    Args:
        env: The simulation.
        policy: Who drives the robot.
        task: Name of the task.
        seed: Of the start state.
    """
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    policy.reset()
    observation, _ = env.reset(seed=seed, options={"task": task})
    terminated = truncated = False
    info = {"success": False, "reason": ""}
    while not (terminated or truncated):
        observation, _, terminated, truncated, info = env.step(policy.infer(observation), observation)
    reason = str(info["reason"]) or ("" if info["success"] else "time limit")
    return Episode(
        task=task,
        seed=seed,
        success=bool(info["success"]),
        reason=reason,
        sim_s=round(env.world.time_s, 3),
        wall_s=round(time.perf_counter() - wall_s, 3),
        cpu_s=round(time.process_time() - cpu_s, 3),
        held=env.chain.generator.holds,
    )


def summarize(policy: str, outcomes: list[Episode], rendered: bool) -> Report:
    """The report over at least one episode.

    Args:
        policy: Its name.
        outcomes: One of each episode.
        rendered: Whether images were drawn, which costs time.
    """
    sim_s = float(np.sum([e.sim_s for e in outcomes]))
    successes = sum(e.success for e in outcomes)
    return Report(
        policy=policy,
        episodes=len(outcomes),
        successes=successes,
        success_rate=successes / len(outcomes),
        episode_s=round(sim_s / len(outcomes), 2),
        real_time_factor=round(sim_s / max(float(np.sum([e.cpu_s for e in outcomes])), 1e-9), 2),
        real_time_factor_wall=round(sim_s / max(float(np.sum([e.wall_s for e in outcomes])), 1e-9), 2),
        rendered=rendered,
        episodes_held=sum(e.held > 0 for e in outcomes),
        outcomes=tuple(outcomes),
    )


def run(args: Args) -> Report:
    """Run all episodes, showing progress, and write the report.

    Raises:
        VitraError: unknown task or policy, or the policy cannot answer.
    """
    check_numbers(args)
    check_whole_numbers(args, {"episodes": 1, "seed": 0, "executed_steps": 1})
    check_positive(args, "time_limit_s")
    if args.task != "all":
        check_scene_name(args.task)
    tasks = sorted(TASKS) if args.task == "all" else [args.task]
    policy = create_policy(args.policy, parse_options(args.policy_option))
    if policy.metadata.needs_image and not args.render:
        policy.close()
        raise NoImageError(f"Policy '{args.policy}' needs images, which are not drawn: add --render.")
    env = VitraSimEnv(
        tasks[0],
        calibration=load_calibration(calibration_path(args.calibration)),
        settings=EnvSettings(
            executed_steps=args.executed_steps,
            image_size=(424, 240) if args.render else None,
            time_limit_s=args.time_limit_s,
        ),
    )
    outcomes: list[Episode] = []
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        policy.warm_up()
        with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
            bar = progress.add_task("", total=args.episodes)
            for i in range(args.episodes):
                outcomes.append(run_episode(env, policy, tasks[i % len(tasks)], args.seed + i))
                placed = sum(e.success for e in outcomes)
                progress.update(bar, advance=1, description=f"{placed} of {len(outcomes)} succeeded")
    finally:
        policy.close()
        env.close()
    report = summarize(args.policy, outcomes, args.render)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(asdict(report), indent=2) + "\n")
    return report


def main() -> int:
    """Entry point; 0 when at least 95 % succeeded."""
    args = tyro.cli(Args, prog="python -m vitra_sim.rollout", description=__doc__)
    try:
        report = run(args)
    except VitraError as error:
        print_error(console, "rollout", error)
        return 2
    except KeyboardInterrupt:
        return 130
    for episode in report.outcomes:
        if not episode.success:
            console.print(f"[yellow]failed[/yellow] {episode.task} seed {episode.seed}: {episode.reason}")
    console.print(
        f"[bold]{report.successes} of {report.episodes}[/bold] succeeded; {report.episode_s} s per episode; "
        f"{report.real_time_factor} x real time per core ({report.real_time_factor_wall} x by the wall clock)"
        f"{', images rendered' if report.rendered else ''}; held before a collision in {report.episodes_held}. "
        f"Report: {args.out}"
    )
    return 0 if report.success_rate >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
