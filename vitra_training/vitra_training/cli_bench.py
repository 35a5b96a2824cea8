"""`vitra-bench`: the paper's grasp benchmark, on real captures or simulated scenes.

    vitra-bench grasp-generate runs/grasp_scenes --scenes 20
    vitra-bench grasp runs/grasp_scenes --policy learned:checkpoint=runs/imitation/checkpoint

docs/grasp_benchmark.md tells how to capture real scenes and what the figures mean.
"""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from vitra_training.benchmarks.grasp.contact_sheet import write_sheets
from vitra_training.benchmarks.grasp.folder import check_folder
from vitra_training.benchmarks.grasp.options import GenerateOptions, StudyOptions
from vitra_training.benchmarks.grasp.report import write_report
from vitra_training.benchmarks.grasp.rows import parse_policy, rows_of
from vitra_training.benchmarks.grasp.start import StartOptions
from vitra_training.command import run_command, say

_console = Console()
_Path = Annotated[Path, tyro.conf.Positional]


@dataclass(frozen=True)
class Grasp:
    """Measure how near policies bring a hand to the named object; the same command again continues where it was.

    OUT/report.md has a row for a hand that stays, for each policy with right and with shuffled captions, and for an
    oracle. Without --policy only the first and the last, which say what a folder of scenes can tell apart.
    """

    scenes: _Path
    """Folder of scenes (docs/grasp_benchmark.md), captured or of grasp-generate."""
    out: Path = Path("runs/grasp")
    """Folder of results; rendered hands and predictions are kept there."""
    policy: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME or NAME:KEY=VALUE,... of any registered policy (a wrong name lists them); may be given several times."""
    start: StartOptions = field(default_factory=StartOptions)
    """Where hands start."""

    def run(self) -> int:
        """Run, write the report, print its table."""
        from vitra_training.benchmarks.grasp.run import run

        policies = list(dict.fromkeys(parse_policy(text) for text in self.policy))
        with _bars() as progress:
            outcome = run(self.scenes, self.out, policies, self.start, progress)
        command = shlex.join(["vitra-bench", *sys.argv[1:]])
        report = write_report(outcome, self.out, command, datetime.date.today().isoformat())
        table = Table("row", "objects", "average cm", "median cm", title=f"{len(outcome.cases)} objects")
        for row in report["rows"]:
            if row["all"]:
                table.add_row(row["row"], *(_shown(row["all"], key) for key in ("objects", "average", "median")))
        _console.print(table)
        for one in outcome.left_out:
            say(_console, "left out", one, "yellow")
        for path in (self.out / "report.md", *write_sheets(outcome, self.out)):
            _console.print(escape(str(path)), soft_wrap=True)
        return 0


@dataclass(frozen=True)
class GraspGenerate:
    """Render simulated scenes in the benchmark's format, half of them with kinds of objects no training data hold."""

    out: _Path
    """New folder."""
    options: GenerateOptions = field(default_factory=GenerateOptions)
    """How many and what."""

    def run(self) -> int:
        """Render."""
        from vitra_training.benchmarks.grasp.generate import generate_scenes

        with _bars() as progress:
            entries = generate_scenes(self.out, self.options, partial(progress, "rendering"))
        objects = sum(len(entry.captions) for entry in entries)
        _console.print(f"{len(entries)} scenes, {objects} objects -> {escape(str(self.out))}", soft_wrap=True)
        _console.print(f"Next: vitra-bench grasp {escape(str(self.out))}", soft_wrap=True)
        return 0


@dataclass(frozen=True)
class GraspCheck:
    """Check a folder of scenes: every file, its size, units and frames; exit code 2 names all that is wrong."""

    scenes: _Path
    """Folder of scenes."""

    def run(self) -> int:
        """Read everything."""
        with _bars() as progress:
            benchmark = check_folder(self.scenes, partial(progress, "checking"))
        groups = ", ".join(sorted({entry.group for entry in benchmark.entries}))
        _console.print(f"{len(benchmark.entries)} scenes, {benchmark.objects} objects, groups: {groups}. All is well.")
        return 0


@dataclass(frozen=True)
class Study:
    """Render the predicted hands of a run into videos that people rank blindly with vitra-study."""

    results: _Path
    """Folder of results of `vitra-bench grasp`."""
    out: _Path
    """New folder of videos."""
    policy: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """The policies of that run to show, as given there; a hand that stays and the oracle are shown besides."""
    options: StudyOptions = field(default_factory=StudyOptions)
    """How many items."""

    def run(self) -> int:
        """Render."""
        from vitra_training.benchmarks.grasp.run import prepare, read_run
        from vitra_training.benchmarks.grasp.study import write_study

        root, start = read_run(self.results)
        rows = rows_of([parse_policy(text) for text in self.policy], shuffle=False)
        with _bars() as progress:
            cases, _ = prepare(root, self.results, start, progress)
            count = write_study(self.results, self.out, cases, rows, self.options, partial(progress, "rendering"))
        _console.print(f"{count} items -> {escape(str(self.out))}", soft_wrap=True)
        _console.print(f"Next: vitra-study serve {escape(str(self.out))}", soft_wrap=True)
        return 0


Command: TypeAlias = Grasp | GraspGenerate | GraspCheck | Study


def main(arguments: list[str] | None = None) -> int:
    """Entry point; errors that a user can fix are sentences, without a traceback."""
    return run_command("vitra-bench", Command, __doc__, arguments, _console)


def _shown(summary: dict[str, Any], key: str) -> str:
    if key == "objects":
        return str(summary[key])
    low, high = summary[f"{key}_interval_cm"]
    return f"{summary[f'{key}_cm']:.1f} ({low:.1f} to {high:.1f})"


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each thing that is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console, transient=True) as progress:
        tasks: dict[str, Any] = {}

        def update(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield update


if __name__ == "__main__":
    sys.exit(main())
