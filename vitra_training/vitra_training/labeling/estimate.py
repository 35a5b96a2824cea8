"""What labeling some videos will take, from measured figures, before anything is started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vitra_training.labeling.captions.client import ClientConfig
from vitra_training.labeling.captions.stage import Captioner
from vitra_training.labeling.errors import InputError
from vitra_training.labeling.ingest.layouts import FoundVideo
from vitra_training.labeling.ingest.probe import probe
from vitra_training.labeling.ingest.resample import working_rate

PAPER_GPU_HOURS_PER_VIDEO_HOUR = 3.36
"""The paper: 33,600 V100 hours for 10,000 hours of video."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured on one core (docs/labeling/accuracy.md says when and how)."""

    cpu_s_per_frame: float = 0.09
    """Hands 0.065, background 0.012, camera and the rest 0.013; images of 640 x 480."""
    cpu_s_per_megapixel: float = 0.01
    """Per frame: decoding and crops of larger images."""
    actions_per_minute: float = 45.0
    """Of both hands together, when they work."""
    prompt_tokens: float = 1100.0
    """Of one caption: eight images at low detail and the instructions."""
    answer_tokens: float = 80.0
    bytes_per_frame: float = 30e3
    """Canonical store and EgoSmith's images."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of a run."""

    videos: int
    unusable: tuple[str, ...]
    """Videos that cannot be labelled, and why."""
    video_hours: float
    cpu_hours: float
    wall_hours: float
    captions: int
    tokens: float
    caption_usd: float
    storage_gb: float
    paper_gpu_hours: float
    """What the paper's pipeline would have used for as much video."""


def estimate(
    videos: Sequence[FoundVideo],
    workers: int,
    captioner: Captioner,
    client: ClientConfig,
    costs: Costs | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Estimate:
    """Read the indices of all videos (nothing is decoded) and add up.

    Args:
        videos: what would be labelled.
        workers: cores that would work.
        captioner: who would write captions.
        client: prices.
        costs: measured figures.
        progress: called with videos looked at and in all.
    """
    c = costs or Costs()
    seconds = frames = cpu_s = 0.0
    unusable = []
    for done, video in enumerate(videos):
        try:
            found = probe(video.path)
        except InputError as error:
            unusable.append(str(error))
            continue
        finally:
            if progress:
                progress(done + 1, len(videos))
        length_s = float(found.times_s[-1])
        count = length_s * working_rate(found.fps)
        megapixels = found.width_px * found.height_px / 1e6
        seconds, frames = seconds + length_s, frames + count
        cpu_s += count * (c.cpu_s_per_frame + c.cpu_s_per_megapixel * max(megapixels - 0.31, 0.0))
    captions = round(seconds / 60 * c.actions_per_minute)
    asked = captions if captioner is Captioner.OPENAI else 0
    usd = asked * (c.prompt_tokens * client.usd_per_million_in + c.answer_tokens * client.usd_per_million_out) / 1e6
    hours = seconds / 3600
    return Estimate(
        videos=len(videos),
        unusable=tuple(unusable),
        video_hours=hours,
        cpu_hours=cpu_s / 3600,
        wall_hours=cpu_s / 3600 / max(workers, 1),
        captions=captions,
        tokens=asked * (c.prompt_tokens + c.answer_tokens),
        caption_usd=usd,
        storage_gb=frames * c.bytes_per_frame / 1e9,
        paper_gpu_hours=hours * PAPER_GPU_HOURS_PER_VIDEO_HOUR,
    )
