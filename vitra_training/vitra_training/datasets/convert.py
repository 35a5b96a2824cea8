"""From any format we read to any format we write, one episode at a time, with an account of what failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Protocol

from vitra_training.datasets.episode import HumanEpisode, Recording, RobotEpisode
from vitra_training.datasets.errors import ConversionError, DatasetError
from vitra_training.datasets.formats import teledata, vitra_1m
from vitra_training.datasets.formats.store import StoreOptions, StoreWriter
from vitra_training.datasets.sources import EpisodeSource
from vitra_training.datasets.video import VideoReader, VideoWriter, even_size


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


class EpisodeSink(Protocol):
    """Where converted episodes go."""

    def __enter__(self) -> EpisodeSink: ...

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def add(self, recording: Recording) -> None:
        """Append one episode; raises `DatasetError` and keeps what it had when it cannot."""


@dataclass(slots=True)
class ConversionReport:
    """What a conversion did."""

    converted: int = 0
    frames: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Episode id -> why."""


def convert(
    source: EpisodeSource,
    target: Path,
    format: Format,
    options: StoreOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ConversionReport:
    """Convert every episode; broken ones are left out and named in the report."""
    report = ConversionReport()
    with open_sink(target, format, options) as sink:
        for number in range(len(source)):
            try:
                recording = source.load(number)
                sink.add(recording)
                report.converted += 1
                report.frames += len(recording.episode)
            except DatasetError as error:
                report.failed[source.ids[number]] = str(error)
            if progress:
                progress(number + 1, len(source))
    return report


def open_sink(target: Path, format: Format, options: StoreOptions | None = None) -> EpisodeSink:
    """A writer of a format into a folder."""
    if format is Format.CANONICAL:
        return StoreWriter(target, options)
    if format is Format.VITRA1M:
        return Vitra1MWriter(target)
    if format is Format.TELEDATA:
        return TeleDataWriter(target)
    from vitra_training.datasets.formats.lerobot_v3 import LeRobotWriter  # needs the robot description

    return LeRobotWriter(target)


class Vitra1MWriter:
    """Annotations and their index; the original videos stay where they are."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lengths: dict[str, int] = {}

    def __enter__(self) -> Vitra1MWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            vitra_1m.write_index(self.root, self._lengths)

    def add(self, recording: Recording) -> None:
        """Write one annotation."""
        if not isinstance(recording.episode, HumanEpisode):
            raise ConversionError(recording.episode.id, "VITRA-1M", "it is a robot episode; that format holds hands")
        vitra_1m.write_episode(recording.episode, self.root)
        self._lengths[recording.episode.id] = len(recording.episode)


class TeleDataWriter:
    """HDF5 files with their videos."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __enter__(self) -> TeleDataWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to finish: every episode is complete when added."""

    def add(self, recording: Recording) -> None:
        """Write one episode and its video."""
        if not isinstance(recording.episode, RobotEpisode):
            raise ConversionError(recording.episode.id, "TeleData", "it is a human episode; that format holds joints")
        with VideoReader(recording.video.path) as reader:
            width, height = even_size(reader.width, reader.height)
            path = self.root / f"{recording.episode.id}.mp4"
            with VideoWriter(path, width, height, recording.episode.fps, crf=17) as writer:
                for number in recording.video.frames:
                    writer.add(reader.rgb(int(number))[:height, :width])
        teledata.write_episode(recording.episode, self.root)
