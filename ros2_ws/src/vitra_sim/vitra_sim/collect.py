"""Collect demonstrations of the scripted expert in lockstep simulation, many times faster than real time.

python -m vitra_sim.collect runs/demonstrations --family place@seen --episodes 1000

One file an episode; what is there already is skipped, so a run may be cut and started again. With `--workers 2` two
processes share the seeds. With `--policy` a checkpoint drives and the expert only labels (DAgger).
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vitra_policy.child_processes import end_with_parent
from vitra_policy.command_errors import print_error
from vitra_policy.command_options import check_numbers, check_positive, check_whole_numbers
from vitra_policy.errors import VitraError, disk_words
from vitra_policy.policies.policy import Observation, Policy
from vitra_policy.policies.registry import create_policy, parse_options
from vitra_sim.expert.expert import ExpertPolicy
from vitra_sim.lockstep.drift import Drift
from vitra_sim.lockstep.env import EnvSettings, VitraSimEnv
from vitra_sim.lockstep.midway import start_midway
from vitra_sim.scene.families import check_scene_name
from vitra_sim.tasks.ground_truth import scene_truth

console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Args:
    """Demonstrations for learning: images, hands, the expert's chunk at every look, and where things really are."""

    out: tyro.conf.Positional[Path]
    """Folder for the episodes."""
    family: tuple[str, ...] = ("place@seen",)
    """Scene families or tasks, taken in turn."""
    episodes: int = 100
    """How many episodes."""
    seed: int = 0
    """Seed of the first; episode i uses seed + i."""
    still: bool = False
    """Only the first look of each scene, no motion: distinct scenes teach seeing, and cost little."""
    midway: bool = False
    """With `--still`: the look comes from somewhere along the expert's path instead of its start."""
    policy: str = ""
    """Let this policy drive and the expert label (DAgger); empty: the expert drives, and drifts now and then."""
    policy_option: tuple[str, ...] = ()
    """Options of that policy as key=value."""
    image_width: int = 424
    """Width of the head camera's image [px]; the robot's own by default."""
    image_height: int = 240
    """Height of the head camera's image [px]."""
    executed_steps: int = 2
    """Steps of a chunk (at 15 Hz) between two looks."""
    time_limit_s: float = 20.0
    """Simulated time after which an episode ends."""
    return_s: float = 0.25
    """Time constant in which the expert comes back from a drift."""
    workers: int = 1
    """Processes."""


def record(env: VitraSimEnv, expert: ExpertPolicy, args: Args, name: str, seed: int, driver: Policy | None) -> bytes:
    """One episode as the bytes of an npz file.

    Args:
        env: The simulation.
        expert: Labels every step.
        args: The command's options.
        name: Scene or task.
        seed: Of the start state.
        driver: Who drives the robot; None: the expert.

    Raises:
        VitraError: the scene cannot be made, or a policy cannot answer.
    """
    rng = np.random.default_rng([seed, 77])
    drift = Drift(rng)
    expert.reset()
    if driver:
        driver.reset()
    observation, _ = env.reset(seed=seed, options={"task": name})
    if args.midway:
        observation = start_midway(env, expert, rng)
    truth = scene_truth(env.world)
    rows: list[dict[str, np.ndarray]] = []
    ended, info = False, {"success": False}
    while not ended:
        label = expert.infer(observation)
        rows.append(_row(observation, label.actions, scene_truth(env.world).poses))
        if args.still:
            break
        executed = driver.infer(observation) if driver else drift.carry_off(label, args.executed_steps * label.step_s)
        observation, _, terminated, truncated, info = env.step(executed, observation)
        ended = terminated or truncated
    columns: dict[str, Any] = {key: np.stack([row[key] for row in rows]) for key in rows[0] if key != "jpeg"}
    file = io.BytesIO()
    np.savez(
        file,
        family=name,
        task=env.world.task.name,
        seed=seed,
        instruction=observation.instruction,
        side=str(env.world.task.side),
        success=bool(info["success"]),
        names=np.array(truth.names),
        sizes_m=np.array(truth.sizes_m),
        fov_rad=observation.fov_rad,
        intrinsics=observation.intrinsics,
        base_from_camera=env.calibration.base_from_head_camera,
        step_s=expert.metadata.step_s,
        **columns,
        jpeg=np.concatenate([row["jpeg"] for row in rows]),
        jpeg_end=np.cumsum([len(row["jpeg"]) for row in rows]),
    )
    return file.getvalue()


def _row(observation: Observation, actions: np.ndarray, poses: list[np.ndarray]) -> dict[str, np.ndarray]:
    import cv2

    assert observation.image is not None
    _, jpeg = cv2.imencode(".jpg", observation.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    return {
        "stamp_s": np.array(observation.stamp_s),
        "state": observation.state.astype(np.float32),
        "actions": actions.astype(np.float32),
        "base_from_object": np.stack(poses).astype(np.float32),
        "jpeg": jpeg.ravel(),
    }


def path_of(out: Path, name: str, seed: int) -> Path:
    """File of an episode.

    Args:
        out: Folder of the episodes.
        name: Scene or task.
        seed: Of the start state.
    """
    return out / name.replace("@", "-").replace("#", "-") / f"{seed:07d}.npz"


def _work(args: Args, jobs: list[tuple[str, int]]) -> list[tuple[str, int, str]]:
    """Record some episodes in this process; returns name, seed and problem ("" for none) of each."""
    env = VitraSimEnv(
        args.family[0],
        settings=EnvSettings(
            executed_steps=args.executed_steps,
            image_size=(args.image_width, args.image_height),
            time_limit_s=args.time_limit_s,
        ),
    )
    expert = ExpertPolicy(env.calibration, return_s=args.return_s)
    driver = create_policy(args.policy, parse_options(args.policy_option)) if args.policy else None
    done = []
    try:
        expert.warm_up()
        if driver:
            driver.warm_up()
        for name, seed in jobs:
            try:
                content = record(env, expert, args, name, seed, driver)
            except VitraError as error:
                done.append((name, seed, str(error)))
                continue
            _write(path_of(args.out, name, seed), content)
            done.append((name, seed, ""))
    finally:
        env.close()
    return done


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


_BATCH, _STILL_BATCH = 4, 64  # episodes that a process takes at a time, and finishes even when its parent is gone


def run(args: Args) -> list[tuple[str, int, str]]:
    """Collect what is missing; returns the episodes that could not be made, with the reason.

    Raises:
        VitraError: an option that cannot be.
    """
    check_numbers(args)
    least = {name: 1 for name in ("episodes", "workers", "executed_steps", "image_width", "image_height")}
    check_whole_numbers(args, least | {"seed": 0})
    check_positive(args, "time_limit_s", "return_s")
    for name in args.family:
        check_scene_name(name)
    args.out.mkdir(parents=True, exist_ok=True)
    jobs = [(args.family[i % len(args.family)], args.seed + i) for i in range(args.episodes)]
    missing = [job for job in jobs if not path_of(args.out, *job).exists()]
    size = _STILL_BATCH if args.still else _BATCH
    batches = [missing[i : i + size] for i in range(0, len(missing), size)]
    problems: list[tuple[str, int, str]] = []
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        Progress(*columns, TimeRemainingColumn(), console=console) as progress,
        ProcessPoolExecutor(args.workers, get_context("spawn"), end_with_parent) as pool,
    ):
        bar = progress.add_task("episodes", total=len(jobs), completed=len(jobs) - len(missing))
        for future in as_completed([pool.submit(_work, args, batch) for batch in batches]):
            results = future.result()
            problems += [result for result in results if result[2]]
            progress.update(bar, advance=len(results))
    return problems


def main() -> int:
    """Entry point."""
    args = tyro.cli(Args, prog="python -m vitra_sim.collect", description=__doc__)
    try:
        problems = run(args)
    except VitraError as error:
        print_error(console, "collect", error)
        return 2
    except OSError as error:
        print_error(console, "collect", disk_words(error))
        return 2
    except KeyboardInterrupt:
        console.print("[yellow]collect:[/yellow] cut; start it again to go on.")
        return 130
    for name, seed, problem in problems:
        console.print(f"[yellow]left out[/yellow] {name} seed {seed}: {problem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
