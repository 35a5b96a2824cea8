"""Judges what is commanded against what is measured, both as they are at the camera frames that training reads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES
from vitra_training.bags.content import BagContent
from vitra_training.bags.streams import usual_period_s
from vitra_training.datasets.episode import Array
from vitra_training.datasets.findings import Finding, Level
from vitra_training.datasets.following import following
from vitra_training.datasets.joint_motion import ARM_RAD, HAND_RAD, WINDOW_S, turns
from vitra_training.datasets.limits import Limits

ERROR, WARNING = Level.ERROR, Level.WARNING


def commands(content: BagContent, begin_s: float, limits: Limits) -> Iterator[Finding]:
    """Commands that are no numbers, far from what is measured, not followed at all, or missing while it moves.

    Args:
        content: Joints at the camera frames.
        begin_s: When the bag begins, since the epoch.
        limits: From when on something is bad.
    """
    for topic, count in sorted(content.not_finite.items()):
        if count and topic.endswith("command"):
            yield Finding(ERROR, "command", f"{topic}: NaN or infinity in {count} messages")
    times, period_s = content.times_s, usual_period_s(content.times_s)
    for part in (f"{side}_{part}" for side in SIDES for part in ("arm", "hand")):
        command, measured = content.joints[f"{part}/command"], content.joints[f"{part}/joint_states"]
        if not command.is_empty and measured.fresh.any() and not command.fresh.any():
            yield Finding(
                ERROR, "command", f"{part}/command: no message is stamped shortly before an image: of another clock? "
                "Conversion would take what is measured for what was commanded",
            )  # fmt: skip
        if period_s > 0:
            known = command.fresh & measured.fresh
            yield from following(part, command.values, measured.values, known, times - begin_s, limits)
            if known.any():
                yield from _uncommanded(part, measured.values, measured.fresh & ~command.fresh, times - begin_s, limits)


def _uncommanded(
    part: str, measured: Array, alone: NDArray[np.bool_], times_s: Array, limits: Limits
) -> Iterator[Finding]:
    """Motion while nothing commands it, though something does at other times; a pause in which it stands is none."""
    least_rad = ARM_RAD if part.endswith("arm") else HAND_RAD
    rows = np.flatnonzero(alone & turns(times_s, measured, WINDOW_S, least_rad))
    if (long_s := len(rows) * usual_period_s(times_s)) > limits.follow_s:
        yield Finding(
            WARNING, "command", f"{part} moves for {long_s:.1f} s in all without its commands, the first time at "
            f"{times_s[rows[0]]:.1f} s: conversion takes what is measured there for what was commanded",
        )  # fmt: skip
