"""Judges the images of a bag: which are lost, change their size, stutter, or stand still while the robot moves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vitra_training.bags.limits import Limits
from vitra_training.bags.motion import moving
from vitra_training.bags.streams import CAMERA, BagStreams
from vitra_training.datasets.episode import Array
from vitra_training.datasets.findings import Finding, Level
from vitra_training.datasets.joint_motion import VISIBLE_RAD

ERROR, WARNING = Level.ERROR, Level.WARNING
_LEAST_FRAMES = 15
"""While an arm moves; the share of fewer says nothing."""


def images(bag: BagStreams, limits: Limits) -> Iterator[Finding]:
    """Everything that is wrong with a bag's images."""
    for topic, camera in bag.unused_forms.items():
        yield Finding(WARNING, "images", f"{camera} is recorded in several forms; {topic} is not used")
    yield from _lost(bag, limits)
    yield from _sizes(bag)
    if CAMERA in bag.streams and len(bag.image_hashes) > 1:
        numbers, stamps = bag.image_hashes.read(), bag.streams[CAMERA].stamps_s
        yield from _frozen(bag, numbers, stamps, limits)
        yield from _stutter(bag, numbers, stamps, limits)


def _lost(bag: BagStreams, limits: Limits) -> Iterator[Finding]:
    if bag.lost_images:
        level = ERROR if bag.lost_images > limits.masked_warning * len(bag.image_hashes) else WARNING
        why = "one before them is missing" if bag.is_video else "they are damaged"
        yield Finding(level, "images", f"{bag.lost_images} images cannot be decoded: {why}")


def _sizes(bag: BagStreams) -> Iterator[Finding]:
    if len(bag.image_sizes) > 1:
        (_, before), (at_s, after) = bag.image_sizes[:2]
        sizes = " to ".join(f"{width}x{height}" for width, height in (before, after))
        yield Finding(ERROR, "image size", f"it changes from {sizes} at {at_s - bag.begin_s:.2f} s")


def _frozen(bag: BagStreams, numbers: Array, stamps: Array, limits: Limits) -> Iterator[Finding]:
    arm = [times for times in moving(bag, arm_rad=VISIBLE_RAD).values() if len(times)]
    moves = np.sort(np.concatenate(arm)) if arm else np.zeros(0)
    same = np.diff(numbers) == 0
    begin = 0
    for end in range(1, len(stamps) + 1):
        if end < len(stamps) and same[end - 1]:
            continue
        if _moves_between(moves, stamps[begin], stamps[end - 1]) > limits.frozen_s:
            at_s, long_s = stamps[begin] - bag.begin_s, stamps[end - 1] - stamps[begin]
            yield Finding(
                ERROR, "frozen image", f"the same image for {long_s:.1f} s at {at_s:.1f} s while the robot moves"
            )
        begin = end


def _stutter(bag: BagStreams, numbers: Array, stamps: Array, limits: Limits) -> Iterator[Finding]:
    """Images that are held, or shown again, so often that the share of new ones is low whenever an arm moves."""
    tracks = moving(bag, arm_rad=VISIBLE_RAD)
    moves = np.sort(np.concatenate([np.zeros(0), *(times for topic, times in tracks.items() if "arm" in topic)]))
    if not len(moves):
        return
    nearest = np.clip(np.searchsorted(moves, stamps), 1, max(len(moves) - 1, 1))
    away = np.minimum(np.abs(stamps - moves[nearest - 1]), np.abs(stamps - moves[np.minimum(nearest, len(moves) - 1)]))
    while_moving = (away < limits.skew_s)[1:]
    again = numbers[1:] <= np.maximum.accumulate(numbers)[:-1]
    if while_moving.sum() < _LEAST_FRAMES:
        return
    share = float(np.mean(again[while_moving]))
    if share > limits.stutter_warning:
        level = ERROR if share > limits.stutter_error else WARNING
        yield Finding(
            level, "stutter", f"while an arm moves, {share:.0%} of the images are ones that were shown before"
        )


def _moves_between(moves: Array, begin_s: float, end_s: float) -> float:
    """How long the robot certainly moved within a span."""
    inside = moves[(moves >= begin_s) & (moves <= end_s)]
    return float(inside[-1] - inside[0]) if len(inside) > 1 else 0.0
