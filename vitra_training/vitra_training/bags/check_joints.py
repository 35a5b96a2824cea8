"""Judges the measured joints of a bag: numbers, jumps, idle ends."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vitra_training.bags.content import TOPICS, BagContent
from vitra_training.bags.motion import motion_spans
from vitra_training.bags.streams import BagStreams, joint_track
from vitra_training.datasets.findings import Finding, Level
from vitra_training.datasets.joint_motion import largest_turn
from vitra_training.datasets.limits import Limits

ERROR, WARNING = Level.ERROR, Level.WARNING


def jumps(bag: BagStreams, limits: Limits) -> Iterator[Finding]:
    """Joints that are not finite, or turn faster than they can."""
    for name in bag.joints:
        stamps, positions = joint_track(bag, name)
        if len(stamps) < 2:
            continue
        if not np.isfinite(positions).all():
            yield Finding(ERROR, "joints", f"{name}: not finite")
            continue
        most = limits.arm_rad_s if "arm" in name else limits.hand_rad_s
        steps = largest_turn(positions, np.arange(len(positions) - 1))
        allowed = limits.jump_rad + most * np.maximum(np.diff(stamps), 0.0)
        if (bad := np.flatnonzero(steps > allowed)).size:
            at_s = stamps[bad[0]] - bag.begin_s
            yield Finding(
                ERROR, "joint jump", f"{name}: {len(bad)} jumps, the first of {steps[bad[0]]:.2f} rad at {at_s:.2f} s"
            )


def unusable(bag: BagStreams, content: BagContent, limits: Limits) -> Iterator[Finding]:
    """Messages of joints that lack some, have one twice, or are of the other side: a conversion leaves them out.

    Args:
        bag: The streams.
        content: What a conversion reads of it.
        limits: From when on something is bad.
    """
    for topic, count in sorted(content.unusable.items()):
        share = count / max(len(bag.streams[topic].arrivals_ns), 1)
        names = TOPICS[topic]
        yield Finding(
            ERROR if share > limits.masked_warning else WARNING, "joint names",
            f"{topic}: {count} messages ({share:.0%}) do not name all {len(names)} of {names[0]} ... {names[-1]} once",
        )  # fmt: skip


def idle_ends_s(bag: BagStreams) -> tuple[float, float]:
    """How long nothing moves at the beginning and at the end (s)."""
    spans = motion_spans(bag).values()
    if not spans:
        whole_s = bag.end_s - bag.begin_s
        return whole_s, whole_s
    begin_s, end_s = min(begin for begin, _ in spans), max(end for _, end in spans)
    return max(begin_s - bag.begin_s, 0.0), max(bag.end_s - end_s, 0.0)


def ends(head_s: float, tail_s: float, whole_s: float, limits: Limits) -> Iterator[Finding]:
    """Idle ends, which teach a policy to idle.

    Args:
        head_s: Stillness at the beginning.
        tail_s: Stillness at the end.
        whole_s: Length of the recording.
        limits: From when on something is bad.
    """
    if min(head_s, tail_s) >= whole_s > limits.idle_s:
        yield Finding(WARNING, "idle", f"nothing moves in all its {whole_s:.1f} s: it teaches to stand still")
        return
    for name, idle_s in (("head", head_s), ("tail", tail_s)):
        if idle_s > limits.idle_s:
            yield Finding(WARNING, f"idle {name}", f"nothing moves for {idle_s:.1f} s: `vitra-bag trim --idle` cuts it")
