"""Every promise of the formats, checked per episode and reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.episode import Episode, Recording, RobotEpisode, usable_frames
from vitra_training.datasets.errors import DatasetError
from vitra_training.datasets.findings import Finding, Level
from vitra_training.datasets.frozen_video import frozen_video
from vitra_training.datasets.promises import checks_of
from vitra_training.datasets.sources import EpisodeSource
from vitra_training.datasets.video import VideoReader

_FRAMES = "video frames"


@dataclass(frozen=True, slots=True)
class EpisodeReport:
    """What validation found in one episode."""

    id: str
    frames: int
    usable_frames: int
    checks: tuple[str, ...]
    """Checks that ran."""
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """No error (warnings allowed)."""
        return not any(finding.level is Level.ERROR for finding in self.findings)


def validate_episode(source: EpisodeSource, number: int) -> EpisodeReport:
    """Check one episode of any format against everything its format promises; never raises for bad data."""
    name = source.ids[number]
    try:
        recording = source.load(number)
        with VideoReader(recording.video.path) as video:
            return _validate(recording, video)
    except DatasetError as error:
        return EpisodeReport(name, 0, 0, ("read",), (Finding(Level.ERROR, type(error).__name__, str(error)),))


def _validate(recording: Recording, video: VideoReader) -> EpisodeReport:
    episode, frames = recording.episode, recording.video.frames
    checks = checks_of(episode, recording.video.shared)
    with np.errstate(all="ignore"):  # damaged numbers overflow; the checks judge the results
        findings = [
            Finding(check.level, check.name, message) for check in checks for message in check.run(episode, video)
        ]
    wrong = [Finding(Level.ERROR, _FRAMES, message) for message in _video_frames(frames, video)]
    findings += wrong or list(_frozen(episode, frames, video))
    names = tuple(dict.fromkeys([*(check.name for check in checks), _FRAMES]))
    return EpisodeReport(episode.id, len(episode), int(usable_frames(episode).sum()), names, tuple(findings))


def _frozen(episode: Episode, frames: NDArray[np.int64], video: VideoReader) -> Iterator[Finding]:
    """Hands of people may leave the image while it stands; of robots it is known when they move.

    A warning whatever the format is: all of them hold coded videos, in which sameness proves nothing.
    """
    if not isinstance(episode, RobotEpisode):
        return
    try:
        for message in frozen_video(episode, frames, video):
            yield Finding(Level.WARNING, "frozen image", message)
    except DatasetError as error:
        yield Finding(Level.ERROR, _FRAMES, str(error))


def _video_frames(frames: NDArray[np.int64], video: VideoReader) -> Iterator[str]:
    if len(frames) and (frames.min() < 0 or frames.max() >= len(video)):
        yield f"frames {frames.min()} to {frames.max()} are wanted, but {video.path} has {len(video)}"
        return
    if len(frames) > 1 and (np.diff(frames) <= 0).any():
        yield "frame numbers do not increase"
    for frame in {int(frames[0]), int(frames[-1])} if len(frames) else ():
        try:
            video.frame(frame)
        except DatasetError as error:
            yield str(error)
