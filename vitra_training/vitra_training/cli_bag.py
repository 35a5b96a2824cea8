"""`vitra-bag`: judge, repair, cut and convert recorded episodes."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, track
from rich.table import Table

from vitra_policy.command_options import OptionValueError
from vitra_training.bags.check import BagReport, as_json, check_bag
from vitra_training.bags.check_plot import draw_check
from vitra_training.bags.conversion_journal import ConversionJournal
from vitra_training.bags.episodes import BagEpisodes
from vitra_training.bags.errors import NoBagError, SeveralBagsError
from vitra_training.bags.find import all_bags, unique_names
from vitra_training.bags.gate import Account, verdicts
from vitra_training.bags.repair import RepairReport, clear_leftovers, find_all, repair_bag
from vitra_training.bags.trim import check_span, trim_bag
from vitra_training.bags.writer import refuse_inside_bag
from vitra_training.command import run_command, say
from vitra_training.datasets.convert import ConversionReport, Format, convert_all
from vitra_training.datasets.errors import DatasetError
from vitra_training.datasets.limits import Limits
from vitra_training.datasets.new_file import check_new_file, is_report
from vitra_training.datasets.rates import rate_words

_console, _progress = Console(), Console(stderr=True)
_Bag = Annotated[Path, tyro.conf.Positional]
_MARGIN_S = 0.3
_OF_ROBOTS = (Format.TELEDATA, Format.CANONICAL, Format.LEROBOT)


@dataclass(frozen=True)
class Check:
    """Judge every episode: rates, gaps, skew, idle ends, joint jumps, clocks, frozen images, masks, words.

    Exit code 1 when an episode must not be used.
    """

    data: _Bag
    """A bag, or a folder of bags (discarded ones are left out)."""
    report: Path | None = None
    """JSON file with every figure."""
    images: Path | None = None
    """Folder for one image per episode."""
    limits: Limits = field(default_factory=Limits)
    """From when on something is called bad."""

    def run(self) -> int:
        """Check and print.

        Raises:
            NoBagError: there is no bag at all.
            InsideBagError, FileTakenError: no report or image can be written there.
        """
        if self.report is not None:
            check_new_file(self.report, is_report)
        if self.images is not None:
            refuse_inside_bag(self.images)
        reports, bags = [], all_bags(self.data)
        for path, name in zip(bags, unique_names(self.data, bags), strict=True):
            report, bag = check_bag(path, self.limits)
            reports.append(report)
            _say(report)
            if bag is not None and self.images is not None:
                draw_check(report, bag, self.images / f"{name}.png")
        if self.report is not None:
            self.report.parent.mkdir(parents=True, exist_ok=True)
            self.report.write_text(json.dumps([as_json(report) for report in reports], indent=1))
        bad = sum(not report.ok for report in reports)
        _console.print(f"{len(reports)} episodes, {len(reports) - bad} good, {bad} bad")
        return 1 if bad else 0


@dataclass(frozen=True)
class Repair:
    """Make whole bags of those that a crash or a bad disk left; damaged ones move to originals/."""

    data: _Bag
    """A bag (`*.partial` or damaged), or a folder of bags: whole ones are read to their end and left as they are."""

    def run(self) -> int:
        """Repair and print; one bag that cannot be repaired does not keep the others from it.

        Raises:
            NoBagError: there is no bag at all.
        """
        for path in clear_leftovers(self.data):
            _console.print(f"removed what an interrupted repair had left: {path}", markup=False, soft_wrap=True)
        paths = find_all(self.data)
        if not paths:
            raise NoBagError(self.data)
        hopeless = []
        for path in track(paths, "repairing", console=_progress, transient=True):
            try:
                _say_repair(repair_bag(path))
            except DatasetError as error:
                hopeless.append(path)
                say(_console, "not repaired", str(error))
            except OSError as error:
                hopeless.append(path)
                words = f"{error.filename or path}: {error.strerror or error}. The bag is left as it is"
                say(_console, "not repaired", words)
        _console.print(f"{len(paths)} bags looked at, {len(hopeless)} of them hopeless")
        return 1 if hopeless else 0


def _say_repair(report: RepairReport) -> None:
    if report.original is None:
        _console.print(f"{report.source}: nothing is wrong, {report.messages} messages", markup=False, soft_wrap=True)
        return
    _console.print(
        f"[green]{escape(str(report.result))}[/]: {report.messages} messages over {report.duration_s:.1f} s; "
        f"the damaged bag is in {escape(str(report.original))}"
    )
    for damage in report.damages:
        _console.print(f"  [yellow]{escape(str(damage))}[/]", highlight=False)


@dataclass(frozen=True)
class Trim:
    """Cut a bag into a new one; idle ends teach a policy to idle."""

    bag: _Bag
    """Bag to cut; it is left as it is."""
    out: _Bag
    """New bag."""
    idle: bool = False
    """Cut where nothing moves at the beginning and the end."""
    begin_s: float = 0.0
    """Seconds from the beginning of the bag, within it."""
    end_s: float | None = None
    """Seconds from the beginning of the bag, within it and after `begin_s`; default its end."""

    def run(self) -> int:
        """Cut and print.

        Raises:
            NoBagError, SeveralBagsError: what is named is not one bag.
            OptionValueError: the span is not within the bag.
            EmptyTrimError: no image would be left.
        """
        if self.bag not in (found := all_bags(self.bag)):
            raise SeveralBagsError(self.bag, found)
        report, _ = check_bag(self.bag)
        end_s = report.duration_s if self.end_s is None else self.end_s
        begin_s = self.begin_s
        if report.duration_s:
            check_span(self.bag, begin_s, end_s, report.duration_s)
        if self.idle:
            begin_s = max(begin_s, report.idle_head_s - _MARGIN_S)
            end_s = min(end_s, report.duration_s - report.idle_tail_s + _MARGIN_S)
        count = trim_bag(self.bag, self.out, begin_s, end_s)
        _console.print(
            f"{self.out}: {count} messages, {begin_s:.2f} s to {end_s:.2f} s of {self.bag}",
            markup=False,
            soft_wrap=True,
        )
        return 0


@dataclass(frozen=True)
class Convert:
    """Write episodes as TeleData, canonical store and LeRobot v3.

    Left out are episodes that fail their check or break a promise of the formats (`vitra-data validate`), and those
    whose outcome no operator decided (a recorder that was stopped, a full disk, a crash). Exit code 1 when an episode
    was left out that fails, or nothing is converted; episodes that nobody judged are asked for by --unjudged only, and
    discarded ones are never converted. The same command goes on after it was interrupted.
    """

    data: _Bag
    """A bag, or a folder of bags (discarded ones are left out)."""
    out: _Bag
    """New folder; each format gets a folder in it."""
    formats: tuple[Format, ...] = (Format.TELEDATA, Format.CANONICAL, Format.LEROBOT)
    """What to write."""
    unchecked: bool = False
    """Convert episodes even if their check fails or they break a promise of the formats."""
    unjudged: bool = False
    """Convert episodes that no operator judged, too; never those that one discarded."""

    def __post_init__(self) -> None:
        if not self.formats:
            raise OptionValueError("formats", "empty", f"some of {', '.join(_OF_ROBOTS)}")
        if hands := [format for format in self.formats if format not in _OF_ROBOTS]:
            allowed = f"some of {', '.join(_OF_ROBOTS)}; bags hold a robot's episodes, and that format those of people"
            raise OptionValueError("formats", str(hands[0]), allowed)

    def run(self) -> int:
        """Convert and print.

        Raises:
            TargetTakenError, InsideBagError, DiskError: nothing can be written there.
        """
        bags, account = [], Account()
        for verdict in verdicts(all_bags(self.data), self.unchecked, self.unjudged):
            account.add(verdict)
            if verdict.is_taken:
                bags.append(verdict.bag)
            elif verdict.failed is not None:
                _say(verdict.failed)
            else:
                words = verdict.discarded or f"{verdict.unjudged}; --unjudged takes it all the same"
                say(_console, "left out", f"{verdict.bag}: {words}", "yellow")
        with contextlib.ExitStack() as stack:
            if bags:
                source = BagEpisodes(self.data, bags)
                journal = stack.enter_context(ConversionJournal(self.out, source, self.unchecked))
                reports = self._write(source, journal).values()
                unwritten = {episode for report in reports for episode in report.failed}
                account.fail(len(unwritten), len(unwritten & {e for report in reports for e in report.existing}))
            say(_console, "in all", str(account), "bold")
            if account.existing:
                say(_console, "next", f"{account.existing} were not written, for episodes of their names are in "
                    f"{self.out} already and stay as they are: convert into a new folder", "bold")  # fmt: skip
            if account.failing > account.existing:
                more = "" if self.unchecked else "; or --unchecked takes all that can be read"
                say(_console, "next", f"`vitra-bag check {self.data}` says what is wrong with each. Mend them "
                    f"(`vitra-bag repair`, `vitra-bag trim`), convert into a new folder{more}", "bold")  # fmt: skip
        return account.exit_code

    def _write(self, source: BagEpisodes, journal: ConversionJournal) -> dict[Format | str, ConversionReport]:
        """Write every format that an interrupted run of the same command has not completed; the account of all."""
        kept = journal.whole(self.formats)
        targets: dict[Format | str, Path] = {f: self.out / str(f) for f in self.formats if f not in kept}
        if targets:
            journal.begin(targets)
        with Progress(console=_progress, transient=True) as progress:
            task = progress.add_task("converting", total=len(source))
            written = convert_all(
                source, targets, progress=lambda n, _: progress.update(task, completed=n),
                demanding=not self.unchecked, closing=journal.closing,
            ) if targets else {}  # fmt: skip
        reports: dict[Format | str, ConversionReport] = {**kept, **written}
        for format, report in reports.items():
            for episode, reason in report.failed.items():
                say(_console, "left out", f"{episode}: {reason}")
            since = "; whole since an interrupted run, kept as it is" if format in kept else ""
            words = f"{report.converted} episodes, {report.frames} frames -> {self.out / str(format)}{since}"
            _console.print(words, markup=False)
        return reports


Command: TypeAlias = Check | Repair | Trim | Convert


def main(arguments: list[str] | None = None) -> int:
    """Entry point; errors that a user can fix are sentences, without a traceback."""
    return run_command("vitra-bag", Command, __doc__, arguments, _console)


def _say(report: BagReport) -> None:
    mark = "[green]good[/]" if report.ok else "[red]bad[/]"
    words = escape(f"{report.path}: {report.duration_s:.1f} s, '{report.instruction}'")
    _console.print(f"{mark} {words}", highlight=False)
    # Names are folded, never cut: `right_arm/joint_states` and its like begin with the same letters.
    table = Table(box=None, pad_edge=False)
    for column in ("stream", "messages", "Hz", "declared", "longest gap ms", "age at frames p50/p95/max ms"):
        table.add_column(column, style="dim", overflow="fold")
    for stream in report.streams:
        if stream.declared_hz or stream.topic in report.skew:
            skew = report.skew.get(stream.topic)
            ages = f"{skew.p50_s * 1e3:.1f} / {skew.p95_s * 1e3:.1f} / {skew.max_s * 1e3:.1f}" if skew else ""
            declared = _rate(stream.declared_hz) if stream.declared_hz else ""
            gap = f"{stream.longest_gap_s * 1e3:.0f}"
            table.add_row(escape(stream.topic), str(stream.count), _rate(stream.rate_hz), declared, gap, ages)
    if report.streams:
        _console.print(table)
    for finding in report.findings:
        style = "red" if finding.level == "error" else "yellow"
        _console.print(
            f"  [{style}]{finding.level}[/] {escape(f'{finding.check}: {finding.message}')}", highlight=False
        )


def _rate(rate_hz: float) -> str:
    """Without its unit, which the head of the column has."""
    return rate_words(round(rate_hz, 1)).removesuffix(" Hz")


if __name__ == "__main__":
    sys.exit(main())
