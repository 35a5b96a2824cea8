"""The chunk timeline: which target holds at a time, whatever order and delay the chunks arrive with."""

from __future__ import annotations

from dataclasses import dataclass
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

    def value(self, time_s: float) -> Array | float:
        s = (time_s - self.start_s) / self.duration_s
        if s >= 1.0:
            return 0.0
        return self.offset * (1 + s * s * (2 * s - 3)) + self.rate * (self.duration_s * s * (1 - s) ** 2)

    def velocity(self, time_s: float) -> Array | float:
        s = (time_s - self.start_s) / self.duration_s
        if s >= 1.0:
            return 0.0
        return self.offset * (6 * s * (s - 1) / self.duration_s) + self.rate * ((1 - s) * (1 - 3 * s))


@dataclass(slots=True)
class _Execution:
    """The chunk in charge, how the target gets over to it, and what has come of it so far."""

    curve: Curve
    fade: _Fade | None
    first_step: int | None = None
    delay_s: float = 0.0
    ran_out: bool = False

    def value(self, time_s: float) -> Array:
        value = self.curve.value(time_s)
        return value if self.fade is None else value + self.fade.value(time_s)

    def velocity(self, time_s: float) -> Array:
        velocity = self.curve.velocity(time_s)
        return velocity if self.fade is None else velocity + self.fade.velocity(time_s)


class ChunkTimeline:
    """Targets by clock, never by queue position; a new chunk takes over without a jump in place or velocity.

    The newest accepted chunk is the truth. What separates it from the target shown so far (offset and its rate, at the
    moment it takes over) fades to zero within ``blend_s`` along a cubic, so nothing older has to be remembered and
    any number of chunks may arrive within one blend. Not thread-safe: offer and sample from one thread.

    Args:
        layout: meaning of the columns.
        blend_s: how long the change-over to a new chunk takes.
        stop_s: how long the target takes to come to rest when steps run out.
        clock_tolerance_s: how far ahead of now an observation may be stamped.
    """

    def __init__(
        self, layout: Layout, *, blend_s: float = 0.1, stop_s: float = 0.15, clock_tolerance_s: float = 0.02
    ) -> None:
        self.layout = layout
        self.counts: dict[Verdict, int] = dict.fromkeys(Verdict, 0)
        self.starved = 0
        self._blend_s, self._stop_s, self._clock_tolerance_s = blend_s, stop_s, clock_tolerance_s
        self._rest: Array | None = None
        self._not_before_s = -np.inf
        self._execution: _Execution | None = None

    def rest_at(self, value: ArrayLike, now_s: float) -> None:
        """Drop all chunks and hold ``value`` (width,); what was observed before now is refused from here on."""
        self._rest = self.layout.normalise(np.array(value, dtype=np.float64))
        self._not_before_s = now_s
        self._execution = None

    def offer(self, steps: TimedSteps, now_s: float) -> Verdict:
        """Take a chunk in, or say why not; steps that are already past are skipped.

        Raises:
            StepsError: for a chunk no curve can be drawn through.
        """
        curve = Curve(steps, self.layout, self._stop_s)
        verdict = self._judge(steps, now_s)
        if verdict is Verdict.ACCEPTED:
            self._execution = _Execution(curve, self._fade_to(curve, now_s))
        self.counts[verdict] += 1
        return verdict

    def sample(self, now_s: float) -> Sample | None:
        """The target now; None while there is neither a chunk nor a place to rest."""
        run = self._execution
        if run is None:
            return None if self._rest is None else Sample(self._rest.copy(), Phase.HOLDING)
        steps, position = run.curve.steps, run.curve.position_steps(now_s)
        if run.first_step is None:
            run.first_step = min(int(position), len(steps.values) - 1)
            run.delay_s = max(now_s - steps.stamp_s, 0.0)
        phase = Phase.TRACKING
        if now_s > run.curve.end_s:
            phase = Phase.DECELERATING if now_s < run.curve.rest_s else Phase.HOLDING
            self.starved += not run.ran_out
            run.ran_out = True
        value = self.layout.normalise(run.value(now_s))
        return Sample(value, phase, steps.sequence, steps.stamp_s, position, run.first_step, run.delay_s)

    def _judge(self, steps: TimedSteps, now_s: float) -> Verdict:
        if steps.stamp_s > now_s + self._clock_tolerance_s:
            return Verdict.FUTURE
        if steps.stamp_s < self._not_before_s:
            return Verdict.STALE
        if self._execution is not None and steps.stamp_s <= self._execution.curve.steps.stamp_s:
            same = steps.stamp_s == self._execution.curve.steps.stamp_s
            return Verdict.DUPLICATE if same else Verdict.OUT_OF_ORDER
        return Verdict.LATE if now_s >= steps.end_s else Verdict.ACCEPTED

    def _fade_to(self, curve: Curve, now_s: float) -> _Fade | None:
        if self._execution is not None:
            raw = self._execution.value(now_s)
            velocity = self.layout.normalised_velocity(raw, self._execution.velocity(now_s))
            shown = self.layout.normalise(raw)
        elif self._rest is not None:
            shown, velocity = self._rest, np.zeros(self.layout.width)
        else:
            return None
        # The new curve takes the sign of the old one where both mean the same rotation.
        curve.align_to(shown, now_s)
        return _Fade(now_s, self._blend_s, shown - curve.value(now_s), velocity - curve.velocity(now_s))
