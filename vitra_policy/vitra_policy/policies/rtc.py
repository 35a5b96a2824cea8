"""Real-time chunking: which leading steps of the next chunk are already decided, and how they read from there.

While the policy thinks, the robot executes the previous chunk. The steps it will have executed when the new chunk
arrives are handed to the policy as a committed prefix, so that the new chunk continues the motion instead of
contradicting it. The previous chunk is anchored at an older observation; its plan is therefore taken as absolute
wrist poses at the new steps' times, moved into the new camera frame, and re-anchored at the newly observed hand.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.action_space import ACTION_DIM, FINGERS, HAND, ROTATION, SIDES, TRANSLATION, WRIST, Side
from vitra_policy.policies.policy import ActionChunk, CommittedPrefix
from vitra_policy.transforms import (
    delta_wrist,
    integrate_wrist,
    interpolate_pose,
    invert_pose,
    make_pose,
    matrix_from_euler_xyz,
    rotation_angle,
)

FloatArray = NDArray[np.float64]

_WHOLE_STEP = 1e-6  # steps; clock rounding must not cost a step

MAX_LAG_M = 0.1
MAX_LAG_RAD = 0.6
"""A hand farther than this from its plan does not follow it: a guard holds it, or the plan is too fast."""


@dataclass(frozen=True, slots=True, eq=False)
class AnchoredChunk:
    """A chunk with the observation it is anchored at."""

    chunk: ActionChunk
    stamp_s: float
    """Time of the observation."""
    state: FloatArray
    """(102,) hands at the observation, camera frame."""

    def steps_at(self, stamp_s: float) -> float:
        """Steps (not whole) from the observation to a time."""
        return (stamp_s - self.stamp_s) / self.chunk.step_s

    def between(self, position: ArrayLike) -> tuple[NDArray[np.int_], FloatArray]:
        """The step before each position [steps], and how far beyond it (0..1); clipped to the plan."""
        steps = np.asarray(position, dtype=np.float64)
        below = np.clip(np.floor(steps + _WHOLE_STEP).astype(int), 0, self.chunk.steps - 1)
        return below, np.clip(steps - below, 0.0, 1.0)

    def wrist_poses(self, side: Side) -> FloatArray:
        """Planned camera_from_wrist (steps + 1, 4, 4), the observed pose first."""
        observed = wrist_pose(self.state, side)
        return np.concatenate([observed[None], integrate_wrist(observed, self.chunk.actions[:, HAND[side]][:, WRIST])])

    def lag(self, side: Side, stamp_s: float, camera_from_wrist: ArrayLike) -> tuple[float, float]:
        """How far a wrist (4, 4), seen by the chunk's camera, is from its plan at a time: metres, radians.

        Args:
            side: Which wrist.
            stamp_s: The time, ROS.
            camera_from_wrist: Where it is.
        """
        observed = np.asarray(camera_from_wrist, dtype=np.float64)
        below, fraction = self.between(self.steps_at(stamp_s))
        poses = self.wrist_poses(side)
        planned = interpolate_pose(poses[below], poses[below + 1], fraction)
        angle_rad = float(rotation_angle(planned[:3, :3].T @ observed[:3, :3]))
        return float(np.linalg.norm(planned[:3, 3] - observed[:3, 3])), angle_rad

    def fingers(self, side: Side) -> FloatArray:
        """Planned finger angles (steps + 1, 45), the observed ones first."""
        hand = HAND[side]
        planned = self.chunk.actions[:, hand][:, FINGERS]
        return np.concatenate([self.state[hand][FINGERS][None], planned.astype(np.float64)])


def wrist_pose(state: ArrayLike, side: Side) -> FloatArray:
    """camera_from_wrist (4, 4) of a hand in a state (102,)."""
    hand = np.asarray(state, dtype=np.float64)[HAND[side]]
    return make_pose(hand[TRANSLATION], matrix_from_euler_xyz(hand[ROTATION]))


def continue_chunk(
    previous: AnchoredChunk,
    stamp_s: float,
    state: ArrayLike,
    steps: int,
    new_camera_from_old: ArrayLike | None = None,
) -> FloatArray:
    """The plan of a chunk, written as actions of a later observation.

    Integrating the result from `state` visits the wrist poses that `previous` planned for the same times; between
    its steps the plan is a straight line and a slerp.

    Args:
        previous: the chunk whose plan is continued.
        stamp_s: time of the new observation, not before the chunk's own.
        state: (102,) hands at the new observation, in the new camera frame.
        steps: number of steps wanted; the last may lie no later than the plan's end.
        new_camera_from_old: (4, 4) camera motion between the observations; default none.

    Returns:
        Actions (steps, 102); a hand that the chunk does not move is zeros.
    """
    actions = np.zeros((steps, ACTION_DIM))
    if not steps:
        return actions
    position = previous.steps_at(stamp_s) + np.arange(1, steps + 1)
    below, fraction = previous.between(position)
    for side, valid in zip(SIDES, previous.chunk.valid, strict=True):
        if not valid:
            continue
        poses, fingers = previous.wrist_poses(side), previous.fingers(side)
        planned = interpolate_pose(poses[below], poses[below + 1], fraction)
        if new_camera_from_old is not None:
            planned = np.asarray(new_camera_from_old, dtype=np.float64) @ planned
        hand = actions[:, HAND[side]]
        hand[:, WRIST] = delta_wrist(np.concatenate([wrist_pose(state, side)[None], planned]))
        hand[:, FINGERS] = fingers[below] + (fingers[below + 1] - fingers[below]) * fraction[:, None]
    return actions


@dataclass(frozen=True, slots=True)
class Delay:
    """How late things are, as measured (`DelayMeter`)."""

    steps: int
    """Steps of a chunk that are over before it takes effect."""
    late_s: float = 0.0
    """How much later than by the clock the robot is on the previous chunk; its plan is continued from there."""


def committed_prefix(
    previous: AnchoredChunk | None,
    stamp_s: float,
    state: ArrayLike,
    state_valid: ArrayLike,
    delay: Delay,
    new_camera_from_old: ArrayLike | None = None,
) -> CommittedPrefix | None:
    """Committed prefix of the next chunk, for hands that are where their plan has them.

    A hand that does not follow its plan is not held to it: the prefix would begin with a leap back to the plan.

    Args:
        previous: the newest chunk sent to the robot, or None.
        stamp_s: time of the new observation.
        state: (102,) hands at the new observation.
        state_valid: (2,) hands whose state is known.
        delay: of the chunk that is asked for, and of the robot on the previous one.
        new_camera_from_old: see `continue_chunk`.

    Returns:
        The prefix, shortened to what is left of the previous plan; None when nothing is.
    """
    if previous is None or delay.steps <= 0 or stamp_s < previous.stamp_s:
        return None
    reached_s = max(stamp_s - delay.late_s, previous.stamp_s)
    left = int(np.floor(previous.chunk.steps - previous.steps_at(reached_s) + _WHOLE_STEP))
    steps = min(delay.steps, left)
    if steps <= 0:
        return None
    old_from_new = np.eye(4) if new_camera_from_old is None else invert_pose(new_camera_from_old)
    follows = []
    for side in SIDES:
        lag_m, lag_rad = previous.lag(side, reached_s, old_from_new @ wrist_pose(state, side))
        follows.append(lag_m <= MAX_LAG_M and lag_rad <= MAX_LAG_RAD)
    valid = np.asarray(state_valid, dtype=bool) & previous.chunk.valid & follows
    if not valid.any():
        return None
    return CommittedPrefix(continue_chunk(previous, reached_s, state, steps, new_camera_from_old), valid)


class DelayMeter:
    """How many steps of a chunk are over before the executor starts on it, as the executor reports it.

    An estimate from the slowest inference seen would freeze more steps than needed for ever after one hiccup; the
    median of the last few measured values does not.

    Args:
        window: chunks to look back.
        limit: most steps ever committed.
    """

    def __init__(self, window: int = 3, limit: int = 8) -> None:
        self._seen: deque[tuple[int, int]] = deque(maxlen=window)
        self._limit = limit
        self._late: tuple[int, float] = (-1, 0.0)

    def report(self, sequence: int, first_step: int, late_s: float = 0.0) -> None:
        """Note the first executed step of a chunk, repeated reports count once; and how late the robot is on it.

        Args:
            sequence: Number of the chunk.
            first_step: Step it took effect with.
            late_s: How far the robot is behind its plan.
        """
        self._late = (sequence, max(late_s, 0.0))
        if not self._seen or self._seen[-1][0] != sequence:
            self._seen.append((sequence, first_step))

    def clear(self) -> None:
        """Forget (a new run starts)."""
        self._seen.clear()
        self._late = (-1, 0.0)

    def late_s(self, sequence: int) -> float:
        """How much later than by the clock the robot is on a chunk, as last reported; 0 if it is not on it."""
        reported, late_s = self._late
        return late_s if reported == sequence else 0.0

    @property
    def steps(self) -> int:
        """The delay to commit [steps]; 0 before the first report."""
        if not self._seen:
            return 0
        delays = sorted(delay for _, delay in self._seen)
        return min(delays[len(delays) // 2], self._limit)
