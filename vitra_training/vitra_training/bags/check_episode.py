"""Judges a bag by what a conversion would make of it: the same labels, held to the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vitra_training.bags.content import BagContent, image_times, read_bag
from vitra_training.bags.episodes import episode_from_bag, first_known, frames_from
from vitra_training.bags.streams import CAMERA, BagStreams
from vitra_training.bags.timeline import Timeline, timeline
from vitra_training.datasets.demonstrated import DEMONSTRATED
from vitra_training.datasets.errors import DatasetError
from vitra_training.datasets.findings import Finding, Level
from vitra_training.datasets.promises import checks_of
from vitra_training.datasets.video_shape import PlannedVideo

_SAID_ELSEWHERE = ("captions", *(check.name for check in DEMONSTRATED))
"""Checks whose finding the check of a bag names itself."""


@dataclass(frozen=True, slots=True)
class AtFrames:
    """A bag as a conversion reads it; None where it cannot be."""

    slots: Timeline | None = None
    content: BagContent | None = None
    refused: str = ""
    """Why not."""


def at_frames(bag: BagStreams) -> AtFrames:
    """Read the joints and calibration of a bag at the times of its images; images are not decoded."""
    if CAMERA not in bag.streams:
        return AtFrames()
    try:
        times_s = image_times(bag.path)
        slots = timeline(bag.path, times_s)
        return AtFrames(slots, read_bag(bag.path, slots.times_s))
    except DatasetError as error:
        return AtFrames(refused=str(error))


def episode(bag: BagStreams, found: AtFrames) -> Iterator[Finding]:
    """Promises that the episode made of a bag would break, and why none can be made."""
    if found.refused:
        yield Finding(Level.ERROR, "conversion", found.refused)
    if found.slots is None or found.content is None or not bag.image_sizes:
        return
    seen = found.slots.seen
    begin = first_known(found.content)
    begin += int(np.argmax(seen[begin:])) if seen[begin:].any() else 0
    with np.errstate(all="ignore"):  # damaged numbers overflow; the checks judge the results
        try:
            made = frames_from(episode_from_bag(bag.path, found.content, seen), begin)
        except DatasetError as error:
            yield Finding(Level.ERROR, "conversion", str(error))
            return
        if not len(made):
            yield Finding(Level.ERROR, "conversion", "no image comes after the first sample of every hand")
            return
        width, height = (side & ~1 for side in bag.image_sizes[0][1])
        video = PlannedVideo(width, height, made.fps, len(made))
        for check in checks_of(made):
            if check.name not in _SAID_ELSEWHERE:
                for message in check.run(made, video):
                    yield Finding(check.level, check.name, message)
