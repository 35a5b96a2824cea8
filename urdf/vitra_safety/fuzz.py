"""Made-up commands, permits, feedback and frames against everything that judges them; counts, rate and what broke.

    python -m vitra_safety.fuzz --commands 1000000 --seed 0

Commands go the whole way of a driver without its process: guard, gate, stop, limiter, and the positions that come out
are held against the limits. A broken limit or an exception ends the run with the seed and the number that show it.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
import tyro
from numpy.typing import NDArray
from tqdm import tqdm

from vitra_description.limits import ARM_LIMITS
from vitra_description.postures import home
from vitra_safety.guard import ARM_GUARD
from vitra_safety.motion_gate import MotionState
from vitra_safety.setpoint_stream import STANDS_S, SetpointStream

Array = NDArray[np.float64]

_TOLERANCE = 1.11
"""The guard's tolerance for rounding, twice: once in the guard, once where differences of differences are taken."""
_SPECIAL = np.array([np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0, 2**31, 7.0, -7.0])


class LimitBrokenError(AssertionError):
    """Something came out that should not have."""


@dataclass(frozen=True)
class Options:
    """How much, and from which seed."""

    commands: int = 1_000_000
    """Commands to make up."""
    seed: int = 0
    """Of the random numbers."""
    progress: bool = True
    """Show a progress bar."""


@dataclass(frozen=True)
class Result:
    """What a run did."""

    commands: int
    accepted: int
    sent: int
    seconds: float
    rate_hz: float
    refused: dict[str, int]


class Campaign:
    """One stream under attack: mostly a plausible source, which now and then lies, leaps, floods or falls silent."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._stream = SetpointStream(ARM_GUARD, rest_error_rad=float(np.deg2rad(3.0)))
        self._now_s = self._wall_s = 1000.0
        self._measured = home("right")
        self._source, self._velocity = self._measured.copy(), np.zeros(7)
        self._epoch, self._sequence, self._identity = 1, 0, 1
        self._sent: list[Array] = []
        self._last_s: list[float] = []
        self.sent = 0

    @property
    def stream(self) -> SetpointStream:
        """What is under attack."""
        return self._stream

    def command(self) -> None:
        """One made-up command and what goes with it.

        Raises:
            LimitBrokenError: what came out breaks a limit.
        """
        rng, stream = self._rng, self._stream
        kind = rng.random()
        self._now_s += ARM_GUARD.period_s * (1.0 if kind < 0.9 else rng.choice([0.0, 0.02, 0.5, 3.0, 30.0]))
        self._surroundings(kind)
        self._sequence += 1 if rng.random() < 0.97 else int(rng.integers(-3, 50))
        q = self._next_position()
        if kind > 0.97:
            q = q.copy()
            q[rng.integers(7)] = rng.choice(_SPECIAL)
        if rng.random() < 0.001:
            q = q[: rng.integers(7)]
        stream.on_command(
            q,
            sequence=self._sequence,
            epoch=self._epoch if rng.random() < 0.995 else int(rng.integers(0, 2**32)),
            age_s=float(rng.choice([0.001, 0.001, 0.001, 0.001, 0.2, -1.0, np.nan])) if kind > 0.95 else 0.001,
            now_s=self._now_s,
            source=self._identity if rng.random() < 0.999 else 2,
        )
        for _ in range(1 + (rng.random() < 0.2)):
            self._look(stream.tick(self._now_s))
        if stream.state is MotionState.LATCHED and rng.random() < 0.05:
            self._rearm()

    def _surroundings(self, kind: float) -> None:
        rng, stream = self._rng, self._stream
        if rng.random() < 0.98:
            stream.on_permit(self._epoch, True, self._now_s, 1, 0.01)
        elif rng.random() < 0.3:
            stream.on_permit(int(rng.integers(0, 2**32)), bool(rng.random() < 0.5), self._now_s, 2, rng.normal())
        if rng.random() < 0.98:
            stream.on_feedback(self._measured, self._now_s)
        elif rng.random() < 0.5:
            stream.on_feedback(np.full(rng.integers(5, 9), rng.choice(_SPECIAL)), self._now_s)
        if kind < 0.0005:
            stream.on_fault("made up")
        if rng.random() < 0.0005:
            stream.forget_held()

    def _next_position(self) -> Array:
        rng = self._rng
        if self._stream.state is not MotionState.MOVING:
            start = self._stream.start_rad
            self._source = self._measured.copy() if start is None else start
            self._velocity = np.zeros(7)
        push = rng.uniform(-1, 1, 7) * (9.0 if rng.random() < 0.95 else 200.0)
        pull = -0.5 * self._velocity - 2.0 * (self._source - home("right"))
        self._velocity = self._velocity + (push + pull) * ARM_GUARD.period_s
        self._source = self._source + self._velocity * ARM_GUARD.period_s
        if rng.random() < 0.002:
            self._source = self._source + rng.normal(0, rng.choice([0.01, 0.1, 1.0]), 7)
        return self._source

    def _rearm(self) -> None:
        self._epoch = max(self._epoch, self._stream.gate.epoch) + 1
        self._sequence = 0
        self._now_s += 0.6
        self._stream.on_permit(self._epoch, True, self._now_s, 1, 0.01)

    def _look(self, setpoint: Array | None) -> None:
        if setpoint is None:
            if self._stream.state in (MotionState.HOLDING, MotionState.LATCHED) and self._sent:
                self._sent = [self._sent[-1]] * 2  # it stands
            return
        if self._stream.begins:
            self._sent = [self._measured] * 2
        elif self._last_s and self._now_s - self._last_s[-1] > STANDS_S:
            self._sent = [self._sent[-1]] * 2  # it stood meanwhile
        self.sent += 1
        self._measured = setpoint
        self._last_s = [*self._last_s[-2:], self._now_s]
        self._sent = [*self._sent[-2:], setpoint]
        limits, period_s = ARM_LIMITS, ARM_GUARD.period_s
        if not limits.contains(setpoint, 1e-5):
            raise LimitBrokenError(f"setpoint {self.sent}: {setpoint} is outside the joints' range")
        if len(self._last_s) == 3 and self._last_s[2] - self._last_s[0] < period_s - 1e-6:
            raise LimitBrokenError(f"setpoint {self.sent}: three within {self._last_s[2] - self._last_s[0]:.4f} s")
        if len(self._sent) == 3:
            velocity = np.diff(np.array(self._sent), axis=0) / period_s
            if (np.abs(velocity) > limits.velocity_rad_s * _TOLERANCE).any():
                raise LimitBrokenError(f"setpoint {self.sent}: velocity {np.abs(velocity).max():.3f} rad/s")
            acceleration = np.abs(velocity[1] - velocity[0]) / period_s
            at_end = (setpoint <= limits.lower_rad + 1e-5) | (setpoint >= limits.upper_rad - 1e-5)
            acceleration[at_end] = 0.0  # a joint that meets the end of its range stands there
            if (acceleration > limits.acceleration_rad_s2 * _TOLERANCE).any():
                raise LimitBrokenError(f"setpoint {self.sent}: acceleration {acceleration.max():.2f} rad/s^2")


def run(options: Options) -> Result:
    """Make up commands until there are enough.

    Raises:
        LimitBrokenError: naming seed and command.
    """
    campaign, begin_s = Campaign(options.seed), time.perf_counter()
    for number in tqdm(range(options.commands), disable=not options.progress, unit="commands"):
        try:
            with np.errstate(all="ignore"):
                campaign.command()
        except Exception as error:
            raise LimitBrokenError(f"seed {options.seed}, command {number}: {type(error).__name__}: {error}") from error
    seconds = time.perf_counter() - begin_s
    guard = campaign.stream.guard
    refused = {reason.value: count for reason, count in sorted(guard.refused.items())}
    rate_hz = options.commands / seconds
    return Result(options.commands, guard.accepted, campaign.sent, round(seconds, 1), round(rate_hz, 1), refused)


def main() -> None:
    """Entry point."""
    sys.stdout.write(
        json.dumps(asdict(run(tyro.cli(Options, prog="python -m vitra_safety.fuzz", description=__doc__))), indent=2)
        + "\n"
    )


if __name__ == "__main__":
    main()
