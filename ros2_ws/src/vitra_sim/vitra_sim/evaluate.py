"""Judge a policy in lockstep simulation: success with intervals, whether words choose the object, where it fails.

python -m vitra_sim.evaluate --policy vitra --policy-option checkpoint=runs/imitation/checkpoint mode=fast

Every episode is written when it ends, so a run may be cut and started again; `--workers 2` shares the episodes out.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vitra_policy.child_processes import end_with_parent
from vitra_policy.command_errors import print_error
from vitra_policy.command_options import check_numbers, check_positive, check_whole_numbers
from vitra_policy.errors import UnknownNameError, VitraError, disk_words
from vitra_policy.policies.policy import Policy
from vitra_policy.policies.registry import create_policy, parse_options
from vitra_policy.policies.rtc import AnchoredChunk, Delay, committed_prefix
from vitra_sim.evaluation_report import write_report
from vitra_sim.lockstep.env import EnvSettings, VitraSimEnv
from vitra_sim.outcome import Failure, Outcome, failure_of, lifted
from vitra_sim.suites import Cell, ShownImage, get_suite
from vitra_sim.tasks.ground_truth import scene_truth

console = Console(stderr=True, highlight=False)
_STRIP_LOOKS = 6
_BATCH = 10  # episodes that a process takes at a time, at most


@dataclass(frozen=True)
class Args:
    """Judge a policy in lockstep simulation, by the physics of the world."""

    suite: str = "place"
    """Which cells (vitra_sim.suites)."""
    cell: tuple[str, ...] = ()
    """Only these cells; empty: all."""
    scale: float = 1.0
    """Times the episodes of each cell."""
    policy: str = "vitra"
    """Policy by name (vitra_policy.policies.registry)."""
    policy_option: tuple[str, ...] = ()
    """Options of the policy as key=value."""
    out: Path = Path("runs/evaluate")
    """Folder for episodes.jsonl, report.json, report.md and images of failures."""
    executed_steps: int = 4
    """Steps of a chunk that are executed before the next look."""
    chunk_period_s: float | None = None
    """Time from one look to the next, instead of executed steps."""
    latency_s: float = 0.0
    """A chunk takes effect this long after its look; a policy that uses them is told the steps executed till then."""
    time_limit_s: float = 20.0
    """Simulated time after which an episode has failed."""
    image_width: int = 424
    """Width of the head camera's image [px]."""
    image_height: int = 240
    """Height of the head camera's image [px]."""
    workers: int = 1
    """Processes."""


def play(
    env: VitraSimEnv, policy: Policy, cell: Cell, scene: str, seed: int, latency_s: float = 0.0
) -> tuple[Outcome, list[NDArray[np.uint8]]]:
    """One episode; also some of its images, evenly spread.

    Args:
        env: The simulation.
        policy: What is judged.
        cell: Scenes, and how the image or the words are changed.
        scene: Name of the scene.
        seed: Of the start state.
        latency_s: As the environment has it.
    """
    policy.reset()
    previous: AnchoredChunk | None = None
    meta = policy.metadata
    delay_steps = math.ceil(latency_s / meta.step_s - 1e-6) if meta.uses_committed else 0
    observation, _ = env.reset(seed=seed, options={"task": scene})
    start = scene_truth(env.world)
    taken, images, ended, info, chunks = "", [], False, {"success": False, "reason": ""}, 0
    while not ended:
        assert observation.image is not None
        images.append(observation.image)
        stamp_s, state = observation.stamp_s, observation.state
        delay = Delay(delay_steps, env.late_s)
        committed = committed_prefix(previous, stamp_s, state, observation.state_valid, delay)
        shown = replace(observation, committed=committed)
        if cell.image is ShownImage.BLANK:
            shown = replace(shown, image=np.full_like(observation.image, 127))
        chunk = policy.infer(shown)
        previous = AnchoredChunk(chunk, stamp_s, state)
        chunks += 1
        observation, _, terminated, truncated, info = env.step(chunk, observation)
        taken = taken or lifted(start, scene_truth(env.world))
        ended = terminated or truncated
    named, success = env.world.task.target, bool(info["success"])
    failure = Failure.NONE
    if not success:
        end = scene_truth(env.world)
        failure = failure_of(start, end, named, taken, str(info["reason"]), env.world.task.goal)
    outcome = Outcome(cell.name, scene, seed, success, named, taken, failure, round(env.world.time_s, 2), chunks)
    chosen = np.linspace(0, len(images) - 1, _STRIP_LOOKS).round().astype(int)
    return outcome, [images[i] for i in chosen]


Job = tuple[Cell, str, int]


def _work(args: Args, jobs: list[Job]) -> list[Outcome]:
    """Play some episodes in this process."""
    size = (args.image_width, args.image_height)
    env = VitraSimEnv(
        jobs[0][1],
        settings=EnvSettings(
            executed_steps=args.executed_steps,
            image_size=size,
            time_limit_s=args.time_limit_s,
            latency_s=args.latency_s,
            chunk_period_s=args.chunk_period_s,
        ),
    )
    policy = create_policy(args.policy, parse_options(args.policy_option))
    outcomes = []
    try:
        policy.warm_up()
        for cell, scene, seed in jobs:
            outcome, images = play(env, policy, cell, scene, seed, args.latency_s)
            outcomes.append(outcome)
            if not outcome.success:
                _write_strip(args.out, outcome, images)
    finally:
        policy.close()
        env.close()
    return outcomes


def _write_strip(out: Path, outcome: Outcome, images: list[NDArray[np.uint8]]) -> None:
    import cv2

    folder = out / "failures" / outcome.cell.replace(" ", "_").replace(",", "")
    folder.mkdir(parents=True, exist_ok=True)
    rows = [np.hstack(images[i : i + 3]) for i in range(0, len(images), 3)]
    name = f"{outcome.seed}{'-1' if outcome.scene.endswith('#1') else ''}-{outcome.named}-{outcome.failure}"
    cv2.imwrite(str(folder / f"{name.replace(' ', '_').replace(',', '')}.jpg"), np.vstack(rows)[..., ::-1])


def read_outcomes(path: Path) -> list[Outcome]:
    """Episodes that were played already."""
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [Outcome(**row | {"failure": Failure(row["failure"])}) for row in rows]


def missing(cells: Iterable[Cell], scale: float, done: list[Outcome]) -> list[Job]:
    """Episodes that were not played yet.

    Args:
        cells: All that are to be played.
        scale: Times the episodes of each.
        done: What was played before.
    """
    known = {(o.cell, o.scene, o.seed) for o in done}
    jobs = [(cell, scene, seed) for cell in cells for scene, seed in cell.runs(scale)]
    return [job for job in jobs if (job[0].name, job[1], job[2]) not in known]


def run(args: Args) -> list[Outcome]:
    """Play what is missing, and write the report over all there is.

    Raises:
        VitraError: unknown suite or policy, or the policy cannot answer.
    """
    check_numbers(args)
    check_whole_numbers(args, {name: 1 for name in ("executed_steps", "workers", "image_width", "image_height")})
    check_positive(args, "scale", "time_limit_s", "chunk_period_s")
    names = [cell.name for cell in get_suite(args.suite)]
    for name in args.cell:
        if name not in names:
            raise UnknownNameError("cell", name, names)
    cells = tuple(cell for cell in get_suite(args.suite) if not args.cell or cell.name in args.cell)
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "episodes.jsonl"
    outcomes = read_outcomes(file)
    jobs = missing(cells, args.scale, outcomes)
    size = max(min(_BATCH, len(jobs) // args.workers), 1)
    batches = [jobs[i : i + size] for i in range(0, len(jobs), size)]
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        Progress(*columns, TimeRemainingColumn(), console=console) as progress,
        ProcessPoolExecutor(args.workers, get_context("spawn"), end_with_parent) as pool,
        file.open("a") as log,
    ):
        bar = progress.add_task("", total=len(jobs))
        try:
            for future in as_completed([pool.submit(_work, args, batch) for batch in batches]):
                for outcome in future.result():
                    outcomes.append(outcome)
                    log.write(json.dumps(asdict(outcome)) + "\n")
                log.flush()
                won = sum(o.success for o in outcomes)
                progress.update(bar, advance=len(future.result()), description=f"{won} of {len(outcomes)} succeeded")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    write_report(args.out, cells, outcomes, {k: v for k, v in asdict(args).items() if k not in ("out", "workers")})
    return outcomes


def main() -> int:
    """Entry point."""
    args = tyro.cli(Args, prog="python -m vitra_sim.evaluate", description=__doc__)
    try:
        outcomes = run(args)
    except VitraError as error:
        print_error(console, "evaluate", error)
        return 2
    except OSError as error:
        print_error(console, "evaluate", disk_words(error))
        return 2
    except KeyboardInterrupt:
        console.print("[yellow]evaluate:[/yellow] cut; start it again to go on.")
        return 130
    console.print(f"{sum(o.success for o in outcomes)} of {len(outcomes)} succeeded; see {args.out / 'report.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
