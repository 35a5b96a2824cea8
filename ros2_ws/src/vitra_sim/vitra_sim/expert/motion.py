"""Timed hand paths: minimum-jerk moves of wrist and fingers, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vitra_policy.transforms import make_pose, matrix_from_rotvec, rotation_angle, rotvec_from_matrix

Array = NDArray[np.float64]

MAX_SPEED_M_S = 0.23
MAX_TURN_RAD_S = 0.5
_PEAK_OVER_MEAN = 1.875  # of a minimum-jerk profile
_WINDOW_S = np.linspace(-1.5, 1.5, 61)
_FINE_S = np.linspace(-0.05, 0.05, 21)
_SCAN_S = 0.02
_RAMP_S = 0.4  # to cruising speed
_CRUISE = 0.7  # time of a move in a stretch at a constant speed, of its time from rest to rest
_METRES_PER_RAD, _METRES_PER_S = 0.1, 0.01


class Phase(StrEnum):
    """What a move is for."""

    APPROACH = "approach"
    DESCEND = "descend"
    GRASP = "grasp"
    LIFT = "lift"
    CARRY = "carry"
    POUR = "pour"
    RETURN = "return"
    SWEEP = "sweep"
    LOWER = "lower"
    RELEASE = "release"
    RETREAT = "retreat"


@dataclass(frozen=True, slots=True)
class Waypoint:
    """A wrist pose and hand posture to reach.

    Attributes:
        phase: What the move that ends here is for.
        pose: Wrist pose (4, 4).
        fingers_rad: Hand joints (12,).
        least_s: Shortest time for the move.
        stops: Whether the hand rests there; else it goes on to the next one.
    """

    phase: Phase
    pose: Array
    fingers_rad: Array
    least_s: float = 0.0
    stops: bool = True


def minimum_jerk(fraction: Array) -> Array:
    """Position 0..1 at a fraction 0..1 of the time; at rest at both ends.

    Args:
        fraction: Of the time (...), 0..1.
    """
    s = np.clip(fraction, 0.0, 1.0)
    return s**3 * (10 - 15 * s + 6 * s**2)


def cruise(time_s: Array, duration_s: Array) -> Array:
    """Position 0..1 at a time: at a constant speed but for short ramps from and to rest.

    Args:
        time_s: Since the start (...).
        duration_s: Of the whole (...), at least two ramps.
    """

    def ramp_s(t: Array) -> Array:
        x = np.clip(t / _RAMP_S, 0.0, 1.0)
        return np.asarray(_RAMP_S * (x**3 - x**4 / 2))

    steady_s = np.clip(time_s, _RAMP_S, duration_s - _RAMP_S) - _RAMP_S
    slowed_s = _RAMP_S / 2 - ramp_s(duration_s - time_s)
    return np.asarray((ramp_s(time_s) + steady_s + slowed_s) / (duration_s - _RAMP_S))


def move_time_s(start: Array, end: Array, least_s: float) -> float:
    """Time of a move between two wrist poses within the speed limits.

    Args:
        start: Pose (4, 4).
        end: Pose (4, 4).
        least_s: Not shorter than this.
    """
    distance = float(np.linalg.norm(end[:3, 3] - start[:3, 3]))
    angle = float(rotation_angle(end[:3, :3] @ start[:3, :3].T))
    return max(least_s, _PEAK_OVER_MEAN * distance / MAX_SPEED_M_S, _PEAK_OVER_MEAN * angle / MAX_TURN_RAD_S)


class Plan:
    """A path through waypoints; at rest at each that says so, and at the last.

    Args:
        pose: wrist pose (4, 4) at the start.
        fingers_rad: hand joints (12,) at the start.
        waypoints: where to go, at least one.
    """

    def __init__(self, pose: Array, fingers_rad: Array, waypoints: Sequence[Waypoint]) -> None:
        self._waypoints = tuple(waypoints)
        self._poses = np.stack([pose, *(w.pose for w in waypoints)])
        self._fingers = np.stack([fingers_rad, *(w.fingers_rad for w in waypoints)])
        times = np.array([move_time_s(a, w.pose, w.least_s) for a, w in zip(self._poses[:-1], waypoints, strict=True)])
        stops = np.array([w.stops for w in waypoints[:-1]] + [True])
        cruises = ~stops | np.roll(~stops, 1)
        self._ends_s = np.concatenate([[0.0], np.cumsum(np.where(cruises, _CRUISE * times, times))])
        self._rests_s = self._ends_s[np.concatenate([[True], stops])]
        self._cruises = cruises[stops]
        self._turns_rad = rotvec_from_matrix(self._poses[1:, :3, :3] @ np.swapaxes(self._poses[:-1, :3, :3], 1, 2))

    @property
    def duration_s(self) -> float:
        """Time from start to last waypoint."""
        return float(self._ends_s[-1])

    def at(self, time_s: Array) -> tuple[Array, Array]:
        """Wrist poses (n, 4, 4) and hand joints (n, 12) at times (n,); clamped to start and end."""
        t = self._travelled_s(time_s)
        move = np.clip(np.searchsorted(self._ends_s, t, side="right") - 1, 0, len(self._waypoints) - 1)
        length = np.maximum(self._ends_s[move + 1] - self._ends_s[move], 1e-9)
        s = (t - self._ends_s[move]) / length
        begin, share = self._poses[move], s[:, None]
        turned = matrix_from_rotvec(self._turns_rad[move] * share) @ begin[:, :3, :3]
        poses = make_pose(begin[:, :3, 3] + (self._poses[move + 1, :3, 3] - begin[:, :3, 3]) * share, turned)
        fingers = self._fingers[move] + (self._fingers[move + 1] - self._fingers[move]) * share
        return poses, fingers

    def phase(self, time_s: float) -> Phase:
        """What is being done at a time."""
        t = float(self._travelled_s(np.array([time_s]))[0])
        move = int(np.searchsorted(self._ends_s, t, side="right")) - 1
        return self._waypoints[min(move, len(self._waypoints) - 1)].phase

    def begin_s(self, phase: Phase) -> float:
        """When a phase begins first; infinite if it never does."""
        times_s = np.arange(0.0, self.duration_s, _SCAN_S)
        return next((float(t) for t in times_s if self.phase(t) is phase), np.inf)

    def _travelled_s(self, time_s: Array) -> Array:
        """Times at which moves at a constant speed were as far: a stretch from rest to rest is one smooth motion."""
        t = np.clip(time_s, 0.0, self.duration_s)
        stretch = np.clip(np.searchsorted(self._rests_s, t, side="right") - 1, 0, len(self._rests_s) - 2)
        start, end = self._rests_s[stretch], self._rests_s[stretch + 1]
        length = np.maximum(end - start, 1e-9)
        share = np.where(
            self._cruises[stretch],
            cruise(t - start, np.maximum(length, 2 * _RAMP_S)),
            minimum_jerk((t - start) / length),
        )
        return np.asarray(start + length * share)

    def progress(self, pose: Array, expected_s: float) -> tuple[float, float]:
        """How far along the path a measured wrist is.

        Args:
            pose: measured wrist pose (4, 4).
            expected_s: time of the plan at which it should be; where several times fit (the wrist rests), the one
                nearest to this is taken.

        Returns:
            The time, within a second or so of the expected one, and the distance [m] from the path there.
        """
        coarse_s, _ = self._nearest(pose, expected_s + _WINDOW_S, expected_s)
        best_s, distance_m = self._nearest(pose, coarse_s + _FINE_S, expected_s)
        return float(np.clip(best_s, 0.0, self.duration_s)), distance_m

    def _nearest(self, pose: Array, times_s: Array, expected_s: float) -> tuple[float, float]:
        """The time at which the path is nearest to a pose (of equals the expected one), and the distance [m]."""
        poses, _ = self.at(times_s)
        distance = np.linalg.norm(poses[:, :3, 3] - pose[:3, 3], axis=1)
        cosine = (np.einsum("nij,ij->n", poses[:, :3, :3], pose[:3, :3]) - 1.0) / 2.0
        angle = np.arccos(np.clip(cosine, -1.0, 1.0))
        best = int(np.argmin(distance + _METRES_PER_RAD * angle + _METRES_PER_S * np.abs(times_s - expected_s)))
        return float(times_s[best]), float(distance[best])
