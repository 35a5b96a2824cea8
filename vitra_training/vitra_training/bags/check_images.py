"""Judges the images of a bag: which are lost, change their size, stutter, or stand still while the robot moves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vitra_training.bags.motion import moving
from vitra_training.bags.streams import CAMERA, BagStreams, joint_track
from vitra_training.datasets.episode import Array
from vitra_training.datasets.findings import Finding, Level
from vitra_training.datasets.frozen import CODED, frozen
from vitra_training.datasets.joint_motion import VISIBLE_RAD
from vitra_training.datasets.limits import Limits

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
    """Only a warning of a video, which may repeat bit by bit before a good camera; raw images and JPEGs do not."""
    ends = np.flatnonzero(np.diff(numbers) != 0)
    firsts, lasts = np.append(0, ends + 1), np.append(ends, len(stamps) - 1)
    tracks = [(*joint_track(bag, topic), "arm" in topic) for topic in bag.joints]
    same_s = list(zip(stamps[firsts].tolist(), stamps[lasts].tolist(), strict=True))
    for message in frozen(same_s, tracks, bag.begin_s, limits):
        yield Finding(WARNING if bag.is_video else ERROR, "frozen image", message + _doubt(bag))


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
        level = ERROR if share > limits.stutter_error and not bag.is_video else WARNING
        said = f"while an arm moves, {share:.0%} of the images are ones that were shown before"
        yield Finding(level, "stutter", said + _doubt(bag))


def _doubt(bag: BagStreams) -> str:
    return CODED if bag.is_video else ""
