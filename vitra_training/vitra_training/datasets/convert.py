"""From any format we read to any format we write, one episode at a time, with an account of what failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Protocol

from vitra_policy.errors import UnknownNameError
from vitra_training.bags.writer import refuse_inside_bag
from vitra_training.datasets.arrow_memory import give_memory_back, systems_pool
from vitra_training.datasets.episode import HumanEpisode, Recording
from vitra_training.datasets.errors import (
    ConversionError,
    DatasetError,
    DiskError,
    EmptyDatasetError,
    EpisodeExistsError,
    NothingConvertedError,
)
from vitra_training.datasets.formats import vitra_1m
from vitra_training.datasets.formats.egosmith import EgoSmithWriter
from vitra_training.datasets.formats.installed import installed_formats
from vitra_training.datasets.formats.new_folder import NewFolder
from vitra_training.datasets.formats.store import StoreOptions, StoreWriter
from vitra_training.datasets.formats.teledata_writer import TeleDataWriter
from vitra_training.datasets.promises import demand_promises
from vitra_training.datasets.sources import EpisodeSource
from vitra_training.datasets.video import VideoReader


class Format(StrEnum):
    """Formats that can be written."""

    CANONICAL = "canonical"
    """The store that training reads."""
    VITRA1M = "vitra1m"
    """Annotations of human episodes; they go on naming frames of their original videos."""
    TELEDATA = "teledata"
    """HDF5 and mp4 of robot episodes."""
    LEROBOT = "lerobot"
    """LeRobotDataset v3.0."""
    EGOSMITH = "egosmith"
    """WebDataset shards of human episodes, as EgoSmith writes and EgoSteer reads them."""


class EpisodeSink(Protocol):
    """Where converted episodes go."""

    def __enter__(self) -> EpisodeSink: ...

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def add(self, recording: Recording) -> object:
        """Append one episode; raises `DatasetError` and keeps what it had when it cannot."""


@dataclass(slots=True)
class ConversionReport:
    """What a conversion did."""

    converted: int = 0
    frames: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Episode id -> why."""
    existing: set[str] = field(default_factory=set)
    """Those of them that failed only because one of that name was there already."""


def parse_format(name: str) -> Format | str:
    """A format of ours, or the name of one that another package brings and that can be written.

    Raises:
        UnknownNameError: no such format; the message lists them.
        ConversionError: it can only be read.
    """
    if name in tuple(Format):
        return Format(name)
    installed = installed_formats()
    if name not in installed:
        raise UnknownNameError("data format", name, [*Format, *installed])
    if installed[name].create is None:
        raise ConversionError(name, name, "the package that brings this format can only read it")
    return name


def convert(
    source: EpisodeSource,
    target: Path,
    format: Format | str,
    options: StoreOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ConversionReport:
    """Convert every episode; broken ones are left out and named in the report.

    Args:
        source: The episodes.
        target: A new folder.
        format: Its layout.
        options: Of the canonical store.
        progress: Hears episodes done and their number.
    """
    return convert_all(source, {format: target}, options, progress)[format]


def convert_all(
    source: EpisodeSource,
    targets: Mapping[Format | str, Path],
    options: StoreOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
    demanding: bool = False,
    closing: Callable[[Format | str, ConversionReport], AbstractContextManager[None]] = lambda *_: nullcontext(),
) -> dict[Format | str, ConversionReport]:
    """Convert every episode into several formats, each loaded once; memory does not grow with their length.

    Args:
        source: The episodes.
        targets: A new folder of each format.
        options: Of the canonical store.
        progress: Hears episodes done and their number.
        demanding: Leave out what breaks a promise of the formats, too.
        closing: Around the last step of each format, with its account.

    Raises:
        ConversionError: a target is taken.
        InsideBagError: a target is in a bag.
        DiskError: the disk refuses what is written; a data set that is not complete is removed.
    """
    for target in targets.values():
        refuse_inside_bag(target)
    reports = {format: ConversionReport() for format in targets}
    sinks: dict[Format | str, EpisodeSink] = {
        format: open_sink(target, format, options) for format, target in targets.items()
    }
    try:
        with systems_pool():
            for number in range(len(source)):
                _convert_one(source, number, sinks, reports, demanding)
                if progress:
                    progress(number + 1, len(source))
            _close(sinks, targets, reports, closing)
    except BaseException as error:
        for sink in sinks.values():
            sink.__exit__(type(error), error, error.__traceback__)
        if isinstance(error, OSError):
            raise DiskError(", ".join(map(str, targets.values())), error) from None
        raise
    return reports


def _close(
    sinks: dict[Format | str, EpisodeSink],
    targets: Mapping[Format | str, Path],
    reports: Mapping[Format | str, ConversionReport],
    closing: Callable[[Format | str, ConversionReport], AbstractContextManager[None]],
) -> None:
    """Complete every data set; one that is empty, or does not fit on the disk, does not spoil those before it."""
    empty: EmptyDatasetError | None = None
    for format in tuple(sinks):
        try:
            with closing(format, reports[format]):
                sinks[format].__exit__(None, None, None)
        except EmptyDatasetError as error:
            failed = reports[format].failed
            empty = NothingConvertedError(str(targets[format]), failed) if failed else error
        del sinks[format]
        give_memory_back()
    if empty is not None:
        raise empty


def _convert_one(
    source: EpisodeSource,
    number: int,
    sinks: Mapping[Format | str, EpisodeSink],
    reports: Mapping[Format | str, ConversionReport],
    demanding: bool,
) -> None:
    name = source.ids[number]
    try:
        recording = source.load(number)
        if demanding:
            with VideoReader(recording.video.path) as video:
                demand_promises(recording.episode, video, recording.video.shared)
    except DatasetError as error:
        source.release(number)
        for report in reports.values():
            report.failed[name] = str(error)
        return
    for format, sink in sinks.items():
        report = reports[format]
        try:
            sink.add(recording)
            report.converted += 1
            report.frames += len(recording.episode)
        except DatasetError as error:
            report.failed[name] = str(error)
            if isinstance(error, EpisodeExistsError):
                report.existing.add(name)
        give_memory_back()
    source.release(number)


def open_sink(target: Path, format: Format | str, options: StoreOptions | None = None) -> EpisodeSink:
    """A writer of a format into a folder.

    Args:
        target: A new folder.
        format: Its layout.
        options: Of the canonical store.
    """
    create = None if format in tuple(Format) else installed_formats()[format].create
    if create is not None:
        return create(target)
    if format is Format.CANONICAL:
        return StoreWriter(target, options)
    if format is Format.VITRA1M:
        return Vitra1MWriter(target)
    if format is Format.TELEDATA:
        return TeleDataWriter(target)
    if format is Format.EGOSMITH:
        return EgoSmithWriter(target, target.resolve().name)
    from vitra_training.datasets.formats.lerobot_v3 import LeRobotWriter  # needs the robot description

    return LeRobotWriter(target)


class Vitra1MWriter:
    """Annotations and their index; the original videos stay where they are.

    Raises:
        TargetTakenError: something is in the folder that no interrupted conversion left.
    """

    def __init__(self, root: Path) -> None:
        self._folder = NewFolder(root, vitra_1m.LAYOUT)
        self.root = root
        self._lengths: dict[str, int] = {}

    def __enter__(self) -> Vitra1MWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None and not self._lengths:
            raise EmptyDatasetError(str(self.root))
        if error is None:
            vitra_1m.write_index(self.root, self._lengths)
            self._folder.complete()
        else:
            self._folder.remove()

    def add(self, recording: Recording) -> None:
        """Write one annotation.

        Raises:
            ConversionError: it is a robot's episode.
        """
        if not isinstance(recording.episode, HumanEpisode):
            raise ConversionError(recording.episode.id, "VITRA-1M", "it is a robot episode; that format holds hands")
        self._folder.take()
        vitra_1m.write_episode(recording.episode, self.root)
        self._lengths[recording.episode.id] = len(recording.episode)
