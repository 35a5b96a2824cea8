"""The joints along the path ahead, and how fast it may be travelled: one time scaling for all joints."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_description.limits import JointLimits

Array = NDArray[np.float64]

_BEND_SHARE = 0.5
"""Part of the acceleration limits that bends of the path may take; the rest is for speeding up and slowing down."""
_TINY = 1e-9


@dataclass(slots=True)
class _Segment:
    """A cubic between two nodes.

    Attributes:
        start_s: Path time at its beginning.
        coefficients: (4, dof) of powers of the share 0..1 of the segment.
        max_speed: Largest speed (path seconds per second) on it.
        slowing: Largest change of that speed per second on it.
        allowed: Largest speed at its beginning from which all segments after it can be travelled.
    """

    start_s: float
    coefficients: Array
    max_speed: float
    slowing: float
    allowed: float = 0.0


class JointPath:
    """A cubic through joint positions at equal distances of path time, known some way ahead.

    Its speed is limited per segment, by velocity and by the acceleration that its bends take, and backwards from its
    end (where the robot must be able to stop) by the acceleration left to slow down: the backward pass of
    time-optimal path parametrisation (Bobrow et al. 1985; Pham & Pham 2018) on a sliding window.

    Args:
        limits: Of all joints of the path.
        spacing_s: Path time between two nodes.
    """

    def __init__(self, limits: JointLimits, spacing_s: float = 0.02) -> None:
        self._limits, self.spacing_s = limits, spacing_s
        self._segments: deque[_Segment] = deque()
        self.restart(0.0, np.zeros(limits.dof), np.zeros(limits.dof))

    def restart(self, path_s: float, position_rad: Array, slope_rad_s: Array) -> None:
        """Begin here, in this direction; nothing ahead is known.

        Args:
            path_s: Place on the path.
            position_rad: Joints there (dof,).
            slope_rad_s: Their change over the path (dof,).
        """
        self._segments.clear()
        self._first_s, self._blocked = path_s, False
        self._nodes = [position_rad.copy()]
        self._slope = slope_rad_s.copy()

    def append(self, position_rad: Array, *, is_open: bool = True, max_speed: float = 1.0) -> None:
        """Add the node at `next_s`; the path is not travelled up to a node that is not open, nor beyond.

        Args:
            position_rad: Joints there (dof,).
            is_open: Whether it may be travelled to.
            max_speed: Share of the path's own pace allowed up to it.
        """
        self._blocked = self._blocked or not is_open
        self._nodes.append(position_rad)
        if len(self._nodes) < 3:
            return
        before, at, after = self._nodes
        slope = (after - before) / (2 * self.spacing_s)
        self._segments.append(self._segment(before, at, self._slope, slope, 0.0 if self._blocked else max_speed))
        self._nodes, self._slope = [at, after], slope
        self._first_s += self.spacing_s
        self._pass_backwards()

    @property
    def end_s(self) -> float:
        """Path time up to which it is known."""
        return self._first_s

    @property
    def is_blocked(self) -> bool:
        """Whether a node that is not open lies ahead."""
        return self._blocked

    @property
    def next_s(self) -> float:
        """Path time of the next node."""
        return self._first_s + len(self._nodes) * self.spacing_s

    @property
    def last_rad(self) -> Array:
        """The last node (dof,)."""
        return self._nodes[-1]

    def forget(self, path_s: float) -> None:
        """Drop what lies behind."""
        while len(self._segments) > 1 and self._segments[1].start_s <= path_s:
            self._segments.popleft()

    def position(self, path_s: float) -> Array:
        """Joints (dof,) at a path time within the known part; its ends beyond it."""
        segment = self._find(path_s)
        if segment is None:
            return self._nodes[0]
        s = self._share(segment, path_s)
        position: Array = np.array((1.0, s, s * s, s * s * s)) @ segment.coefficients
        return position

    def slope(self, path_s: float) -> Array:
        """Their change (rad per path second), shape (dof,), at a path time as in `position`."""
        segment = self._find(path_s)
        if segment is None:
            return self._slope
        s = self._share(segment, path_s)
        slope: Array = np.array((0.0, 1.0, 2 * s, 3 * s * s)) @ segment.coefficients / self.spacing_s
        return slope

    def speed(self, path_s: float) -> float:
        """Largest speed at a path time, 0..1: where limits slow the path, at or ahead of it, below 1."""
        segment = self._find(path_s)
        if segment is None:
            return 0.0
        left_s = max(segment.start_s + self.spacing_s - path_s, 0.0)
        following = self._after(segment)
        ahead = following * following + 2 * segment.slowing * left_s
        return min(segment.max_speed, math.sqrt(ahead))

    def _share(self, segment: _Segment, path_s: float) -> float:
        return min(max((path_s - segment.start_s) / self.spacing_s, 0.0), 1.0)

    def _find(self, path_s: float) -> _Segment | None:
        for segment in self._segments:
            if path_s < segment.start_s + self.spacing_s:
                return segment
        return self._segments[-1] if self._segments else None

    def _after(self, segment: _Segment) -> float:
        index = round((segment.start_s - self._segments[0].start_s) / self.spacing_s) + 1
        return self._segments[index].allowed if index < len(self._segments) else 0.0

    def _segment(self, p0: Array, p1: Array, m0: Array, m1: Array, max_speed: float) -> _Segment:
        h, limits = self.spacing_s, self._limits
        rise, t0, t1 = p1 - p0, m0 * h, m1 * h
        coefficients = np.stack([p0, t0, 3 * rise - 2 * t0 - t1, t0 + t1 - 2 * rise])
        slope = np.maximum(np.maximum(np.abs(m0), np.abs(m1)), np.abs(1.5 * rise - (t0 + t1) / 4) / h)
        bend = np.maximum(np.abs(6 * rise - 4 * t0 - 2 * t1), np.abs(6 * rise - 2 * t0 - 4 * t1)) / (h * h)
        by_velocity = float((limits.velocity_rad_s / np.maximum(slope, _TINY)).min())
        by_bend = float((_BEND_SHARE * limits.acceleration_rad_s2 / np.maximum(bend, _TINY)).min()) ** 0.5
        slowing = float(((1 - _BEND_SHARE) * limits.acceleration_rad_s2 / np.maximum(slope, _TINY)).min())
        return _Segment(self._first_s, coefficients, min(by_velocity, by_bend, max_speed), slowing)

    def _pass_backwards(self) -> None:
        following = 0.0
        for segment in reversed(self._segments):
            ahead = following * following + 2 * segment.slowing * self.spacing_s
            segment.allowed = following = min(segment.max_speed, ahead**0.5)
