"""Whether joints follow what they are commanded, by both at the frames of an episode."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.episode import Array
from vitra_training.datasets.findings import Finding, Level
from vitra_training.datasets.limits import Limits

ERROR, WARNING = Level.ERROR, Level.WARNING
_WINDOW_S, _LATE_S = 1.0, 0.5
"""A command is looked at for so long, and what is measured for so much longer."""
_KNOWN = 0.6
"""Share of its frames at which both must be known; short gaps hide no arm that stands."""
_FOLLOWS = 0.1
"""Share of a commanded turn that a joint that follows turns at least; friction and gravity cost less."""
_ARM_RAD, _HAND_RAD, _STILL_RAD = 0.1, 0.5, 0.01
"""Fingers that hold something stand while they are closed further, but not all of them for a whole episode."""
_SMOOTH_FRAMES = 7
"""Means over so many frames are looked at: the noise of an encoder (2 mrad) alone spans more than 10 mrad."""


def following(
    part: str, command: Array, measured: Array, known: NDArray[np.bool_], times_s: Array, limits: Limits
) -> Iterator[Finding]:
    """Commands far from what is measured, or not followed at all.

    Args:
        part: `left_arm`, `right_hand` and so on.
        command: (T, J) rad.
        measured: (T, J) rad.
        known: (T,) frames at which both are known.
        times_s: (T,) from the beginning, evenly spaced.
        limits: From when on something is bad.
    """
    if len(times_s) < 2 or not known.any():
        return
    period_s, is_arm = float(np.mean(np.diff(times_s))), part.endswith("arm")
    off = np.where(known, np.abs(command - measured).max(axis=1), 0.0)
    if (found := _far(part, off, times_s, period_s, limits)) is not None:
        yield found
    if found is not None and found.level is ERROR:
        return
    if is_arm and (row := _stands(command, measured, known, period_s, limits)) is not None:
        yield Finding(ERROR, "command", f"{part} stands still at {times_s[row]:.1f} s while it is commanded to move")
    elif _turn(command[known]).max() > (_ARM_RAD if is_arm else _HAND_RAD) and _is_still(measured[known]):
        yield Finding(ERROR, "command", f"{part} never moves although it is commanded to")


def _far(part: str, off_rad: Array, times_s: Array, period_s: float, limits: Limits) -> Finding | None:
    """Joints that are away from their commands for too long in all, so that leaps to and fro count, too."""
    most = {ERROR: limits.hand_follow_rad}
    if part.endswith("arm"):
        most = {ERROR: limits.follow_rad, WARNING: limits.follow_warning_rad}
    for level, most_rad in most.items():
        far = np.flatnonzero(off_rad > most_rad)
        if (long_s := len(far) * period_s) > limits.follow_s:
            return Finding(
                level, "command", f"{part} is up to {off_rad[far].max():.2f} rad off its commands for {long_s:.1f} s "
                f"in all, the first time at {times_s[far[0]]:.1f} s: it does not follow them",
            )  # fmt: skip
    return None


def _stands(command: Array, measured: Array, known: NDArray[np.bool_], period_s: float, limits: Limits) -> int | None:
    """First frame of a window in which a commanded joint turns and does not itself; None where all follow."""
    window, later = max(round(_WINDOW_S / period_s), 2), max(round(_LATE_S / period_s), 1)
    for row in range(0, len(command) - window - later, max(window // 2, 1)):
        of, until = known[row : row + window], known[row : row + window + later]
        if of.mean() < _KNOWN:
            continue
        asked, turned = _turn(command[row : row + window][of]), _turn(measured[row : row + window + later][until])
        if ((asked > limits.command_rad) & (turned < _FOLLOWS * asked)).any():
            return row
    return None


def _is_still(values: Array) -> bool:
    frames = min(_SMOOTH_FRAMES, len(values))
    sums = np.cumsum(np.concatenate([np.zeros((1, values.shape[1])), values - values[0]]), axis=0)
    return bool(_turn((sums[frames:] - sums[:-frames]) / frames).max() < _STILL_RAD)


def _turn(joints: Array) -> Array:
    """(J,) range of each joint; NaN counts as none."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nan_to_num(joints.max(axis=0) - joints.min(axis=0), nan=0.0))
