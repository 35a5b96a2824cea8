"""Our own way with chunks, as a client of the suite: the timeline of the executor and its delay meter."""

from __future__ import annotations

import numpy as np

from vitra_policy.chunks.curve import Array, Layout, TimedSteps
from vitra_policy.chunks.timeline import ChunkTimeline, Phase
from vitra_policy.conformance.rehearsal import MAX_SPEED, STEP_S
from vitra_policy.policies.rtc import DelayMeter


class TimelineClient:
    """`ChunkTimeline` with `DelayMeter`, wired as the robot's nodes wire them.

    Args:
        max_speed: what a change-over between chunks may add to the setpoint's speed, twice [1/s].
    """

    def __init__(self, max_speed: float = MAX_SPEED) -> None:
        self._max_speed, self._delay = max_speed, DelayMeter()
        self._timeline = ChunkTimeline(Layout(2))

    def start(self, position: Array, now_s: float) -> None:
        """Hold.

        Args:
            position: Where the robot is (n,).
            now_s: The client's clock.
        """
        self._timeline = ChunkTimeline(Layout(len(position)), blend_for=self._blend_for)
        self._timeline.rest_at(position, now_s)
        self._delay.clear()

    def request(self, now_s: float) -> Array:
        """The targets (d, n) of the next steps, as many as were over before the last chunks took effect."""
        sample = self._timeline.sample(now_s)
        assert sample is not None
        if sample.phase is not Phase.TRACKING:
            self._delay.clear()  # as the executor's report does: nothing is decided at rest
        rows = [self._timeline.value(now_s + (k + 1) * STEP_S) for k in range(self._delay.steps)]
        left = [
            row for k, row in enumerate(rows) if row is not None and not self._timeline.rests_from(now_s + k * STEP_S)
        ]
        return np.stack(left) if left else np.zeros((0, self._timeline.layout.width))

    def receive(self, chunk: TimedSteps, now_s: float) -> None:
        """Offer it; the timeline says whether it counts."""
        self._timeline.offer(chunk, now_s)

    def target(self, now_s: float) -> Array:
        """By the clock (n,)."""
        sample = self._timeline.sample(now_s)
        assert sample is not None
        if sample.phase is Phase.TRACKING:
            self._delay.report(sample.sequence, sample.first_step)
        return sample.value

    def _blend_for(self, offset: Array, rate: Array) -> float:
        return float(1.5 * np.abs(offset).max() / (self._max_speed / 2))
