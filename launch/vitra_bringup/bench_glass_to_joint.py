"""From glass to joint: the objects leap, the camera sees it, a policy answers, an arm moves; times in simulation; JSON.

    python -m vitra_bringup.bench_glass_to_joint
    python -m vitra_bringup.bench_glass_to_joint --beside 2        beside two busy loops

Each trial starts a run of the policy `reflex`, lifts the objects by 5 cm at a random moment between two ticks of the
physics, and looks in the world's own record of its joints for the first that moved by 0.1 deg. The time holds all of
it: the wait for the next image, rendering, transport, the wait for the policy's next turn, the picture's comparison,
retargeting, inverse kinematics, guard, vendor SDK, controller double, and the simulated drive.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from vitra_bringup.benchmark import report
from vitra_bringup.busy_loops import busy_loops
from vitra_bringup.graph_link import GraphError
from vitra_bringup.graph_run import GraphRun
from vitra_policy.action_space import SIDES
from vitra_policy.command_options import check_positive, check_whole_numbers

MOVED_RAD = np.radians(0.1)
_TASK = "place_cube_in_box"
_SETTLE_S, _SEE_S = 1.0, 0.8
LEAP = "scene.objects_leap"


@dataclass(frozen=True)
class Args:
    """Benchmark of the whole way from a change of the scene to a moved joint."""

    out: Path = Path("runs/bench/glass_to_joint.json")
    """Where the figures go."""
    trials: int = 20
    """How often the objects leap."""
    rate_hz: float = 30.0
    """Most chunks per second that the policy is asked for."""
    beside: int = 0
    """Busy loops that compete with the graph."""
    seed: int = 0
    """Of the moments."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""


def latencies_s(lines: Iterable[str]) -> list[float]:
    """Time from every leap to the first joint of any arm that moved by `MOVED_RAD` since [s]; inf where none did.

    Args:
        lines: Of a `MotionTrace`; an unfinished last one is passed over.
    """
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    stamps_s = np.array([row["stamp"] for row in rows])
    leaps = np.array([row["leaps"] for row in rows], dtype=int)
    q_rad = np.array([np.concatenate([row[side]["q"] for side in SIDES]) for row in rows])
    found = []
    for number in range(1, leaps.max(initial=0) + 1):
        mine = np.flatnonzero(leaps == number)
        moved = np.abs(q_rad[mine] - q_rad[mine[0]]).max(axis=1) >= MOVED_RAD
        found.append(float(stamps_s[mine[moved.argmax()]] - stamps_s[mine[0]]) if moved.any() else float("inf"))
    return found


def measure(args: Args) -> dict[str, Any]:
    """All trials in one graph.

    Raises:
        GraphError: the graph does not come up, or nothing moved after a leap.
    """
    check_whole_numbers(args, {"trials": 1, "beside": 0, "seed": 0})
    check_positive(args, "rate_hz")
    folder = args.out.resolve().parent / "glass_to_joint_run"
    trace = folder / "motion.jsonl"
    arguments = {
        "robot": "sim", "arms": "right", "policy": "reflex", "policy_rate_hz": str(args.rate_hz), "recorder": "false",
        "console": "false", "motion_trace": str(trace),
    }  # fmt: skip
    moments = np.random.default_rng(args.seed)
    with (
        GraphRun("deploy.launch.xml", arguments, folder / "launch.log", args.domain_id) as graph,
        busy_loops(args.beside),
    ):
        client = graph.client
        graph.wait_ready()
        for _ in range(args.trials):
            client.arm_again(("right",))
            client.home()
            instruction = client.reset_sim(_TASK, args.seed)
            handle = client.start_policy(instruction, 10.0)
            time.sleep(_SETTLE_S + float(moments.uniform(0.0, 0.1)))
            client.set_sim_faults([LEAP])
            time.sleep(_SEE_S)
            client.finish_policy(handle)
            client.set_sim_faults([])
        stops = [f"{stop.stop_cause}: {stop.stop_detail}" for stop in client.stops]
    with trace.open() as file:
        return figures(latencies_s(file)) | {"asked_hz": args.rate_hz, "busy_loops": args.beside, "stops": stops}


def figures(found_s: list[float]) -> dict[str, Any]:
    """Quantiles [ms] of the latencies of leaps [s].

    Args:
        found_s: Of `latencies_s`.

    Raises:
        GraphError: after none of the leaps a joint moved.
    """
    answered_ms = 1e3 * np.array([latency for latency in found_s if np.isfinite(latency)])
    if not len(answered_ms):
        raise GraphError(f"No joint moved after any of {len(found_s)} leaps; see the launch log beside the figures.")
    p50, p90 = np.quantile(answered_ms, (0.5, 0.9))
    return {
        "leaps": len(found_s),
        "answered": len(answered_ms),
        "glass_to_joint_ms_p50": round(float(p50), 1),
        "glass_to_joint_ms_p90": round(float(p90), 1),
        "glass_to_joint_ms_max": round(float(answered_ms.max()), 1),
    }


def main() -> int:
    """Entry point."""
    args = tyro.cli(Args, prog="python -m vitra_bringup.bench_glass_to_joint", description=__doc__)
    return report("bench_glass_to_joint", args.out, lambda: measure(args))


if __name__ == "__main__":
    sys.exit(main())
