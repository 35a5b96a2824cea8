"""`make faults`: every kind of fault with every seed over the running simulation, resumable; then the report.

    python -m vitra_bringup.faults.campaign                              all kinds, 5 seeds, into runs/faults
    python -m vitra_bringup.faults.campaign --kinds kill_executor --seeds 1
    python -m vitra_bringup.faults.campaign --report docs/reliability    table and plots of what has been run

One kind and seed is one JSON file; what is there already is not run again. The machine should be quiet: nothing else
may compete for its processors.

Exit codes: 0 all passed, 1 some did not, 2 wrong command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.progress import track

from vitra_bringup.faults.bench import Bench
from vitra_bringup.faults.kinds import KINDS, Kind
from vitra_bringup.faults.report import write_report
from vitra_bringup.faults.trial import Result, load_result, run_trial
from vitra_bringup.graph_link import GraphError
from vitra_bringup.graph_run import GraphRun
from vitra_policy.command_errors import print_error
from vitra_policy.errors import UnknownNameError, VitraError

_STARTS = 3
_ANSWER_S = 10.0
screen = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Args:
    """Break the running simulation in every way, and measure."""

    kinds: tuple[str, ...] = ()
    """Kinds of faults; none: all."""
    seeds: int = 5
    """How often each, at another moment of the motion."""
    out: Path = Path("runs/faults")
    """Folder for results, one JSON file each."""
    report: Path | None = None
    """Write table and plots here, of everything in `out`; nothing is run."""
    again: bool = False
    """Run what is there already once more."""
    list: bool = False
    """Print the kinds."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""


@contextmanager
def running_bench(out: Path, domain_id: int | None, arguments: dict[str, str]) -> Iterator[tuple[Bench, Path]]:
    """A graph with both arms and the swaying policy; yields the bench and the trace of the motion.

    Args:
        out: Folder for the log and the trace.
        domain_id: ROS domain; None: the environment's.
        arguments: More launch arguments, by name.
    """
    out.mkdir(parents=True, exist_ok=True)
    trace, bag = out / "motion.jsonl", out / "bag"
    given = {
        "robot": "sim", "arms": "both", "policy": "sway",
        "policy_options": f"control={(out / 'control.json').resolve()}",
        "motion_trace": str(trace.resolve()), "bag": str(bag.resolve()), "record": "false", "console": "false",
    }  # fmt: skip
    (out / "control.json").unlink(missing_ok=True)
    for attempt in range(_STARTS):
        with GraphRun("deploy.launch.xml", given | arguments, out / "launch.log", domain_id) as graph:
            bench = Bench(graph, out, operator=arguments.get("require_operator") == "true")
            try:
                graph.wait_ready()
                graph.client.trigger("policy/stop", _ANSWER_S)
            except GraphError as error:  # a client whose shared memory port was lost at its start hears no answers
                if attempt + 1 == _STARTS:
                    raise
                screen.print(f"{error} Another graph is started.", soft_wrap=True)
                continue
            try:
                yield bench, trace
            finally:
                bench.close()
            return


def run_all(wanted: list[tuple[Kind, int]], args: Args) -> Iterator[Result]:
    """Run, one graph for as many kinds as it survives."""
    waiting = list(wanted)
    while waiting:
        arguments = dict(waiting[0][0].arguments)
        session = args.out / "graph"
        with running_bench(session, args.domain_id, arguments) as (bench, trace):
            while waiting and dict(waiting[0][0].arguments) == arguments:
                kind, seed = waiting.pop(0)
                try:
                    result = run_trial(bench, kind, seed, trace)
                except GraphError as error:
                    screen.print(f"[red]{kind.name} {seed}:[/red] {error}; a new graph is started", markup=True)
                    bench.undo()
                    break
                result.save(file_of(args.out, kind.name, seed))
                yield result
                if kind.ends_graph or not result.moved_again:
                    break
        (session / "launch.log").rename(session / f"launch_{os.getpid()}_{len(waiting)}.log")


def file_of(out: Path, kind: str, seed: int) -> Path:
    """Where the result of a kind and seed is.

    Args:
        out: Folder of the campaign.
        kind: Name of the fault.
        seed: Of the moment it is made.
    """
    return out / f"{kind}_{seed}.json"


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = tyro.cli(Args, prog="python -m vitra_bringup.faults.campaign", description=__doc__, args=argv)
    try:
        return _run(args)
    except VitraError as error:
        print_error(screen, "faults", error)
        return 2


def _run(args: Args) -> int:
    for name in args.kinds:
        if name not in KINDS:
            raise UnknownNameError("kind of fault", name, KINDS)
    if args.list:
        Console(highlight=False).print("\n".join(KINDS))
        return 0
    if args.report is not None:
        results = [load_result(path) for path in sorted(args.out.glob("*_*.json"))]
        write_report(args.report, results)
        screen.print(f"{len(results)} results in {args.report}")
        return 0
    kinds = [KINDS[name] for name in args.kinds] or list(KINDS.values())
    pairs = [(kind, seed) for kind in kinds for seed in range(args.seeds)]
    wanted = [pair for pair in pairs if args.again or not file_of(args.out, pair[0].name, pair[1]).exists()]
    wanted.sort(key=lambda pair: (pair[0].arguments, pair[0].ends_graph))
    failed = 0
    for result in track(run_all(wanted, args), "breaking", total=len(wanted), console=screen):
        failed += bool(result.problems)
        mark = "[red]FAILED[/red]" if result.problems else "[green]passed[/green]"
        screen.print(
            f"{mark} {result.kind} {result.seed}: driver {result.to_driver_s * 1e3:.0f} ms, rest "
            f"{result.to_rest_s * 1e3:.0f} ms, {result.distance_m * 1e3:.1f} mm; {'; '.join(result.problems)}",
            soft_wrap=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
