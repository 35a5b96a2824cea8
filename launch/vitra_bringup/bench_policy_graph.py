"""Pace of the VITRA policy in the running graph: chunk rate, inference time, real-time chunking, CPU; JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from vitra_bringup.bench_control import CpuMeter
from vitra_bringup.benchmark import report
from vitra_bringup.graph_client import GraphClient
from vitra_bringup.graph_link import GraphError
from vitra_bringup.graph_run import GraphRun
from vitra_msgs.msg import HandActionChunk
from vitra_policy.policies.policy import make_example_observation
from vitra_policy.policies.registry import create_policy, parse_options
from vitra_runtime import qos

_RUNS_ALONE = 30
_TRAINED = Path("runs/train/mini-finetune/checkpoints/latest")


@dataclass(frozen=True)
class Args:
    """Benchmark of `policy:=vitra` in the simulated robot's graph."""

    out: Path = Path("runs/bench/policy_graph.json")
    """Where the figures go."""
    checkpoint: Path | None = None
    """Checkpoint to run; default: what `make train-mini` left, else a mini one with random weights, whose motion the
    guards soon stop."""
    rate_hz: float = 15.0
    """Most chunks per second that the policy is asked for."""
    duration_s: float = 20.0
    """Length of the run."""
    options: str = "steps=5,guidance=1.0"
    """Options of the policy, key=value,key=value."""
    arms: str = "right"
    """right, left or both."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A chunk and when it came."""

    at_s: float
    """Monotonic."""
    chunk: HandActionChunk


def chunk_figures(arrivals: Sequence[Arrival]) -> dict[str, Any]:
    """Rates [Hz], times [ms] and committed steps of the chunks of one run.

    Raises:
        GraphError: fewer than two chunks came.
    """
    if len(arrivals) < 2:
        raise GraphError(f"The policy sent {len(arrivals)} chunks; see the launch log beside the figures.")
    periods_s = np.diff([arrival.at_s for arrival in arrivals])
    chunks = [arrival.chunk for arrival in arrivals]
    committed = np.array([chunk.committed_steps for chunk in chunks])
    stages: dict[str, list[float]] = {}
    for chunk in chunks:
        for name, seconds in zip(chunk.stage_names, chunk.stage_s, strict=True):
            stages.setdefault(name, []).append(1e3 * float(seconds))
    inference_ms = [1e3 * chunk.inference_s for chunk in chunks]
    return {
        "policy_id": chunks[-1].policy_id,
        "chunks": len(chunks),
        "lost_on_the_way": int(chunks[-1].sequence - chunks[0].sequence) + 1 - len(chunks),
        "chunk_hz": round(float(1 / periods_s.mean()), 2),
        "chunk_period_ms_p99": round(1e3 * float(np.quantile(periods_s, 0.99)), 1),
        "inference_ms_p50": round(float(np.median(inference_ms)), 1),
        "inference_ms_p99": round(float(np.quantile(inference_ms, 0.99)), 1),
        "stages_ms_p50": {name: round(float(np.median(values)), 1) for name, values in stages.items()},
        "chunks_with_committed_steps": int((committed > 0).sum()),
        "committed_steps_p50": float(np.median(committed)),
        "committed_steps_max": int(committed.max()),
    }


def measure(args: Args) -> dict[str, Any]:
    """One run of the policy for so long, or until a stop."""
    folder = args.out.resolve().parent / "policy_graph_run"
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = args.checkpoint or (_TRAINED if _TRAINED.exists() else make_mini(folder / "mini"))
    alone_ms = inference_alone_ms(str(checkpoint), args.options)
    arguments = {
        "robot": "sim", "arms": args.arms, "policy": "vitra", "checkpoint": str(checkpoint.resolve()),
        "policy_options": args.options, "policy_rate_hz": str(args.rate_hz), "recorder": "false",
    }  # fmt: skip
    with GraphRun("deploy.launch.xml", arguments, folder / "launch.log", args.domain_id) as graph:
        arrivals: list[Arrival] = []
        client = graph.client
        client.watch(
            HandActionChunk, "hand_action_chunk", qos.CHUNK, lambda m: arrivals.append(Arrival(time.monotonic(), m))
        )
        graph.wait_ready()
        client.rearm()
        client.home()
        instruction = client.reset_sim("place_cube_in_box", 0)
        meter = CpuMeter(graph.pids)
        meter.begin()
        sim_s, real_s = _sim_time_s(client), time.monotonic()
        success, reason = client.run_until_success(instruction, args.duration_s)
        real_time_factor = (_sim_time_s(client) - sim_s) / (time.monotonic() - real_s)
        cpu = meter.end()
        state = client.executor_state
        stops = [f"{stop.stop_cause}: {stop.stop_detail}" for stop in client.stops]
    return chunk_figures(arrivals) | {
        "inference_alone_ms_p50": alone_ms,
        "checkpoint": str(checkpoint),
        "asked_hz": args.rate_hz,
        "options": args.options,
        "success": success,
        "ended": reason,
        "stops": stops,
        "executor_delay_steps": None if state is None else int(state.first_step),
        "executor_late_chunks": None if state is None else int(state.late_chunks),
        "executor_starved": None if state is None else int(state.starved),
        "real_time_factor": round(real_time_factor, 3),
        "cpu_cores_per_node": cpu,
        "cpu_cores_total": round(sum(cpu.values()), 2),
    }


def inference_alone_ms(checkpoint: str, options: str) -> float:
    """Median time of a chunk in this process before the graph runs: says how fast the machine is just now."""
    policy = create_policy("vitra", parse_options([options]) | {"checkpoint": checkpoint})
    policy.warm_up()
    seen = make_example_observation(height=240, width=424)
    times_s = []
    for _ in range(_RUNS_ALONE):
        started_s = time.perf_counter()
        policy.infer(seen)
        times_s.append(time.perf_counter() - started_s)
    policy.close()
    return round(1e3 * float(np.median(times_s)), 1)


def make_mini(path: Path) -> Path:
    """A small checkpoint with random weights; one from an earlier run is used again."""
    from vitra_policy.checkpoint.store import is_checkpoint
    from vitra_policy.cli_checkpoints import NewMini

    if not is_checkpoint(path):
        NewMini(path, overwrite=True).run()
    return path


def _sim_time_s(client: GraphClient) -> float:
    assert client.sim is not None
    return float(client.sim.sim_time_s)


def main() -> int:
    """Entry point."""
    args = tyro.cli(Args, prog="python -m vitra_bringup.bench_policy_graph", description=__doc__)
    return report("bench_policy_graph", args.out, lambda: measure(args))


if __name__ == "__main__":
    sys.exit(main())
