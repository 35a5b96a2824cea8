"""Cuts of the whole pipeline on rendered videos against those that were acted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vitra_policy.action_space import SIDES
from vitra_training.labeling.accuracy.measure import Measured, matched_cuts, share
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.engines.stage import WHOLE
from vitra_training.labeling.ingest.layouts import Layout, find_videos
from vitra_training.labeling.pipeline import PipelineConfig
from vitra_training.labeling.run import Resources, label
from vitra_training.labeling.segmentation.stage import Segments
from vitra_training.labeling.truth.generate import Truth, read_truth, render_video
from vitra_training.labeling.truth.options import RenderOptions

_TOLERANCE_S = 0.3
_EDGE_S = 0.5


def end_to_end_rows(
    work: Path, videos: int, seconds: float, workers: int, progress: Callable[[int, int], None]
) -> list[Measured]:
    """Recall and precision of cuts, and how many actions were found at all.

    A cut counts towards recall when the hand is in the image; towards precision wherever the pipeline made it.

    Args:
        work: Folder for what is made.
        videos: How many.
        seconds: Length of each.
        workers: Processes.
        progress: Hears videos done and their number.
    """
    folder = work / "whole"
    for n in range(videos):
        if not (folder / f"whole{n:03d}.truth").is_dir():
            render_video(folder, f"whole{n:03d}", 3000 + n, RenderOptions(seconds=seconds))
        progress(n + 1, 2 * videos)
    found_videos = find_videos(folder, Layout.PLAIN)
    outcome = label(found_videos, work / "labels", PipelineConfig(), Resources(workers))
    hits = found = true = 0
    for done, video in enumerate(found_videos):
        truth = read_truth(video.path)
        folders = outcome.stages.outputs[video.item.video]["segments"]
        segments = load(Segments, folders[WHOLE]) if WHOLE in folders else None
        for side in SIDES:
            wanted = true_cuts(truth, side)
            got = [] if segments is None else found_cuts(segments, side, len(truth.camera_from_world), truth.fps)
            hits += matched_cuts(got, wanted, round(_TOLERANCE_S * truth.fps))
            found, true = found + len(got), true + len(wanted)
        progress(videos + done + 1, 2 * videos)
    of = f"cuts of {videos} rendered videos of {seconds:g} s through the whole pipeline, within {_TOLERANCE_S} s"
    with_episodes = videos - len(outcome.episodes.empty_videos)
    return [
        share("End to end: cuts found (recall)", hits, true, of),
        share("End to end: cuts right (precision)", hits, found, of),
        share("End to end: videos with episodes", with_episodes, videos, "rendered videos"),
    ]


def true_cuts(truth: Truth, side: str) -> list[int]:
    """Frames between two acted actions of a hand that is in the image, away from the ends of the video."""
    hand, edge = truth.hands[side], round(_EDGE_S * truth.fps)
    frames = len(hand.visible)
    return [leg.end for leg in hand.legs if edge <= leg.end < frames - edge and hand.visible[leg.end - 1]]


def found_cuts(segments: Segments, side: str, frames: int, fps: float) -> list[int]:
    """Frames between two found actions of a hand, away from the ends of the video.

    Args:
        segments: What was found.
        side: Which hand.
        frames: Length of the video.
        fps: Its rate.
    """
    edge = round(_EDGE_S * fps)
    return [cut for cut in segments.cuts[SIDES.index(side)] if edge <= cut < frames - edge]
