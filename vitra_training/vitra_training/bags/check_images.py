"""Judges the images of a bag: which are lost, and which stand still while the robot moves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vitra_training.bags.limits import Limits
from vitra_training.bags.streams import CAMERA, BagStreams, moving
from vitra_training.datasets.episode import Array
from vitra_training.datasets.promises import Finding, Level

ERROR, WARNING = Level.ERROR, Level.WARNING


def frozen(bag: BagStreams, limits: Limits) -> Iterator[Finding]:
    """Images that are lost, and one that is shown for long while the robot moves."""
    stream = bag.streams.get(CAMERA)
    if bag.lost_images:
        level = ERROR if bag.lost_images > limits.masked_warning * len(bag.image_hashes) else WARNING
        why = "one before them is missing" if bag.is_video else "they are damaged"
        yield Finding(level, "images", f"{bag.lost_images} images cannot be decoded: {why}")
    if stream is None or len(bag.image_hashes) < 2:
        return
    arm = [times for times in moving(bag, arm_rad=0.02) if len(times)]
    moves = np.sort(np.concatenate(arm)) if arm else np.zeros(0)
    same = np.diff(bag.image_hashes.read()) == 0
    stamps = stream.stamps_s
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


def _moves_between(moves: Array, begin_s: float, end_s: float) -> float:
    """How long the robot certainly moved within a span."""
    inside = moves[(moves >= begin_s) & (moves <= end_s)]
    return float(inside[-1] - inside[0]) if len(inside) > 1 else 0.0
