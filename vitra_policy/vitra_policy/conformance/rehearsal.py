"""Plays answers of a make-believe policy to a client, tick by tick on a clock of its own, and keeps what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from vitra_policy.chunks.curve import Array, TimedSteps
from vitra_policy.conformance.client import ChunkClient
from vitra_policy.errors import VitraError

TICK_S = 0.005
STEP_S = 1 / 30
STEPS = 16
PERIOD_S = 0.2
"""Between two observations, unless the answer takes longer."""
LATENCY_S = 0.1
ORIGIN_S = 100.0
"""When a run starts; clocks do not start at zero."""
START = np.array([0.4, -0.3])
"""Where the robot stands at first; not zero, which is what broken clients like to send."""
_SWING = np.array([0.15, -0.1])
_SWING_S = 3.0
PEAK_SPEED = float(np.abs(_SWING).max() * 2 * np.pi / _SWING_S)
"""Of the plan [1/s]."""
MAX_SPEED = 1.5
"""What a setpoint may move at most [1/s]: five times the plan's own speed; everything above is a jump."""


class ClientContractError(VitraError):
    """A client answers with something else than numbers of the robot's width."""


def plan(time_s: ArrayLike) -> Array:
    """What the make-believe policy wants (n, 2): a slow swing that begins at rest at `START`."""
    swing = np.maximum(np.asarray(time_s, dtype=np.float64) - ORIGIN_S, 0.0)
    values: Array = START + np.multiply.outer(1 - np.cos(2 * np.pi * swing / _SWING_S), _SWING)
    return values


@dataclass(frozen=True, slots=True)
class Answer:
    """One request and what becomes of its answer."""

    observed_s: float
    arrives_s: float | None
    """None: it is lost."""
    offset: float = 0.0
    """Added to the plan: another way to do the task, or a mark to recognise the answer by."""
    stamp_error_s: float = 0.0
    """What the stamp's clock is ahead of the robot's."""
    values: Array | None = None
    """Instead of the plan."""
    copies: int = 1

    def chunk(self, sequence: int) -> TimedSteps:
        """As it is sent."""
        times = self.observed_s + STEP_S * np.arange(1, STEPS + 1)
        values = plan(times) + self.offset if self.values is None else self.values
        return TimedSteps(sequence, self.observed_s + self.stamp_error_s, STEP_S, values)


@dataclass(slots=True)
class Trace:
    """What a client did."""

    times_s: Array
    targets: Array
    """(n, width)."""
    prefixes: list[tuple[float, Array]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def at(self, time_s: Array | float) -> Array:
        """Setpoints (n, width) at times."""
        rows = np.clip(np.searchsorted(self.times_s, np.atleast_1d(time_s) - TICK_S / 2), 0, len(self.times_s) - 1)
        return self.targets[rows]

    def speed(self) -> Array:
        """Largest speed of any column per tick (n - 1,) [1/s]."""
        speed: Array = np.abs(np.diff(self.targets, axis=0)).max(axis=1) / TICK_S
        return speed


def rehearse(client: ChunkClient, answers: Iterable[Answer], duration_s: float) -> Trace:
    """Let a client live through a sequence of answers.

    Args:
        client: Who is tested.
        answers: What the server says, each with its delay.
        duration_s: Length of the life.

    Raises:
        ClientContractError: what it gives are no steps or no setpoint.
    """
    client.start(START.copy(), ORIGIN_S)
    wanted = sorted(answers, key=lambda one: one.observed_s)
    events: list[tuple[float, int, Callable[[float], None]]] = []
    times_s: Array = ORIGIN_S + TICK_S * np.arange(1, round(duration_s / TICK_S) + 1, dtype=np.float64)
    trace = Trace(times_s, np.zeros((0, len(START))))

    def ask(now_s: float) -> None:
        rows = np.array(client.request(now_s), dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(START) or not np.isfinite(rows).all():
            raise ClientContractError(f"request() must give finite steps (d, {len(START)}), got shape {rows.shape}.")
        trace.prefixes.append((now_s, rows))

    def deliver(chunk: TimedSteps, now_s: float) -> None:
        try:
            client.receive(chunk, now_s)
        except VitraError as error:
            trace.refusals.append(str(error))

    for number, answer in enumerate(wanted, start=1):
        events.append((answer.observed_s, 0, ask))
        if answer.arrives_s is not None:
            chunk = answer.chunk(number)
            for _ in range(answer.copies):
                events.append((answer.arrives_s, 1, lambda now_s, chunk=chunk: deliver(chunk, now_s)))  # type: ignore[misc]
    events.sort(key=lambda event: event[:2])
    targets: list[Array] = []
    for now_s in trace.times_s:
        while events and events[0][0] <= now_s + 1e-9:
            events.pop(0)[2](float(now_s))
        target = np.array(client.target(float(now_s)), dtype=np.float64)
        if target.shape != START.shape:
            raise ClientContractError(f"target() must give a setpoint {START.shape}, got shape {target.shape}.")
        targets.append(target)
    trace.targets = np.stack(targets)
    return trace


def exchange(
    duration_s: float, latencies_s: Sequence[float] = (), lost: Iterable[int] = (), latency_s: float = LATENCY_S
) -> list[Answer]:
    """Requests one after the other, none before the last is answered.

    Args:
        duration_s: how long requests are made.
        latencies_s: how long the first ones take.
        lost: numbers (0-based) of those that are never answered; the client gives them up after their latency.
        latency_s: how long all others take.
    """
    answers: list[Answer] = []
    now_s, missing = 0.1, set(lost)
    while now_s < duration_s:
        number = len(answers)
        delay_s = latencies_s[number] if number < len(latencies_s) else latency_s
        observed_s = ORIGIN_S + now_s
        answers.append(Answer(observed_s, None if number in missing else observed_s + delay_s))
        now_s += max(PERIOD_S, delay_s + TICK_S)
    return answers
