"""The expert in lockstep over chunk rates, speed limits and inference delays: success, lag, distance from its path.

python -m vitra_sim.lockstep.grid --out docs/benchmarks/lockstep_grid.md
"""

from __future__ import annotations

import itertools
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from vitra_control.path_meter import PathMeter
from vitra_control.settings import GeneratorSettings
from vitra_policy.policies.policy import Policy
from vitra_policy.policies.registry import create_policy
from vitra_sim.lockstep.env import EnvSettings, VitraSimEnv
from vitra_sim.rollout import run_episode
from vitra_sim.tasks.tasks import DEFAULT_TASK, get_task

console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Args:
    """Run the expert in every cell of a grid and write a table."""

    chunk_hz: tuple[float, ...] = (2.0, 5.0, 10.0, 30.0)
    """Chunks per second."""
    speed: tuple[float, ...] = (0.3, 1.0, 1.8)
    """Speed limits of the executor, in planning speeds of 45 deg/s."""
    delay_s: tuple[float, ...] = (0.0, 0.15, 0.3)
    """Times from observation to the chunk's arrival."""
    task: str = DEFAULT_TASK
    """Task by name."""
    episodes: int = 2
    """Episodes per cell; episode i uses seed i."""
    time_limit_s: float = 60.0
    """Simulated time after which an episode has failed."""
    out: Path = Path("docs/benchmarks/lockstep_grid.md")
    """Where the table goes."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of one cell; distances leave out places where inverse kinematics named a limit."""

    chunk_hz: float
    speed: float
    delay_s: float
    successes: int
    episodes: int
    episode_s: float
    lag_s: float
    distance_mm: float
    rotation_deg: float
    reseeds: int


def run_cell(args: Args, policy: Policy, chunk_hz: float, speed: float, delay_s: float) -> Cell:
    """All episodes of one cell.

    Args:
        args: The command's options.
        policy: What drives the robot.
        chunk_hz: Chunks a second.
        speed: Limit of the executor, in planning speeds of 45 deg/s.
        delay_s: From observation to the moment a chunk is there.
    """
    settings = EnvSettings(
        time_limit_s=args.time_limit_s,
        latency_s=delay_s,
        executor=GeneratorSettings(speed=speed),
        chunk_period_s=1 / chunk_hz,
    )
    meter = PathMeter(get_task(args.task).side)
    env = VitraSimEnv(args.task, settings, on_tick=lambda _: meter.look(env.chain.generator))
    successes, reseeds, times_s, lags_s = 0, 0, [], []
    for seed in range(args.episodes):
        episode = run_episode(env, policy, args.task, seed)
        successes, reseeds = successes + episode.success, reseeds + env.chain.generator.reseeds
        times_s.append(episode.sim_s)
        lags_s.append(env.chain.generator.lag_s)
    env.close()
    return Cell(
        chunk_hz, speed, delay_s, successes, args.episodes, float(np.mean(times_s)), float(np.mean(lags_s)),
        meter.distance_m * 1e3, float(np.rad2deg(meter.rotation_rad)), reseeds,
    )  # fmt: skip


def table(heading: str, about: str, cells: list[Cell]) -> str:
    """The page of a grid, of lockstep or of the graph.

    Args:
        heading: Its title.
        about: What was run, and how.
        cells: What came of it.
    """
    lines = [
        f"# {heading}",
        "",
        f"{about} Lag: how much later than by the clock the path was travelled, summed over the episode (limits of the "
        "joints). Distance and rotation: largest of any setpoint's wrist from the planned path.",
        "",
        f"`{shlex.join(['python', '-m', *sys.orig_argv[2:]])}`, {time.strftime('%Y-%m-%d')}",
        "",
        "| chunks/s | speed | delay s | success | episode s | lag s | distance mm | rotation deg | restarts |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {c.chunk_hz:g} | {c.speed:g} | {c.delay_s:g} | {c.successes}/{c.episodes} | {c.episode_s:.1f} | "
        f"{c.lag_s:.2f} | {c.distance_mm:.2f} | {c.rotation_deg:.2f} | {c.reseeds} |"
        for c in cells
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Entry point; 0 if every episode succeeded within 2 mm and 0.5 deg of its path."""
    args = tyro.cli(Args, prog="python -m vitra_sim.lockstep.grid", description=__doc__)
    policy = create_policy("expert")
    policy.warm_up()
    grid = list(itertools.product(args.chunk_hz, args.speed, args.delay_s))
    cells: list[Cell] = []
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = (
        f"Scripted expert, task `{args.task}`, the nodes' own retargeting and executor on the simulation's clock; "
        f"{args.episodes} episodes a cell."
    )
    for cell in track(grid, console=console, description="cells"):
        cells.append(run_cell(args, policy, *cell))
        args.out.write_text(table("Lockstep grid", about, cells))
    console.print(f"[bold]{sum(c.successes for c in cells)} of {sum(c.episodes for c in cells)}[/bold], see {args.out}")
    kept = all(c.successes == c.episodes and c.distance_mm <= 2.0 and c.rotation_deg <= 0.5 for c in cells)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
