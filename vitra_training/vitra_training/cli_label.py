"""`vitra-label`: from videos of people to captioned episodes with hand and camera poses."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from vitra_policy.command_errors import print_error
from vitra_policy.errors import VitraError, disk_words
from vitra_training.labeling.adapters.calibrate import find_lens
from vitra_training.labeling.adapters.tool import ToolConfig
from vitra_training.labeling.engines.ledger import Ledger, Status
from vitra_training.labeling.engines.workspace import Workspace
from vitra_training.labeling.estimate import estimate
from vitra_training.labeling.ingest.layouts import FoundVideo, Layout, find_videos
from vitra_training.labeling.ingest.lens import read_lens, write_lens
from vitra_training.labeling.ingest.stage import IngestConfig
from vitra_training.labeling.pipeline import PipelineConfig
from vitra_training.labeling.run import EngineKind, Resources, label
from vitra_training.labeling.truth.options import RenderOptions

_console = Console()
_Path = Annotated[Path, tyro.conf.Positional]


@dataclass(frozen=True)
class Run:
    """Label every video of a data set; the same command again continues where it was.

    `OUT/episodes` holds the episodes in three formats, `OUT/report.html` says what came out and what was put aside.
    """

    data: _Path
    """Folder of videos in one of the layouts, or one video."""
    out: Path
    """Folder of results."""
    layout: Layout = Layout.AUTO
    """How the folder is arranged."""
    workers: int = 2
    """Jobs at the same time; each takes one core and up to 4 GiB."""
    engine: EngineKind = EngineKind.LOCAL
    """Where they run."""
    gpus: float = 0.0
    """Share of a GPU that each job holds on a Ray cluster, for estimators that need one."""
    retry_quarantined: bool = False
    """Try again what an earlier run gave up."""
    limit: int | None = None
    """Label only so many videos."""
    lens: Path | None = None
    """A lens to take out of every image (fisheye, radial, Aria's), as JSON; `vitra-label lens` makes one."""
    dry_run: bool = False
    """Only say what it would take: hours, tokens, storage, cost."""
    config: PipelineConfig = field(default_factory=PipelineConfig)
    """Of the stages."""

    def run(self) -> int:
        """Label; the exit code is 1 when no episode came out."""
        videos = find_videos(self.data, self.layout)[: self.limit]
        if self.dry_run:
            return self._say_estimate(videos)
        config = self.config
        if self.lens is not None:
            config = replace(config, ingest=replace(config.ingest, lens=read_lens(self.lens)))
        with _stages(len(videos)) as progress:
            resources = Resources(self.workers, self.engine, self.gpus)
            outcome = label(videos, self.out, config, resources, self.retry_quarantined, progress)
        table = Table(title=f"{outcome.facts.video_s:.1f} s of video in {outcome.facts.wall_s:.1f} s")
        for column in ("stage", "done", "from before", "put aside", "busy s"):
            table.add_column(column, justify="left" if column == "stage" else "right")
        for name, t in outcome.stages.tallies.items():
            table.add_row(name, str(t.done), str(t.skipped), str(t.quarantined), f"{t.seconds:.1f}")
        _console.print(table)
        for aside in outcome.stages.quarantined:
            _console.print(
                f"[yellow]put aside[/] {escape(f'{aside.item}, {aside.stage}: {aside.reason}: {aside.detail}')}"
            )
        for reason, count in outcome.episodes.reasons.most_common():
            _console.print(f"{count} episode(s) left out: {escape(reason)}")
        _console.print(
            f"{outcome.episodes.accepted} episodes in {self.out / 'episodes'}; report: {outcome.report}", markup=False
        )
        return 0 if outcome.episodes.accepted else 1

    def _say_estimate(self, videos: list[FoundVideo]) -> int:
        captions = self.config.captions
        with _bar("looking at videos") as advance:
            e = estimate(videos, self.workers, captions.captioner, captions.client, progress=advance)
        for problem in e.unusable:
            _console.print(f"[yellow]cannot be labelled[/] {escape(problem)}")
        _console.print(
            f"{e.videos - len(e.unusable)} videos, {e.video_hours:.2f} h: about {e.cpu_hours:.1f} CPU hours "
            f"({e.wall_hours:.1f} h on {self.workers} cores, no GPU), {e.storage_gb:.2f} GB, {e.captions} actions, "
            f"{e.tokens / 1e6:.2f} million tokens, {e.caption_usd:.2f} USD for captions. "
            f"The paper used about {e.paper_gpu_hours:.1f} V100 hours for as much video."
        )
        return 0


class CalibratedBy(StrEnum):
    """Who finds a lens."""

    DROIDCALIB = "droidcalib"
    """From a moving camera (12 GB GPU)."""
    DEEPCALIB = "deepcalib"
    """From single images."""


@dataclass(frozen=True)
class Lens:
    """Find the lens of a camera from one of its videos, with an estimator that others trained.

    `vitra-label run VIDEOS --lens OUT` takes the bend out of all videos of that camera. A calibration of your own is
    better: the same JSON, docs/labeling/README.md: Lenses.
    """

    video: _Path
    """A video of that camera, upright as stored."""
    out: Path
    """The JSON file to write."""
    by: CalibratedBy = CalibratedBy.DROIDCALIB
    """Who finds it."""
    tool: ToolConfig = field(default_factory=ToolConfig)
    """Where it is installed."""
    every: int = 2
    """Every how many-th frame is looked at."""
    frames: int = 600
    """At most so many, from the beginning."""

    def run(self) -> int:
        """Ask and write."""
        with _bar("calibrating"):
            lens = find_lens(self.video, self.by is CalibratedBy.DROIDCALIB, self.tool, self.every, self.frames)
        write_lens(lens, self.out)
        numbers = ", ".join(f"{value:.4g}" for value in lens.parameters)
        _console.print(f"{lens.kind} lens by {lens.source}: {numbers}; written to {self.out}", markup=False)
        return 0


@dataclass(frozen=True)
class Show:
    """Say how far a run has come and what it put aside, from its ledger."""

    out: _Path
    """Folder of results of a run."""

    def run(self) -> int:
        """Print the ledger."""
        path = Workspace(self.out).ledger
        if not path.is_file():
            print_error(
                _console, "vitra-label", f"No run in {self.out}. Start one: vitra-label run VIDEOS --out {self.out}"
            )
            return 2
        ledger = Ledger(path)
        entries = ledger.entries()
        ledger.close()
        table = Table(title=str(self.out))
        for column in ("stage", *Status, "seconds"):
            table.add_column(column, justify="left" if column == "stage" else "right")
        for stage in dict.fromkeys(entry.stage for entry in entries):
            mine = [entry for entry in entries if entry.stage == stage]
            counts = [str(sum(entry.status is status for entry in mine)) for status in Status]
            table.add_row(stage, *counts, f"{sum(entry.seconds for entry in mine):.1f}")
        _console.print(table)
        for entry in entries:
            if entry.status is Status.QUARANTINED:
                where = entry.video if entry.clip < 0 else f"{entry.video} clip {entry.clip}"
                _console.print(
                    escape(f"{where}, {entry.stage}: {entry.reason} ({entry.attempts} tries): {entry.detail}")
                )
        return 0


@dataclass(frozen=True)
class Audit:
    """Let people judge a random sample of a run's episodes in a web page: is it one action, and are the words right?

    The sample is drawn once; every judge opens the same link under a name of their own and sees the episodes in another
    order. `OUT/audit/judgements.csv` keeps what they say.
    """

    out: _Path
    """Folder of results of a run."""
    sample: int = 500
    """Episodes to draw (the paper's number), at the first start."""
    seed: int = 0
    """Of the draw."""
    scores: bool = False
    """Only say the result: accepted share with interval, kappa of each two judges."""
    host: str = "127.0.0.1"
    """Address to listen on; another one than loopback opens it to the network."""
    port: int = 8767
    """Port to listen on."""
    token: str = ""
    """Part of the judges' link; default: drawn and shown."""

    def run(self) -> int:
        """Serve until Ctrl-C, then say the result."""
        try:
            from vitra_training.labeling.audit import serve  # needs the console's web parts
        except ImportError as error:
            why = f"The audit page needs the ROS packages' web parts ({error}). Run make setup."
            print_error(_console, "vitra-label", why)
            return 2
        sample, book = serve.open_audit(self.out, self.sample, self.seed)
        if not self.scores:
            token = self.token or serve.default_token()
            _console.print(f"{len(sample)} of {sample.of} episodes; judgements go to {sample.folder}/judgements.csv")
            _console.print(f"link for judges: http://{self.host}:{self.port}/#token={token}")
            serve.run_pages(sample, book, token, self.host, self.port)
        for line in serve.result_of(sample, book):
            _console.print(escape(line))
        return 0


@dataclass(frozen=True)
class Render:
    """Render egocentric videos with known cameras, hands and actions, to test labeling or to train on."""

    out: _Path
    """Folder for the videos and, beside each, its truth."""
    videos: int = 1
    seed: int = 0
    """The first video's; each has its own."""
    options: RenderOptions = field(default_factory=RenderOptions)

    def run(self) -> int:
        """Render."""
        from vitra_training.labeling.truth.generate import render_video  # needs the simulator

        with _bar("rendering") as advance:
            for number in range(self.videos):
                render_video(self.out, f"rendered{self.seed + number:04d}", self.seed + number, self.options)
                advance(number + 1, self.videos)
        return 0


@dataclass(frozen=True)
class Demo:
    """Render a video of someone who moves things about, label it as any other, and report; needs no network."""

    out: Path = Path("runs/label-demo")
    """Folder of results; videos and results of an earlier demo are used again."""
    seconds: float = 20.0
    """Length of the rendered video, 640 x 480 at 30 frames/s."""
    real: Path | None = None
    """A real video to label, too."""
    workers: int = 2
    """Jobs at the same time."""

    def run(self) -> int:
        """Render, label, report."""
        from vitra_training.labeling.truth.generate import render_video  # needs the simulator

        videos = self.out / "videos"
        if not (videos / "rendered.mp4").is_file():
            with _bar("rendering") as advance:
                render_video(videos, "rendered", 5, RenderOptions(seconds=self.seconds), advance)
        if self.real is not None and not (videos / self.real.name).is_file():
            shutil.copyfile(self.real, videos / self.real.name)
        # Two clips of 20 s with their overlap: both cores have something to do, and the seam is part of the demo.
        config = PipelineConfig(ingest=IngestConfig(clip_s=11.0, overlap_s=2.0))
        return Run(videos, self.out, workers=self.workers, config=config).run()


Command: TypeAlias = (
    Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Lens, tyro.conf.subcommand("lens")]
    | Annotated[Show, tyro.conf.subcommand("show")]
    | Annotated[Audit, tyro.conf.subcommand("audit")]
    | Annotated[Render, tyro.conf.subcommand("render")]
    | Annotated[Demo, tyro.conf.subcommand("demo")]
)


def main(arguments: list[str] | None = None) -> int:
    """Run `vitra-label`."""
    command: Command = tyro.cli(Command, args=arguments, prog="vitra-label", description=__doc__)
    try:
        return command.run()
    except VitraError as error:
        print_error(_console, "vitra-label", error)
        return 2
    except OSError as error:
        print_error(_console, "vitra-label", disk_words(error))
        return 2
    except KeyboardInterrupt:
        _console.print("Interrupted; the same command continues.")
        return 130


@contextmanager
def _bar(what: str) -> Iterator[Any]:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _stages(videos: int) -> Iterator[Any]:
    """A bar per stage; the totals grow as videos are cut."""
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def advance(_: object, result: Any) -> None:
            clips = sum(len(outputs.get("hands", {})) for outputs in result.outputs.values())
            for name, tally in result.tallies.items():
                if name not in tasks:
                    tasks[name] = bar.add_task(name, total=videos)
                done = tally.done + tally.skipped + tally.quarantined
                total = max(clips, done) if name in ("hands", "camera") else videos
                bar.update(tasks[name], completed=done, total=total)

        yield advance


if __name__ == "__main__":
    sys.exit(main())
