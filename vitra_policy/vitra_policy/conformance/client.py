"""What the suite asks of a client: whatever turns chunks that come late, twice or never into setpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from vitra_policy.chunks.curve import Array, TimedSteps


class ChunkClient(Protocol):
    """Stands between a policy and a robot; lives by the clock that the suite hands in, never by its own.

    Setpoints are plain numbers (radians of joints, say); row k of a chunk is to be reached at
    ``stamp_s + (k + 1) * step_s``. One thread calls.
    """

    def start(self, position: Array, now_s: float) -> None:
        """A run begins; the robot is at rest at ``position`` (width,), and nothing observed before counts."""
        ...

    def request(self, now_s: float) -> Array:
        """An observation is made now: the steps (d, width) already decided from here on.

        Row k is where the robot will be at ``now_s + (k + 1) * step_s`` if no further chunk comes. d is how many steps
        the client expects to be over before it acts on the answer: 0 at first, never more than it has.
        """
        ...

    def receive(self, chunk: TimedSteps, now_s: float) -> None:
        """An answer arrives; raising `vitra_policy.errors.VitraError` is the way to refuse it."""
        ...

    def target(self, now_s: float) -> Array:
        """The setpoint (width,) of this control cycle."""
        ...


ClientFactory: TypeAlias = Callable[[], ChunkClient]
"""Makes a fresh client for each case."""
