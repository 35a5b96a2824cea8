"""The last word inside each driver: every command is checked here before it reaches the vendor SDK.

Pure and without a clock; the arm driver and the hand driver use the same class with other limits. Use:

    guard = CommandGuard(ARM_GUARD, posture_checks=(WorkspaceCheck(...), CollisionCheck(...)))
    guard.rearm(epoch, held_rad)
    refusal = guard.check(position_rad, sequence=..., epoch=..., age_s=..., now_s=...)
    if refusal is None: send
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.arm_description import ArmDescription
from vitra_description.arms.rm75 import RM75_6F
from vitra_description.hand_description import HandDescription
from vitra_description.hands.xhand1 import XHAND1
from vitra_description.joint_limits import JointLimits
from vitra_safety.time_budget import TimeBudget

Array = NDArray[np.float64]


class GuardReason(StrEnum):
    """Why a command was refused, in the order of the checks."""

    NOT_PERMITTED = "not_permitted"
    NOT_ARMED = "not_armed"
    WRONG_LENGTH = "wrong_length"
    NOT_FINITE = "not_finite"
    WRONG_EPOCH = "wrong_epoch"
    WRONG_SOURCE = "wrong_source"
    OUT_OF_ORDER = "out_of_order"
    STALE = "stale"
    RATE = "rate"
    POSITION = "position"
    FIRST_COMMAND = "first_command"
    AHEAD = "ahead"
    STEP = "step"
    VELOCITY = "velocity"
    ACCELERATION = "acceleration"
    WORKSPACE = "workspace"
    COLLISION = "collision"


LIMIT_REASONS = frozenset(
    {
        GuardReason.WRONG_LENGTH,
        GuardReason.NOT_FINITE,
        GuardReason.POSITION,
        GuardReason.STEP,
        GuardReason.VELOCITY,
        GuardReason.ACCELERATION,
        GuardReason.WORKSPACE,
        GuardReason.COLLISION,
    }
)
"""What a sound commander never asks for. The others also happen to one whose messages or whose driver paused."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused command; `detail` says what was seen and what is allowed."""

    reason: GuardReason
    detail: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


PostureCheck = Callable[[Array, Array], "Refusal | None"]
"""A check of a whole posture (workspace, collision): (commanded, last accepted positions) -> refusal or None."""


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """What a command must keep to.

    Attributes:
        limits: Position, velocity and acceleration limits of the joints.
        period_s: Nominal time between two commands.
        max_step_rad: Largest change from the setpoint sent last, whatever the time between.
        first_command_rad: Largest distance of the first command after a rest from what the controller holds.
        max_age_s: Oldest command that is obeyed.
        max_lead_s: How far ahead of its receipt a command may be stamped: clocks are read one after the other.
        rate_tolerance: Velocity and acceleration may exceed their limits by this share, for rounding.
        slack_s: How far delivery may bunch commands: time credited beyond what has passed, once, not per command.
        position_tolerance_rad: Positions may exceed their limits by this, for rounding.
    """

    limits: JointLimits
    period_s: float
    max_step_rad: float
    first_command_rad: float
    max_age_s: float = 0.1
    max_lead_s: float = 0.002
    rate_tolerance: float = 0.05
    slack_s: float = 0.02
    position_tolerance_rad: float = 1e-6


def arm_guard(arm: ArmDescription) -> GuardSettings:
    """What commands to a kind of arm must keep to."""
    return GuardSettings(
        arm.limits, period_s=0.005, max_step_rad=arm.max_step_rad, first_command_rad=float(np.deg2rad(1.0))
    )


ARM_GUARD = arm_guard(RM75_6F)


def hand_guard(hand: HandDescription) -> GuardSettings:
    """What commands to a kind of hand must keep to."""
    return GuardSettings(
        hand.limits, period_s=0.01, max_step_rad=hand.max_step_rad, first_command_rad=hand.first_command_rad
    )


HAND_GUARD = hand_guard(XHAND1)


_BEFORE_FIRST = -1
"""Commands are numbered from 0."""
_FASTEST = 0.5
"""Commands that come faster than twice their rate for longer than the slack are refused."""


class CommandGuard:
    """Checks commands one by one against limits and against the last accepted one.

    Speeds are judged over the ticks that the sequence numbers say have passed, so that neither jitter of delivery nor
    a lost message looks like a jump; but only while the receiver's own clock agrees: all commands draw on one
    `TimeBudget`, and whoever hurries is judged over the time that there was. A refused command changes nothing but the
    counts: the next is judged against the last accepted one.
    """

    def __init__(self, settings: GuardSettings, posture_checks: Sequence[PostureCheck] = ()) -> None:
        self.settings = settings
        self._posture_checks = tuple(posture_checks)
        limits = settings.limits
        self._lower = limits.lower_rad - settings.position_tolerance_rad
        self._upper = limits.upper_rad + settings.position_tolerance_rad
        self._max_velocity = limits.velocity_rad_s * (1 + settings.rate_tolerance)
        self._max_acceleration = limits.acceleration_rad_s2 * (1 + settings.rate_tolerance)
        self._epoch: int | None = None
        self._source: int | None = None
        self._sequence = _BEFORE_FIRST
        self._reference: Array = np.zeros(limits.dof)
        self._sent: Array = self._reference
        self._velocity: Array = np.zeros(limits.dof)
        self._interval_s = settings.period_s
        self._received: tuple[int, Array] | None = None
        self._budget = TimeBudget(settings.slack_s)
        self._first = True
        self.accepted = 0
        self.refused: Counter[GuardReason] = Counter()
        self.last_refusal: Refusal | None = None

    @property
    def position_rad(self) -> Array:
        """Position of the last accepted command (or as held at arming), shape (dof,)."""
        return self._reference.copy()

    @property
    def velocity_rad_s(self) -> Array:
        """Velocity that the last accepted commands imply, shape (dof,)."""
        return self._velocity.copy()

    @property
    def limit_violations(self) -> int:
        """Commands refused for what they asked, not for when they came."""
        return sum(count for reason, count in self.refused.items() if reason in LIMIT_REASONS)

    def rearm(self, epoch: int, held_rad: ArrayLike) -> None:
        """Begin a new epoch: only its commands count, in a new sequence from one source, from what is held (dof,)."""
        self._epoch, self._source, self._sequence = epoch, None, _BEFORE_FIRST
        self.resync(held_rad)

    def disarm(self) -> None:
        """Refuse everything until `rearm`."""
        self._epoch = None

    def resync(self, position_rad: ArrayLike) -> None:
        """After a stop within an epoch: the controller holds this position (dof,); the next command begins there."""
        self._reference = np.array(position_rad, dtype=np.float64)
        self._sent = self._reference
        self._velocity = np.zeros_like(self._reference)
        self._interval_s = self.settings.period_s
        self._received = None
        self._first = True

    def sent(self, position_rad: ArrayLike) -> None:
        """What went to the wire last (dof,): commands may be `max_step_rad` away from it."""
        self._sent = np.array(position_rad, dtype=np.float64)

    def check(
        self, position_rad: ArrayLike, *, sequence: int, epoch: int, age_s: float, now_s: float, source: int = 0
    ) -> Refusal | None:
        """Judge one command.

        Args:
            position_rad: Joint positions, shape (dof,).
            sequence: The command's number; strictly increasing.
            epoch: Arming epoch under which it was computed.
            age_s: Time since it was computed.
            now_s: Monotonic time.
            source: Identity of its publisher; the first of an epoch is the only one.

        Returns:
            None if it may be sent, otherwise why not.
        """
        try:
            q = np.asarray(position_rad, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            return self.refuse(GuardReason.NOT_FINITE, f"positions are not numbers: {position_rad!r:.80}")
        interval_s = self._interval(sequence, now_s)
        refusal = (
            self._check_form(q, sequence, epoch, age_s, source)
            or self._check_rate(interval_s)
            or self._check_motion(q, sequence, interval_s)
        )
        if refusal is None:
            for posture_check in self._posture_checks:
                refusal = posture_check(q, self._reference)
                if refusal is not None:
                    break
        if refusal is not None:
            return self.refuse(refusal.reason, refusal.detail)
        self._velocity = np.zeros_like(q) if self._first else (q - self._reference) / interval_s
        self._budget.spend(interval_s, now_s)
        # A source may already be under way when its first command gets through.
        self._interval_s = 2 * self.settings.slack_s if self._first else interval_s
        self._reference = self._sent = q.copy()
        self._sequence, self._source, self._first = sequence, source, False
        self.accepted += 1
        return None

    def refuse(self, reason: GuardReason, detail: str) -> Refusal:
        """Count a refusal, also one decided by the caller."""
        self.last_refusal = Refusal(reason, detail)
        self.refused[reason] += 1
        return self.last_refusal

    def _interval(self, sequence: int, now_s: float) -> float:
        """Time that the command is judged over: its ticks, as far as they have passed here."""
        period_s = self.settings.period_s
        claimed_s = period_s if self._first else max(1, sequence - self._sequence) * period_s
        return min(claimed_s, self._budget.available_s(now_s))

    def _check_rate(self, interval_s: float) -> Refusal | None:
        period_s = self.settings.period_s
        if interval_s >= _FASTEST * period_s:
            return None
        return Refusal(GuardReason.RATE, f"commands come faster than {1 / (_FASTEST * period_s):.0f} Hz")

    def _check_form(self, q: Array, sequence: int, epoch: int, age_s: float, source: int) -> Refusal | None:
        settings = self.settings
        if self._epoch is None:
            return Refusal(GuardReason.NOT_ARMED, "no epoch yet; call the supervisor's rearm service")
        if q.shape != self._lower.shape:
            return Refusal(GuardReason.WRONG_LENGTH, f"shape {q.shape}, allowed {self._lower.shape}")
        if not np.isfinite(q).all():
            return Refusal(GuardReason.NOT_FINITE, f"joint {_first(~np.isfinite(q))} is {q[~np.isfinite(q)][0]}")
        if epoch != self._epoch:
            return Refusal(GuardReason.WRONG_EPOCH, f"epoch {epoch}, allowed {self._epoch}")
        if self._source is not None and source != self._source:
            detail = f"a second commander: source {source:x}, this epoch's is {self._source:x}"
            return Refusal(GuardReason.WRONG_SOURCE, detail)
        if sequence <= self._sequence:
            return Refusal(GuardReason.OUT_OF_ORDER, f"sequence {sequence}, must be above {self._sequence}")
        if not -settings.max_lead_s <= age_s <= settings.max_age_s:
            allowed = f"allowed {settings.max_age_s * 1e3:.0f} ms, and none from the future"
            return Refusal(GuardReason.STALE, f"computed {age_s * 1e3:.1f} ms ago, {allowed}")
        return None

    def _check_motion(self, q: Array, sequence: int, interval_s: float) -> Refusal | None:
        settings = self.settings
        outside = (q < self._lower) | (q > self._upper)
        if outside.any():
            i = int(np.argmax(outside))
            limits = settings.limits
            allowed = f"{limits.lower_rad[i]:.4f}..{limits.upper_rad[i]:.4f}"
            return Refusal(GuardReason.POSITION, f"joint {i + 1} at {q[i]:.4f} rad, allowed {allowed}")
        if self._first:
            return _exceeds(
                GuardReason.FIRST_COMMAND, q - self._sent, settings.first_command_rad, "rad from what is held"
            )
        leap = self._own_step(q, sequence)
        velocity = (q - self._reference) / interval_s
        acceleration = (velocity - self._velocity) / ((interval_s + self._interval_s) / 2)
        return (
            _exceeds(
                GuardReason.STEP if (np.abs(leap) > settings.max_step_rad).any() else GuardReason.AHEAD,
                q - self._sent,
                settings.max_step_rad,
                "rad from what was sent",
            )
            or _exceeds(GuardReason.VELOCITY, velocity, self._max_velocity, "rad/s")
            or _exceeds(GuardReason.ACCELERATION, acceleration, self._max_acceleration, "rad/s^2")
        )

    def _own_step(self, q: Array, sequence: int) -> Array:
        """Per period, how far the commander has moved since its last command, whatever became of that."""
        before, self._received = self._received, (sequence, q.copy())
        if before is None:
            return q - self._reference
        return (q - before[1]) / max(1, sequence - before[0])


def _first(flags: NDArray[np.bool_]) -> int:
    return int(np.argmax(flags)) + 1


def _exceeds(reason: GuardReason, values: Array, allowed: Array | float, unit: str) -> Refusal | None:
    over = np.abs(values) > allowed
    if not over.any():
        return None
    i = int(np.argmax(over))
    limit = float(np.broadcast_to(allowed, values.shape)[i])
    return Refusal(reason, f"joint {i + 1}: {values[i]:.4f} {unit}, allowed {limit:.4f}")
