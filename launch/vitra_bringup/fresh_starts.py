"""An operator's first run, over and over: start the simulated robot with default arguments, arm, home, run; JSON.

python -m vitra_bringup.fresh_starts --starts 20
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tyro

from vitra_bringup import demo
from vitra_bringup.benchmark import report
from vitra_bringup.graph_run import GraphRun
from vitra_policy.command_options import check_positive, check_whole_numbers


@dataclass(frozen=True)
class Args:
    """Start the graph anew for every run."""

    starts: int = 20
    """How many times."""
    time_limit_s: float = 60.0
    """Time after which a run has failed."""
    out: Path = Path("runs/bench/fresh_starts.json")
    """Where the figures go."""


@dataclass(frozen=True, slots=True)
class FirstRun:
    """What came of one start."""

    success: bool
    reason: str
    stops: int
    ready_s: float
    run_s: float


def first_run(time_limit_s: float) -> FirstRun:
    """One graph, one run.

    Raises:
        GraphError: the graph does not come up, or refuses.
    """
    begin_s = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        GraphRun("sim.launch.xml", {"policy": "expert"}, Path(folder) / "launch.log") as graph,
    ):
        graph.wait_ready()
        ready_s = time.monotonic() - begin_s
        run = demo.Args(time_limit_s=time_limit_s)  # task and seed are those that sim.launch.xml shows by default
        episode = demo.run_episode(graph, run, 0, record=False)
        stops = len(graph.client.stops)
        return FirstRun(episode.success, episode.reason, stops, round(ready_s, 1), round(episode.duration_s, 1))


def measure(args: Args) -> Mapping[str, Any]:
    """All starts, and what they add up to.

    Raises:
        VitraError: a number of starts that cannot be, or a graph that does not come up.
    """
    check_whole_numbers(args, {"starts": 1})
    check_positive(args, "time_limit_s")
    runs: list[FirstRun] = []
    for number in range(1, args.starts + 1):
        runs.append(first_run(args.time_limit_s))
        demo.console.print(f"start {number} of {args.starts}: {runs[-1].reason}, {runs[-1].stops} stops")
    return {
        "starts": len(runs),
        "successes": sum(run.success for run in runs),
        "without_a_stop": sum(run.stops == 0 for run in runs),
        "runs": [asdict(run) for run in runs],
    }


def main() -> int:
    """Entry point."""
    args = tyro.cli(Args, prog="python -m vitra_bringup.fresh_starts", description=__doc__)
    return report("fresh-starts", args.out, lambda: measure(args))


if __name__ == "__main__":
    sys.exit(main())
