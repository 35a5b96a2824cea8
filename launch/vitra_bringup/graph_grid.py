"""The expert through the real-time graph over chunk rates, speed limits and delays, as `vitra_sim.lockstep.grid` does.

python -m vitra_bringup.graph_grid --out docs/benchmarks/graph_grid.md
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro
from diagnostic_msgs.msg import DiagnosticArray

from vitra_bringup import demo
from vitra_bringup.graph_run import GraphRun
from vitra_bringup.stack_config import changed_config
from vitra_policy.command_errors import print_error
from vitra_policy.command_options import check_numbers
from vitra_policy.errors import VitraError
from vitra_runtime import qos
from vitra_sim.lockstep.grid import Cell, table
from vitra_sim.scene.families import check_scene_name
from vitra_sim.tasks.tasks import DEFAULT_TASK

_DIAGNOSTICS_S = 10.0


@dataclass(frozen=True)
class Args:
    """Run the expert once in every cell of a grid, each in a graph of its own, and write a table (quiet machine)."""

    chunk_hz: tuple[float, ...] = (2.0, 10.0, 30.0)
    """Chunks per second."""
    speed: tuple[float, ...] = (0.3, 1.0, 1.8)
    """Speed limits of the executor, in planning speeds of 45 deg/s."""
    delay_s: tuple[float, ...] = (0.0, 0.3)
    """How long every answer of the policy is held back."""
    task: str = DEFAULT_TASK
    """Task by name."""
    seed: int = 0
    """Start state of the world."""
    time_limit_s: float = 60.0
    """Time after which an episode has failed."""
    out: Path = Path("docs/benchmarks/graph_grid.md")
    """Where the table goes."""


class SetpointDiagnostics:
    """What the executor says of its setpoints, once a second.

    Args:
        graph: A running graph.
    """

    def __init__(self, graph: GraphRun) -> None:
        self._client, self._values = graph.client, dict[str, str]()
        graph.client.watch(DiagnosticArray, "/diagnostics", qos.RECORD, self._hear)

    def read(self) -> dict[str, str]:
        """The next word.

        Raises:
            GraphError: it does not come.
        """
        with self._client.changed:
            self._values = {}
        self._client.wait_for(lambda: bool(self._values), _DIAGNOSTICS_S, "the executor's diagnostics")
        return self._values

    def _hear(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith("setpoints"):
                self._values = {pair.key: pair.value for pair in status.values}


def run_cell(args: Args, folder: Path, chunk_hz: float, speed: float, delay_s: float) -> Cell:
    """One episode in a graph of its own.

    Args:
        args: The command's options.
        folder: For the configuration and the log.
        chunk_hz: Chunks a second.
        speed: Limit of the executor, in planning speeds of 45 deg/s.
        delay_s: How long answers are held back.
    """
    config = changed_config(folder / "grid.yaml", {"policy": {"delay_s": delay_s}, "executor": {"measure_path": True}})
    arguments = {
        "policy": "expert", "task": args.task, "seed": str(args.seed), "record": "false",
        "policy_rate_hz": str(chunk_hz), "speed": str(speed), "config": config,
    }  # fmt: skip
    run = demo.Args(task=args.task, seed=args.seed, time_limit_s=args.time_limit_s)
    with GraphRun("demo.launch.xml", arguments, folder / "launch.log") as graph:
        diagnostics = SetpointDiagnostics(graph)
        graph.wait_ready()
        episode = demo.run_episode(graph, run, 0, record=False)
        said = diagnostics.read()
    return Cell(
        chunk_hz, speed, delay_s, int(episode.success), 1, episode.duration_s, float(said["late by [s]"]),
        float(said["distance from the path [mm]"]), float(said["rotation from the path [deg]"]),
        int(said["started again"]),
    )  # fmt: skip


def main() -> int:
    """Entry point; 0 if every episode succeeded within 2 mm and 0.5 deg of its path."""
    args = tyro.cli(Args, prog="python -m vitra_bringup.graph_grid", description=__doc__)
    cells: list[Cell] = []
    grid = list(itertools.product(args.chunk_hz, args.speed, args.delay_s))
    about = (
        f"Scripted expert, task `{args.task}`, seed {args.seed}, each cell one episode in a real-time graph of its own "
        "with the vendor's SDK, drivers and simulated controllers."
    )
    begin_s = time.monotonic()
    try:
        check_numbers(args)
        check_scene_name(args.task)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        for cell in grid:
            with tempfile.TemporaryDirectory() as folder:
                cells.append(run_cell(args, Path(folder), *cell))
            args.out.write_text(table("Graph grid", about, cells))
            demo.console.print(f"{len(cells)} of {len(grid)} cells, {time.monotonic() - begin_s:.0f} s: {cells[-1]}")
    except VitraError as error:
        print_error(demo.console, "graph-grid", error)
        return 2
    kept = all(c.successes == c.episodes and c.distance_mm <= 2.0 and c.rotation_deg <= 0.5 for c in cells)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
