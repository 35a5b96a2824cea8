"""`vitra-data`: look at, check, convert, measure, preview and synthesize data sets."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from vitra_policy.action_space import SIDES, Side
from vitra_policy.errors import VitraError
from vitra_policy.statistics import Statistics, StatisticsError
from vitra_training.command import run_command, say
from vitra_training.datasets.convert import ConversionReport, Format, convert, parse_format
from vitra_training.datasets.convert_arguments import Places
from vitra_training.datasets.episode import HumanEpisode, usable_frames, valid_frames
from vitra_training.datasets.errors import TargetTakenError
from vitra_training.datasets.findings import Finding, Level
from vitra_training.datasets.formats.lerobot_reader import COUNTERS, LeRobotData
from vitra_training.datasets.formats.store import StoreOptions
from vitra_training.datasets.new_file import check_new_file, is_report, is_statistics
from vitra_training.datasets.preview import write_preview
from vitra_training.datasets.rates import rate_words
from vitra_training.datasets.sources import EpisodeSource, open_source, open_to_learn
from vitra_training.datasets.statistics import StatisticsOptions, compute_statistics
from vitra_training.datasets.validate import EpisodeReport, validate_episode
from vitra_training.datasets.video import VideoReader
from vitra_training.synthetic.generate import SyntheticOptions, generate
from vitra_training.synthetic.robot_demos import generate_robot_demos

_console = Console()
_Data = Annotated[Path, tyro.conf.Positional]


@dataclass(frozen=True)
class Inspect:
    """Say what a data set holds."""

    data: _Data
    """Canonical store, LeRobot data set, folder of *.npy, *.h5, *.tar or bags, or one such file."""
    video_root: Path | None = None
    """Where the videos of VITRA-1M annotations are, when they are elsewhere."""
    episodes: int = 10
    """Episodes to list."""

    def run(self) -> int:
        """Print the table."""
        source = open_source(self.data, self.video_root)
        table = Table(title=f"{escape(str(self.data))} ({source.format}, {len(source)} episodes)")
        for column in ("episode", "frames", "usable", "left", "right", "video", "instruction"):
            table.add_column(column, overflow="fold")
        for number in range(min(len(source), self.episodes)):
            table.add_row(*map(escape, _describe(source, number)))
        _console.print(table)
        if isinstance(source, LeRobotData):
            say(_console, "robot", f"{source.robot_type}; {rate_words(source.fps)}; " + _features(source), "bold")
        return 0


@dataclass(frozen=True)
class Validate:
    """Check everything the formats promise; exit code 1 when an episode breaks a promise."""

    data: _Data
    """Data set or one episode."""
    video_root: Path | None = None
    """Where the videos of VITRA-1M annotations are, when they are elsewhere."""
    report: Path | None = None
    """JSON file with the findings of every episode."""

    def run(self) -> int:
        """Validate and print the findings.

        Raises:
            InsideBagError, FileTakenError: no report can be written there.
        """
        if self.report is not None:
            check_new_file(self.report, is_report)
        source = open_source(self.data, self.video_root)
        reports: list[EpisodeReport] = []
        with _bar("validating") as progress:
            for number in range(len(source)):
                reports.append(validate_episode(source, number))
                progress(number + 1, len(source))
        if source.format == "bags":
            reports = self._held_to_check(reports)
        broken = [report for report in reports if not report.ok]
        for report in reports:
            for finding in report.findings:
                style = "red" if finding.level == "error" else "yellow"
                say(_console, finding.level, f"{report.id}: {finding.check}: {finding.message}", style)
        frames = sum(report.frames for report in reports)
        usable = sum(report.usable_frames for report in reports)
        _console.print(f"{len(reports)} episodes, {frames} frames ({usable} usable), {len(broken)} broken")
        if self.report is not None:
            self.report.parent.mkdir(parents=True, exist_ok=True)
            self.report.write_text(json.dumps([dataclasses.asdict(r) | {"ok": r.ok} for r in reports], indent=1))
        return 1 if broken else 0

    def _held_to_check(self, reports: list[EpisodeReport]) -> list[EpisodeReport]:
        """Of bags also what only their check sees; those that are no episodes are named."""
        from vitra_training.bags.gate import judged  # needs the robot's kinematics and rosbags

        bags, of = judged(self.data), {report.id: report for report in reports}
        for bag, reason in bags.unasked.items():
            say(_console, "left out", f"{bag}: {reason}", "yellow")
        for bag, reason in bags.failed.items():
            report = of.get(bag, EpisodeReport(bag, 0, 0, (), ()))
            found = (*report.findings, Finding(Level.ERROR, "bag", reason))
            of[bag] = dataclasses.replace(report, checks=(*report.checks, "bag"), findings=found)
        return list(of.values())


@dataclass(frozen=True)
class Convert:
    """Convert a data set to another format.

    Episodes that cannot be read are left out and listed in left_out.json; what
    `validate` finds in others is carried over, and training leaves it out. Bags
    have the gate, account and exit code of `vitra-bag convert`: their check, and
    what an operator saved.
    """

    data: _Data
    """Data set to read."""
    out: _Data
    """New folder to write."""
    format: str = Format.CANONICAL.value
    """What to write: canonical, vitra1m, teledata, lerobot, egosmith, or a format of another package."""
    video_root: Path | None = None
    """Where the videos of VITRA-1M annotations are, when they are elsewhere."""
    store: StoreOptions = field(default_factory=StoreOptions)
    """How a canonical store is cut and encoded."""

    def run(self) -> int:
        """Convert and print the account.

        Raises:
            ConversionArgumentsError: the places cannot be meant like that; the message has a command that goes.
        """
        target = parse_format(self.format)
        places = Places(self.data, self.out, self.format)
        source, judged = places.asked_for(self.video_root)
        left_out = judged.failed if judged else {}
        for bag, reason in (judged.unasked if judged else {}).items():
            say(_console, "left out", f"{bag}: {reason}", "yellow")
        wanted = len(source) + len(left_out)
        try:
            with _bar("converting") as progress:
                report = convert(source, self.out, target, self.store, progress) if len(source) else ConversionReport()
        except TargetTakenError as error:
            raise places.taken(error) from None
        report.failed |= left_out
        for episode, reason in report.failed.items():
            say(_console, "left out", f"{episode}: {reason}")
        if report.failed:
            self.out.mkdir(parents=True, exist_ok=True)  # where every episode was left out nothing has made it
            (self.out / "left_out.json").write_text(json.dumps(report.failed, indent=1))
        _console.print(f"{report.converted} of {wanted} episodes, {report.frames} frames -> {self.out}", markup=False)
        if judged is None:
            return 0 if report.converted else 1
        judged.account.fail(len(report.failed) - len(left_out))
        say(_console, "in all", str(judged.account), "bold")
        return judged.account.exit_code


@dataclass(frozen=True)
class Stats:
    """Compute the statistics file that training and the robot normalise with."""

    data: _Data
    """Data set; bags are converted first."""
    out: _Data
    """JSON file to write."""
    name: str = ""
    """Name in the file; default the folder's name."""
    video_root: Path | None = None
    """Where the videos of VITRA-1M annotations are, when they are elsewhere."""
    workers: int = 1
    """Processes."""
    options: StatisticsOptions = field(default_factory=StatisticsOptions)
    """What is computed over."""

    def run(self) -> int:
        """Compute and write.

        Raises:
            RecordingsError: the data are bags.
            InsideBagError, FileTakenError: nothing can be written there.
        """
        from vitra_policy.checkpoint.store import is_checkpoint  # needs torch

        check_new_file(self.out, lambda found: is_statistics(found) and not is_checkpoint(self.out.parent))
        source = open_to_learn(self.data, self.video_root)
        with _bar("measuring") as progress:
            name = self.name or self.data.stem
            statistics, count = compute_statistics(source, name, self.options, self.workers, progress)
        for episode, reason in count.skipped.items():
            say(_console, "left out", f"{episode}: {reason}")
        for cause, number in count.doubts.items():
            if number:
                say(_console, "left out", f"{number} {cause}")
        self.out.parent.mkdir(parents=True, exist_ok=True)
        statistics.save(self.out)
        try:
            Statistics.load(self.out)
        except StatisticsError as error:
            say(_console, "will be refused", str(error))
        frames = ", ".join(f"{side} {count.action[side].count}" for side in statistics.present)
        _console.print(f"{count.episodes} episodes, frames per hand: {frames} -> {self.out}", markup=False)
        return 0


@dataclass(frozen=True)
class Preview:
    """Write an overlay video of one episode: hands, wrist path, captions."""

    data: _Data
    """Data set or one episode."""
    out: _Data
    """mp4 file to write."""
    episode: int = 0
    """Number of the episode."""
    video_root: Path | None = None
    """Where the videos of VITRA-1M annotations are, when they are elsewhere."""

    def run(self) -> int:
        """Draw.

        Raises:
            VitraError: there is no such episode.
            InsideBagError, FileTakenError: nothing can be written there.
        """
        check_new_file(self.out)
        source = open_source(self.data, self.video_root)
        if not 0 <= self.episode < len(source):
            raise VitraError(f"There is no episode {self.episode}; the data set has 0 to {len(source) - 1}.")
        path = write_preview(source.load(self.episode), self.out)
        _console.print(f"{source.ids[self.episode]} -> {path}", markup=False)
        return 0


@dataclass(frozen=True)
class Synth:
    """Synthesize episodes: rendered scenes, moving camera, acting hands; in VITRA-1M format, or as robot demos."""

    out: _Data
    """New folder to write."""
    robot: bool = False
    """Demonstrations of a robot: still camera, hands moved by an arm within its limits, TeleData format."""
    options: SyntheticOptions = field(default_factory=SyntheticOptions)
    """How many and what."""

    def run(self) -> int:
        """Render."""
        with _bar("rendering") as progress:
            count = (generate_robot_demos if self.robot else generate)(self.out, self.options, progress)
        _console.print(f"{count} episodes -> {self.out}", markup=False)
        return 0


Command: TypeAlias = Inspect | Validate | Convert | Stats | Preview | Synth


def main(arguments: list[str] | None = None) -> int:
    """Entry point; errors that a user can fix are sentences, without a traceback."""
    return run_command("vitra-data", Command, __doc__, arguments, _console)


def _features(source: LeRobotData) -> str:
    """What a LeRobot data set holds, and whether statistics have quantiles."""
    features = {name: about for name, about in source.features.items() if name not in COUNTERS}
    shapes = [f"{name} {tuple(about.get('shape', ()))}" for name, about in features.items()]
    return f"{', '.join(shapes)}; statistics {'with' if source.has_quantiles else 'without'} quantiles q01 to q99"


def _read_only(source: LeRobotData, number: int) -> list[str]:
    """An episode of another robot: what it shows, without hands of ours."""
    shown = source.look(number)
    sizes = []
    for camera, clip in shown.cameras.items():
        with VideoReader(clip.path) as video:
            sizes.append(f"{camera.rpartition('.')[2]} {video.width}x{video.height} {rate_words(video.fps)}")
    return [shown.id, str(len(shown)), "read-only", "-", "-", ", ".join(sizes) or "-", escape(shown.task)]


def _describe(source: EpisodeSource, number: int) -> list[str]:
    name = source.ids[number]
    try:
        if isinstance(source, LeRobotData) and not source.is_ours:
            return _read_only(source, number)
        recording = source.load(number)
        episode = recording.episode
        with VideoReader(recording.video.path) as video:
            shown = f"{video.width}x{video.height} {rate_words(video.fps)}"
    except VitraError as error:
        return [name, "-", "-", "-", "-", "-", f"[red]{escape(str(error))}[/]"]
    valid = {side: str(int(frames.sum())) for side, frames in valid_frames(episode).items()}
    if isinstance(episode, HumanEpisode):
        words = "; ".join(f"{s}: {w.caption}" for s in SIDES for w in episode.text[s] if w.end > w.start)
    else:
        words = episode.instruction
    usable = str(int(np.sum(usable_frames(episode))))
    return [name, str(len(episode)), usable, valid[Side.LEFT], valid[Side.RIGHT], shown, words]


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


if __name__ == "__main__":
    sys.exit(main())
