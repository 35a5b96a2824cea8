"""Hours of work in simulation: both arms, episode after episode, each recorded; memory, gaps, warnings; JSON, plot.

    python -m vitra_bringup.soak                 two hours
    python -m vitra_bringup.soak --hours 0.1     does it work at all?

Passes where no process' own memory grows by more than 50 MB after the warm-up, no stream of the arms pauses for more
than 100 ms within an episode, and no node warns of anything that is not explained in `EXPLAINED`. Each episode's bag is
looked at and deleted, so that the disk stays as it is.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tyro
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from vitra_bringup import bag_report, demo
from vitra_bringup.benchmark import report
from vitra_bringup.graph_link import GraphError
from vitra_bringup.graph_run import GraphRun
from vitra_policy.action_space import SIDES
from vitra_policy.command_options import check_positive

MOST_GROWTH_MB, MOST_GAP_MS = 50.0, 100.0
TASKS = ("place_cube_in_box", "place_can_in_box")
_SAMPLE_S = 10.0
_WARM_UP_SHARE = 0.1
_TIME_LIMIT_S = 40.0
_STREAMS = ("arm/command", "arm/joint_states")
EXPLAINED: Mapping[str, str] = {
    r"no serial port \(yet\)|^cannot start: .*Trying again every": "at the start, until the devices are there",
    r"is stopping by itself: permit_denied": "at the end, when the supervisor goes",
}
"""Warnings that come of starting and ending; anything else is counted."""
_WARNING = re.compile(r"\[(?P<node>[\w.]+)-\d+\] \[(?:WARN|ERROR|FATAL)\] \[[\d.]+\] \[[^\]]*\]: (?P<words>.*)")


@dataclass(frozen=True)
class Args:
    """Let the simulated robot work for hours."""

    hours: float = 2.0
    """For how long."""
    out: Path = Path("runs/soak")
    """Folder for figures, plot and log."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""


@dataclass
class Memory:
    """What each process holds for itself alone [MB], over time."""

    times_s: list[float] = field(default_factory=list)
    own_mb: dict[str, list[float]] = field(default_factory=dict)

    def sample(self, at_s: float, pids: Mapping[str, Sequence[int]]) -> None:
        """Look at the newest process of every node, with its children.

        Args:
            at_s: Time since the start.
            pids: Processes by node.
        """
        self.times_s.append(at_s)
        for name, numbers in pids.items():
            values = self.own_mb.setdefault(name, [np.nan] * (len(self.times_s) - 1))
            values.append(_own_mb(numbers[-1]))

    def growth_mb(self) -> dict[str, float]:
        """From the median of the tenth after the warm-up to that of the last tenth, per node."""
        count = len(self.times_s)
        part = max(1, round(_WARM_UP_SHARE * count))
        return {
            name: round(float(np.nanmedian(values[-part:]) - np.nanmedian(values[part : 2 * part] or values)), 1)
            for name, values in self.own_mb.items()
        }


def longest_gap_ms(stamps_s: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Longest time between two messages of each stream of the arms [ms].

    Args:
        stamps_s: Stamps by topic, increasing.
    """
    return {
        topic: round(1e3 * float(np.diff(stamps).max()), 1)
        for topic, stamps in stamps_s.items()
        if topic.endswith(_STREAMS) and len(stamps) > 1
    }


def unexplained(lines: Iterable[str]) -> Counter[str]:
    """Warnings of a launch log that `EXPLAINED` does not know, numbers left out, with how often each came.

    Args:
        lines: Of the log.
    """
    found: Counter[str] = Counter()
    for line in lines:
        said = _WARNING.match(line)
        if said and not any(re.search(pattern, said["words"]) for pattern in EXPLAINED):
            found[f"{said['node']}: {re.sub(r'[0-9.]+', '#', said['words'].strip())}"] += 1
    return found


class Soak:
    """The run.

    Args:
        args: Of the command.
    """

    def __init__(self, args: Args) -> None:
        self._args = args
        self.memory = Memory()
        self.gaps_ms: dict[str, float] = {}
        self.episodes = self.successes = self.stops = 0
        self.reasons: Counter[str] = Counter()

    def run(self) -> dict[str, Any]:
        """Until the time is over; the figures.

        Raises:
            GraphError: the graph does not come up, or does not come back after a stop.
        """
        check_positive(self._args, "hours")
        out, seconds = self._args.out.resolve(), 3600.0 * self._args.hours
        shutil.rmtree(out / "episodes", ignore_errors=True)
        arguments = {
            "robot": "sim", "arms": "both", "policy": "expert", "episodes": "true", "console": "false",
            "episodes_dir": str(out / "episodes"),
        }  # fmt: skip
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with (
            GraphRun("deploy.launch.xml", arguments, out / "launch.log", self._args.domain_id) as graph,
            Progress(*columns, console=demo.console) as progress,
        ):
            graph.wait_ready()
            begin_s, bar = time.monotonic(), progress.add_task("soak", total=seconds)
            next_s = begin_s
            while (now_s := time.monotonic()) - begin_s < seconds:
                if now_s >= next_s:
                    self.memory.sample(now_s - begin_s, graph.pids)
                    next_s = now_s + _SAMPLE_S
                self._episode(graph)
                words = f"{self.episodes} episodes, {self.stops} stops"
                progress.update(bar, completed=time.monotonic() - begin_s, description=words)
            self.stops = len(graph.client.stops)
            restarts = {name: len(pids) - 1 for name, pids in graph.pids.items() if len(pids) > 1}
        with (out / "launch.log").open() as log:
            warnings = unexplained(log)
        growth = self.memory.growth_mb()
        self._plot(out / "soak.png")
        passed = max(growth.values()) <= MOST_GROWTH_MB and max(self.gaps_ms.values(), default=0.0) <= MOST_GAP_MS
        return {
            "passed": bool(passed and not warnings and not restarts),
            "hours": self._args.hours,
            "episodes": self.episodes,
            "successes": self.successes,
            "ended": dict(self.reasons),
            "stops": self.stops,
            "restarts": restarts,
            "growth_mb": growth,
            "own_mb": {name: round(values[-1], 1) for name, values in self.memory.own_mb.items()},
            "longest_gap_ms": self.gaps_ms,
            "unexplained_warnings": dict(warnings),
        }

    def _episode(self, graph: GraphRun) -> None:
        client, number = graph.client, self.episodes
        client.arm_again(SIDES)
        client.home()
        instruction = client.reset_sim(TASKS[number % len(TASKS)], number)
        client.set_instruction(instruction)
        client.trigger("recorder/start", 20.0)
        success, reason = client.run_until_success(instruction, _TIME_LIMIT_S)
        bag = Path(client.trigger("recorder/save", 30.0))
        self.episodes, self.successes, self.stops = number + 1, self.successes + success, len(client.stops)
        self.reasons[reason.split(":")[0]] += 1
        if not bag.is_dir():
            raise GraphError(f"The recorder says that it saved {bag}, which is not there.")
        for topic, gap_ms in longest_gap_ms(bag_report.read(bag).stamps_s).items():
            self.gaps_ms[topic] = max(self.gaps_ms.get(topic, 0.0), gap_ms)
        shutil.rmtree(bag)

    def _plot(self, path: Path) -> None:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        figure, axis = plt.subplots(figsize=(10, 5))
        for name, values in sorted(self.memory.own_mb.items()):
            axis.plot(np.array(self.memory.times_s) / 60.0, values, label=name)
        axis.set_xlabel("time [min]")
        axis.set_ylabel("memory of its own [MB]")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7, ncols=2)
        figure.tight_layout()
        figure.savefig(path, dpi=100)
        plt.close(figure)


def _own_mb(pid: int) -> float:
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return float(sum(one.memory_full_info().uss for one in family)) / 1e6
    except psutil.NoSuchProcess:
        return float("nan")


def main() -> int:
    """Entry point; 1 where something was not as it must be."""
    args = tyro.cli(Args, prog="python -m vitra_bringup.soak", description=__doc__)
    out = args.out / "soak.json"
    code = report("soak", out, Soak(args).run)
    return code or int(not json.loads(out.read_text())["passed"])


if __name__ == "__main__":
    sys.exit(main())
