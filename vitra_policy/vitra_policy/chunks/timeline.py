"""The chunk timeline: which target holds at a time, whatever order and delay the chunks arrive with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from vitra_policy.chunks.curve import Array, Curve, Layout, TimedSteps


class Verdict(StrEnum):
    """What became of a chunk that was offered."""

    ACCEPTED = "accepted"
    LATE = "late"
    """All of its steps lie in the past."""
    OUT_OF_ORDER = "out_of_order"
    """Observed before the chunk that is being executed."""
    DUPLICATE = "duplicate"
    """Observed at the same time as the chunk that is being executed."""
    STALE = "stale"
    """Observed before the timeline was last put to rest."""
    FUTURE = "future"
    """Observed later than now: the clocks disagree."""


class Phase(StrEnum):
    """Where in its chunks the timeline is."""

    HOLDING = "holding"
    TRACKING = "tracking"
    DECELERATING = "decelerating"
    """The steps have run out; the target comes to rest."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The target at one time.

    Attributes:
        value: (width,) target, quaternions of unit length.
        phase: Whether it comes from a step, from the way to rest, or is at rest.
        sequence: Chunk it comes from; 0 when none.
        stamp_s: Observation time of that chunk.
        position_steps: Steps since that observation.
        first_step: First step of that chunk that was executed: its delay in steps consumed.
        delay_s: Age of the observation when the first target was computed from it.
    """

    value: Array
    phase: Phase
    sequence: int = 0
    stamp_s: float = 0.0
    position_steps: float = 0.0
    first_step: int = 0
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Fade:
    """What separates the target shown before from the new chunk: starts with this offset and rate, ends at zero."""

    start_s: float
    duration_s: float
    offset: Array
    rate: Array

    def value(self, time_s: float) -> Array:
        s = self._share(time_s)
        return self.offset * (1 + s * s * (2 * s - 3)) + self.rate * (self.duration_s * s * (1 - s) ** 2)

    def velocity(self, time_s: float) -> Array:
        s = self._share(time_s)
        return self.offset * (6 * s * (s - 1) / self.duration_s) + self.rate * ((1 - s) * (1 - 3 * s))

    def _share(self, time_s: float) -> float:
        """How much of the way is done, 0 to 1; at 1 nothing is left, exactly."""
        return min(max((time_s - self.start_s) / self.duration_s, 0.0), 1.0)


@dataclass(slots=True)
class _Execution:
    """The chunk in charge (its curve in path time), how the target gets over to it, and what has come of it so far."""

    curve: Curve
    fade: _Fade | None
    observed_s: float
    delay_s: float
    first_step: int | None = None
    ran_out: bool = False

    def value(self, time_s: float) -> Array:
        value = self.curve.value(time_s)
        return value if self.fade is None else value + self.fade.value(time_s)

    def velocity(self, time_s: float) -> Array:
        velocity = self.curve.velocity(time_s)
        return velocity if self.fade is None else velocity + self.fade.velocity(time_s)

    @property
    def rest_s(self) -> float:
        over_s = self.curve.rest_s if self.fade is None else self.fade.start_s + self.fade.duration_s
        return max(self.curve.rest_s, over_s)


class ChunkTimeline:
    """Targets by clock, never by queue position; a new chunk takes over without a jump in place or velocity.

    The newest accepted chunk is the truth. What separates it from the target shown so far (offset and its rate, at the
    moment it takes over) fades to zero within ``blend_s`` along a cubic, so nothing older has to be remembered and
    any number of chunks may arrive within one blend. Not thread-safe: offer and sample from one thread.

    Order and age of chunks are judged by the clock; targets are found in path time (`PathClock`), which is the clock
    itself for a robot that is never held back.

    Args:
        layout: meaning of the columns.
        blend_s: how long the change-over to a new chunk takes, at least.
        stop_s: how long the target takes to come to rest when steps run out.
        clock_tolerance_s: how far ahead of now an observation may be stamped.
        blend_for: how long a change-over must take that begins with an offset and rate, each (width,); None: no longer
            than `blend_s`.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        blend_s: float = 0.1,
        stop_s: float = 0.15,
        clock_tolerance_s: float = 0.02,
        blend_for: Callable[[Array, Array], float] | None = None,
    ) -> None:
        self.layout = layout
        self.counts: dict[Verdict, int] = dict.fromkeys(Verdict, 0)
        self.starved = 0
        self._blend_s, self._stop_s, self._clock_tolerance_s = blend_s, stop_s, clock_tolerance_s
        self._blend_for = blend_for
        self._rest: Array | None = None
        self._not_before_s = -np.inf
        self._execution: _Execution | None = None

    def rest_at(self, value: ArrayLike, now_s: float) -> None:
        """Drop all chunks and hold ``value`` (width,); what was observed before now is refused from here on."""
        self._rest = self.layout.normalise(np.array(value, dtype=np.float64))
        self._not_before_s = now_s
        self._execution = None

    def offer(
        self, steps: TimedSteps, now_s: float, *, stamp_path_s: float | None = None, seam_path_s: float | None = None
    ) -> Verdict:
        """Take a chunk in, or say why not; steps that are already past are skipped.

        Args:
            steps: the chunk, stamped by the clock.
            now_s: clock time.
            stamp_path_s: path time of its observation; None: its stamp.
            seam_path_s: path time from which on it is followed; None: now.

        Raises:
            StepsError: for a chunk no curve can be drawn through.
        """
        stamp_path_s = steps.stamp_s if stamp_path_s is None else stamp_path_s
        seam_path_s = now_s if seam_path_s is None else seam_path_s
        curve = Curve(replace(steps, stamp_s=stamp_path_s), self.layout, self._stop_s)
        verdict = self._judge(steps, now_s, seam_path_s >= curve.end_s)
        if verdict is Verdict.ACCEPTED:
            fade = self._fade_to(curve, seam_path_s)
            self._execution = _Execution(curve, fade, steps.stamp_s, max(now_s - steps.stamp_s, 0.0))
        self.counts[verdict] += 1
        return verdict

    @property
    def blend_s(self) -> float:
        """How long the change-over to the present chunk takes; 0 without one."""
        return 0.0 if self._execution is None or self._execution.fade is None else self._execution.fade.duration_s

    def prolong(self, blend_s: float) -> None:
        """Let a change-over that begins now take at least this long: as long as that of the other arm."""
        run = self._execution
        if run is not None and run.fade is not None:
            run.fade = replace(run.fade, duration_s=max(run.fade.duration_s, blend_s))

    def sample(self, path_s: float) -> Sample | None:
        """The target at a path time, for execution: counts what was executed. None without chunk and place to rest."""
        run = self._execution
        if run is None:
            return None if self._rest is None else Sample(self._rest.copy(), Phase.HOLDING)
        steps, position = run.curve.steps, run.curve.position_steps(path_s)
        if run.first_step is None:
            run.first_step = min(int(position), len(steps.values) - 1)
        phase = Phase.TRACKING
        if path_s > run.curve.end_s:
            phase = Phase.DECELERATING if path_s < run.curve.rest_s else Phase.HOLDING
            self.starved += not run.ran_out
            run.ran_out = True
        value = self.layout.normalise(run.value(path_s))
        return Sample(value, phase, steps.sequence, run.observed_s, position, run.first_step, run.delay_s)

    def value(self, path_s: float) -> Array | None:
        """The target (width,) at a path time, to look ahead; counts nothing."""
        if self._execution is None:
            return None if self._rest is None else self._rest.copy()
        return self.layout.normalise(self._execution.value(path_s))

    def rests_from(self, path_s: float) -> bool:
        """Whether the target stays where it is from a path time on."""
        return self._execution is None or path_s >= self._execution.rest_s

    def _judge(self, steps: TimedSteps, now_s: float, is_over: bool) -> Verdict:
        if steps.stamp_s > now_s + self._clock_tolerance_s:
            return Verdict.FUTURE
        if steps.stamp_s < self._not_before_s:
            return Verdict.STALE
        if self._execution is not None and steps.stamp_s <= self._execution.observed_s:
            same = steps.stamp_s == self._execution.observed_s
            return Verdict.DUPLICATE if same else Verdict.OUT_OF_ORDER
        return Verdict.LATE if is_over else Verdict.ACCEPTED

    def _fade_to(self, curve: Curve, path_s: float) -> _Fade | None:
        if self._execution is not None:
            raw = self._execution.value(path_s)
            velocity = self.layout.normalised_velocity(raw, self._execution.velocity(path_s))
            shown = self.layout.normalise(raw)
        elif self._rest is not None:
            shown, velocity = self._rest, np.zeros(self.layout.width)
        else:
            return None
        # The new curve takes the sign of the old one where both mean the same rotation.
        curve.align_to(shown, path_s)
        offset, rate = shown - curve.value(path_s), velocity - curve.velocity(path_s)
        blend_s = self._blend_s if self._blend_for is None else max(self._blend_s, self._blend_for(offset, rate))
        return _Fade(path_s, blend_s, offset, rate)
