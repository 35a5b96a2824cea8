"""The setpoint generator: what to send at each tick, under a permit, from chunks; without threads or ROS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vitra_control.settings import TICKS_PER_HAND_SETPOINT, GeneratorSettings
from vitra_control.side import SideExecutor
from vitra_control.stillness import Stillness
from vitra_description.names import Side
from vitra_policy.chunks.curve import StepsError, TimedSteps
from vitra_policy.chunks.timeline import Sample, Verdict

Array = NDArray[np.float64]

_TICKS_PER_TRACKING_CHECK = 10
_STRIKES = 3


class Mode(StrEnum):
    """What the generator does."""

    IDLE = "idle"
    """No permit: nothing is sent."""
    SEEDING = "seeding"
    """Permitted, waiting until the joints are measured at rest."""
    FOLLOWING = "following"
    """Setpoints from chunks, or holding."""
    HOMING = "homing"
    """On the way to the ready posture; chunks are ignored."""


@dataclass(frozen=True, slots=True)
class PermitSample:
    """The newest permit and when it arrived (monotonic)."""

    epoch: int
    allowed: bool
    received_s: float


@dataclass(frozen=True, slots=True)
class Feedback:
    """Measured joints of one side, the age of the older of the two measurements, and what the controllers hold."""

    arm_rad: Array
    hand_rad: Array
    age_s: float
    arm_held_rad: Array | None = None
    hand_held_rad: Array | None = None

    @property
    def arm_start_rad(self) -> Array:
        """Where a motion begins, shape (7,): load keeps the arm off what is held, and that must not become a leap."""
        return self.arm_rad if self.arm_held_rad is None else self.arm_held_rad

    @property
    def hand_start_rad(self) -> Array:
        """The same for the hand, shape (12,): fingers on an object stand short of what they hold."""
        return self.hand_rad if self.hand_held_rad is None else self.hand_held_rad


@dataclass(frozen=True, slots=True)
class Setpoints:
    """What to send now; hands come every second tick."""

    epoch: int
    arms: dict[Side, Array]
    hands: dict[Side, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HomeResult:
    """How a move to the ready posture ended."""

    success: bool
    message: str


class SetpointGenerator:
    """Follows chunks tick by tick, and only while it is allowed to.

    Each setpoint is one cycle away from the one before, whatever the clock did in between, so the guards in the
    drivers never see a jump. After every beginning of a permit, a pause that is too long, or an arm that does not
    follow, it falls silent until the joints are at rest and starts again from where they are.

    Args:
        sides: The arms that are driven.
        settings: Tuning.
        feedback: Gives the newest measured joints of a side, or None; asked only when needed.
    """

    def __init__(
        self,
        sides: Mapping[Side, SideExecutor],
        settings: GeneratorSettings,
        feedback: Callable[[Side], Feedback | None],
    ) -> None:
        self.sides = dict(sides)
        self.mode = Mode.IDLE
        self.reseeds = 0
        self.waiting_for = ""
        self._settings, self._feedback = settings, feedback
        self._still = {side: Stillness(settings.still_rad, settings.still_s) for side in self.sides}
        self._strikes = dict.fromkeys(self.sides, 0)
        self._epoch: int | None = None
        self._ticks = 0
        self._last_sent_s = -np.inf
        self._seeded_epoch: int | None = None
        self._home_result: HomeResult | None = None

    def offer(self, chunk: Mapping[Side, TimedSteps], now_s: float) -> dict[Side, Verdict]:
        """Take a chunk in; sides that are not driven are left out of the answer. Outside FOLLOWING it is dropped.

        Raises:
            StepsError: for a chunk no curve can be drawn through; no side takes any of it.
        """
        if self.mode is not Mode.FOLLOWING:
            return {}
        mine = {side: steps for side, steps in chunk.items() if side in self.sides}
        for steps in mine.values():
            if not np.isfinite(steps.values).all():
                raise StepsError(f"{steps.name}: steps must be finite numbers.")
        return {side: self.sides[side].offer(steps, now_s) for side, steps in mine.items()}

    def home_refusal(self) -> str:
        """Why a move to the ready posture cannot begin now, or an empty text; may be asked from another thread."""
        if self.mode is Mode.HOMING:
            return "already on the way to the ready posture"
        if self.mode is not Mode.FOLLOWING:
            return f"not armed ({self.mode}); call safety_supervisor/rearm first"
        return ""

    def go_home(self) -> str:
        """Begin the move to the ready posture; returns why not, or an empty text."""
        refusal = self.home_refusal()
        if refusal:
            return refusal
        for side in self.sides.values():
            side.begin_ready()
        self.mode, self._home_result = Mode.HOMING, None
        return ""

    def take_home_result(self) -> HomeResult | None:
        """How the move to the ready posture ended, once."""
        result, self._home_result = self._home_result, None
        return result

    def interrupted(self, why: str) -> None:
        """A driver has stopped by itself and refuses what comes: start again from where the joints are."""
        if self.mode in (Mode.FOLLOWING, Mode.HOMING):
            self._again(why)

    def tick(self, now_s: float, permit: PermitSample | None) -> Setpoints | None:
        """The setpoints of this tick (every 5 ms); None when nothing may be sent."""
        if permit is None or not permit.allowed or now_s - permit.received_s > self._settings.permit_timeout_s:
            self._fall_back(Mode.IDLE, "the permit was withdrawn")
            return None
        if self.mode is Mode.IDLE or permit.epoch != self._epoch:
            self._epoch = permit.epoch
            self._fall_back(Mode.SEEDING, "a new epoch began")
        if self.mode is Mode.SEEDING and not self._seed(now_s):
            return None
        if now_s - self._last_sent_s > self._settings.max_gap_s:
            self._again(f"no setpoints for {(now_s - self._last_sent_s) * 1e3:.0f} ms")
            return None
        self._ticks += 1
        if self._ticks % _TICKS_PER_TRACKING_CHECK == 0 and (lost := self._not_following()):
            self._again(lost)
            return None
        self._last_sent_s = now_s
        return self._home(now_s, permit.epoch) if self.mode is Mode.HOMING else self._follow(now_s, permit.epoch)

    def newest_sample(self) -> Sample | None:
        """The target of the side whose chunk was observed last."""
        samples = [side.sample for side in self.sides.values() if side.sample is not None]
        return max(samples, key=lambda sample: sample.stamp_s, default=None)

    def limits(self) -> str:
        """What bends the path now, in words; empty if nothing."""
        return "; ".join(
            [self.waiting_for] * bool(self.waiting_for) + [s.limit for s in self.sides.values() if s.limit]
        )

    def count(self, verdicts: Sequence[Verdict]) -> int:
        """How many chunks got one of these verdicts, on the side where it was most."""
        return max(sum(side.timeline.counts[v] for v in verdicts) for side in self.sides.values())

    @property
    def starved(self) -> int:
        """How often the steps ran out."""
        return max(side.timeline.starved for side in self.sides.values())

    def _follow(self, now_s: float, epoch: int) -> Setpoints:
        arms = {name: side.follow(now_s) for name, side in self.sides.items()}
        if self._ticks % TICKS_PER_HAND_SETPOINT:
            return Setpoints(epoch, arms)
        return Setpoints(epoch, arms, {name: side.follow_hand() for name, side in self.sides.items()})

    def _home(self, now_s: float, epoch: int) -> Setpoints:
        with_hand = self._ticks % TICKS_PER_HAND_SETPOINT == 0
        both = {name: side.approach_ready(with_hand) for name, side in self.sides.items()}
        if all([side.arrived(now_s) for side in self.sides.values()]):
            self.mode, self._home_result = Mode.FOLLOWING, HomeResult(True, "at the ready posture")
        hands = {name: hand for name, (_, hand) in both.items()} if with_hand else {}
        return Setpoints(epoch, {name: arm for name, (arm, _) in both.items()}, hands)

    def _fall_back(self, mode: Mode, why: str) -> None:
        if self.mode is Mode.HOMING:
            self._home_result = HomeResult(False, f"the move to the ready posture was broken off: {why}")
        if mode is not self.mode:
            for still in self._still.values():
                still.reset()
        self.mode, self.waiting_for = mode, ""
        self._strikes = dict.fromkeys(self.sides, 0)

    def _again(self, why: str) -> None:
        self.reseeds += 1
        self._fall_back(Mode.SEEDING, why)
        self.waiting_for = why

    def _seed(self, now_s: float) -> bool:
        """Start from what the controllers hold, or where that is unknown from the measured joints, once all rest."""
        measured: dict[Side, Feedback] = {}
        for side in self.sides:
            feedback = self._feedback(side)
            if feedback is None or feedback.age_s > self._settings.feedback_timeout_s:
                self.waiting_for = f"{side}: no fresh joint feedback"
                self._still[side].reset()
                return False
            self._still[side].update(feedback.arm_rad, now_s)
            measured[side] = feedback
        if now_s - self._last_sent_s < self._settings.settle_s:
            return False
        if not all(still.reached(now_s) for still in self._still.values()):
            self.waiting_for = self.waiting_for or "the arms are not at rest"
            return False
        same_epoch = self._seeded_epoch == self._epoch
        for name, side in self.sides.items():
            feedback = measured[name]
            # Within an epoch a hand keeps its setpoint: fingers on an object stand short of it, and hold by that.
            known = feedback.hand_held_rad is not None or not same_epoch
            side.seed(feedback.arm_start_rad, feedback.hand_start_rad if known else side.resting_hand_rad, now_s)
        self._seeded_epoch, self._last_sent_s = self._epoch, now_s
        self.mode, self.waiting_for = Mode.FOLLOWING, ""
        return True

    def _not_following(self) -> str:
        for name, side in self.sides.items():
            feedback = self._feedback(name)
            if feedback is None or feedback.age_s > self._settings.feedback_timeout_s:
                continue  # the driver's own business; it stops by itself
            error = float(np.abs(feedback.arm_rad - side.arm_rad).max())
            self._strikes[name] = self._strikes[name] + 1 if error > self._settings.max_tracking_error_rad else 0
            if self._strikes[name] >= _STRIKES:
                return f"{name}: the arm does not follow ({error:.2f} rad away)"
        return ""
