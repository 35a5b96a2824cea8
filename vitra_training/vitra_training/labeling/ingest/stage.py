"""The first stage: a video made ready to be labelled, and cut into clips."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray

from vitra_training.datasets.errors import DatasetError, FrameMissingError
from vitra_training.datasets.video import Image, VideoReader
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.engines.job import output_folder
from vitra_training.labeling.engines.stage import Inputs
from vitra_training.labeling.errors import UnreadableVideoError
from vitra_training.labeling.ingest.clips import cut_clips
from vitra_training.labeling.ingest.lens import Lens, Undistorter
from vitra_training.labeling.ingest.probe import probe
from vitra_training.labeling.ingest.resample import needs_rewriting, rewrite, working_rate

_VIDEO = "video.mp4"


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """How videos are cut."""

    clip_s: float = 20.0
    """Length of a clip (paper: 20 s)."""
    overlap_s: float = 2.0
    """What neighbouring clips share."""
    lens: Annotated[Lens | None, tyro.conf.Suppress] = None
    """Taken out of every image (`vitra-label run --lens`)."""


@dataclass(frozen=True, slots=True)
class IngestedVideo:
    """A video at a constant rate, upright."""

    source: Path
    """The original file."""
    rewritten: bool
    """Whether the images are those of a copy beside this result."""
    width_px: int
    height_px: int
    fps: float
    source_frames: NDArray[np.int64]
    """(T,) frame number in the original file of every frame."""
    usable: NDArray[np.bool_]
    """(T,) False where a frame only stands in for a missing one."""
    clips: NDArray[np.int64]
    """(N, 2) first and end frame."""
    notes: tuple[str, ...]
    """What was unusual about the file."""
    focal_px: float | None = None
    """Where a known lens was taken out."""

    def __len__(self) -> int:
        return len(self.source_frames)


def ingest(inputs: Inputs, config: IngestConfig) -> IngestedVideo:
    """Probe a video, rewrite it where it must be, and cut it.

    Raises:
        InputError: it cannot be labelled.
    """
    logging.getLogger("libav").setLevel(logging.CRITICAL)
    path = inputs.item.source.absolute()
    found = probe(path)
    notes = []
    if not found.constant_rate:
        notes.append("variable frame rate")
    if found.rotation_deg:
        notes.append(f"turned by {found.rotation_deg} degrees")
    fps = working_rate(found.fps)
    if fps != found.fps:
        notes.append(f"{found.fps:.4g} frames/s, labelled at {fps:.4g}")
    straighten = None
    if config.lens is not None:
        straighten = Undistorter(config.lens, found.width_px, found.height_px)
        notes.append(f"{config.lens.kind} lens ({config.lens.source}) taken out")
    if straighten is not None or needs_rewriting(found):
        target = output_folder() / _VIDEO
        numbers, usable = rewrite(found, target, fps, straighten)
        path = target
    else:
        numbers = np.arange(len(found.times_s), dtype=np.int64)
        usable = np.ones(len(numbers), dtype=bool)
    with _open(path) as reader:
        width, height, frames = reader.width, reader.height, len(reader)
    numbers, usable = numbers[:frames], usable[:frames]
    return IngestedVideo(
        source=inputs.item.source.absolute(),
        rewritten=path.name == _VIDEO and path.parent == output_folder(),
        width_px=width,
        height_px=height,
        fps=fps,
        source_frames=numbers,
        usable=usable,
        clips=cut_clips(len(numbers), fps, config.clip_s, config.overlap_s),
        notes=tuple(notes),
        focal_px=None if straighten is None else straighten.focal_px,
    )


def count_clips(folder: Path) -> int:
    """How many clips an ingested video has."""
    return len(load(IngestedVideo, folder).clips)


def video_file(video: IngestedVideo, folder: Path) -> Path:
    """The file with the images; `folder` is that of the stage's result."""
    return folder / _VIDEO if video.rewritten else video.source


def images(
    video: IngestedVideo, folder: Path, start: int, end: int, short_side_px: int | None = None
) -> Iterator[Image | None]:
    """RGB images of the frames [start, end); None where one cannot be decoded.

    Args:
        video: from the first stage.
        folder: of that stage's result.
        start: first frame.
        end: after the last.
        short_side_px: shrink images to this short side.
    """
    logging.getLogger("libav").setLevel(logging.CRITICAL)
    scale = 1.0 if short_side_px is None else min(1.0, short_side_px / min(video.width_px, video.height_px))
    size = (round(video.width_px * scale), round(video.height_px * scale))
    skip, penalty = 0, 1
    with _open(video_file(video, folder)) as reader:
        for number in range(start, end):
            if skip > 0 or not video.usable[number]:
                skip -= 1
                yield None
                continue
            try:
                rgb, penalty = reader.rgb(number), 1
                if reader.frame(number).is_corrupt:
                    yield None
                    continue
            except FrameMissingError:
                # Each failure decodes from the last key frame on: stretches are given up in growing steps.
                skip, penalty = penalty - 1, min(penalty * 2, 30)
                yield None
                continue
            yield (
                rgb if scale == 1.0 else np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
            )


def _open(path: Path) -> VideoReader:
    try:
        return VideoReader(path)
    except DatasetError as error:
        raise UnreadableVideoError(path, error) from None
