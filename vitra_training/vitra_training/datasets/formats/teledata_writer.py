"""Writes robot episodes as TeleData: HDF5 files with their videos, beside those that are there."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from vitra_training.datasets.episode import Recording, RobotEpisode
from vitra_training.datasets.errors import ConversionError, EpisodeExistsError
from vitra_training.datasets.formats import teledata
from vitra_training.datasets.formats.begun_episodes import BegunEpisodes
from vitra_training.datasets.video import VideoReader, VideoWriter, even_size


class TeleDataWriter:
    """HDF5 files with their videos; a conversion that fails or is killed leaves none of its own.

    Raises:
        TargetTakenError: a file is where the folder is to be, or another conversion writes there.
    """

    def __init__(self, root: Path) -> None:
        self._begun = BegunEpisodes(root, "TeleData folder", (".h5", ".mp4"), (".partial", ".partial.mp4"))
        self.root = root

    def __enter__(self) -> TeleDataWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Every episode is complete when added."""
        self._begun.complete() if error is None else self._begun.remove()

    def add(self, recording: Recording) -> None:
        """Write one episode and its video.

        Raises:
            ConversionError: a human episode.
            EpisodeExistsError: one of that name is there already.
        """
        episode = recording.episode
        if not isinstance(episode, RobotEpisode):
            raise ConversionError(episode.id, "TeleData", "it is a human episode; that format holds joints")
        path = self.root / f"{episode.id}.mp4"
        for place in (path.with_suffix(".h5"), path):
            if place.exists():
                raise EpisodeExistsError(episode.id, "TeleData", place)
        self._begun.begin(episode.id)
        with VideoReader(recording.video.path) as reader:
            width, height = even_size(reader.width, reader.height)
            with VideoWriter(path, width, height, episode.fps, crf=17) as writer:
                for number in recording.video.frames:
                    writer.add(reader.rgb(int(number))[:height, :width])
        self._begun.wrote(path)
        try:
            self._begun.wrote(teledata.write_episode(episode, self.root))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
