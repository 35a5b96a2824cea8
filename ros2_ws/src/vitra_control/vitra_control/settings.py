"""Numbers of the setpoint generator, all below what the drivers' guards allow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitra_description.arm_description import ArmDescription
from vitra_description.arms.rm75 import RM75_6F
from vitra_description.hand_description import HandDescription
from vitra_description.joint_limits import JointLimits
from vitra_safety.guard import ARM_GUARD, HAND_GUARD

ARM_PERIOD_S = ARM_GUARD.period_s
HAND_PERIOD_S = HAND_GUARD.period_s
TICKS_PER_HAND_SETPOINT = round(HAND_PERIOD_S / ARM_PERIOD_S)

PATH_SPACING_S = 0.02
"""Path time between two solutions of inverse kinematics."""
LOOK_AHEAD_S = 0.26
"""How far ahead the path is known: the slowest stop along it is shorter."""

_SHARE = 0.8
"""Part of the guards' accelerations that the generator uses."""

MAX_SPEED = 1.8
"""Highest `speed`: 81 deg/s, below the 90 deg/s that the guards allow."""


@dataclass(frozen=True, slots=True)
class GeneratorSettings:
    """Tuning of the setpoint generator.

    Attributes:
        speed: Velocity of arm joints relative to the planning velocity (45 deg/s); up to `MAX_SPEED`.
        blend_s: Change-over to a new chunk, at least; a gap the arm cannot close in that time takes longer.
        stop_s: Time in which the target comes to rest when steps run out.
        permit_timeout_s: Oldest permit that counts.
        max_gap_s: Longest pause between setpoints (a stalled process) that is bridged; after a longer one the drivers
            are stopping by themselves, and the generator starts again from where they come to rest.
        settle_s: Silence after which the drivers have noticed that no setpoints come and have stopped.
        still_s: How long the joints must stay in place to count as at rest.
        still_rad: How far they may move in that time.
        feedback_timeout_s: Oldest joint feedback that targets are seeded from.
        max_tracking_error_rad: Distance between setpoint and measured joints at which the arm does not follow.
        home_speed: Share of the planning velocity for moves to the ready posture.
        arm_jerk_rad_s3: Largest change of acceleration of arm joints.
        hand_jerk_rad_s3: Same for hand joints.
        ensemble_decay: Temporal ensembling with this decay; None: off.
        check_collisions: Whether the whole robot is checked before a setpoint leaves.
        table_height_m: Table top over the base, kept clear of arms and palms; None: no table.
        arm: The kind of arms.
    """

    speed: float = 1.0
    blend_s: float = 0.1
    stop_s: float = 0.15
    permit_timeout_s: float = 0.1
    max_gap_s: float = 0.03
    settle_s: float = 0.15
    still_s: float = 0.05
    still_rad: float = 0.004
    feedback_timeout_s: float = 0.1
    max_tracking_error_rad: float = 0.2
    home_speed: float = 0.5
    arm_jerk_rad_s3: float = 400.0
    hand_jerk_rad_s3: float = 6000.0
    ensemble_decay: float | None = None
    check_collisions: bool = True
    table_height_m: float | None = 0.75
    arm: ArmDescription = RM75_6F

    @property
    def arm_limits(self) -> JointLimits:
        """What arm setpoints keep to."""
        return JointLimits.build(
            self.arm.limits.lower_rad,
            self.arm.limits.upper_rad,
            self.arm.planning_limits.velocity_rad_s * min(self.speed, MAX_SPEED),
            self.arm.limits.acceleration_rad_s2 * _SHARE,
        )

    @property
    def ik_limits(self) -> JointLimits:
        """What inverse kinematics keeps to: room to brake in position; speed is left to the time scaling."""
        position = self.arm.limits.with_margin(float(np.deg2rad(1.0)))
        return JointLimits.build(position.lower_rad, position.upper_rad, 20.0, position.acceleration_rad_s2)

    @staticmethod
    def hand_limits(hand: HandDescription) -> JointLimits:
        """What setpoints of a kind of hand keep to."""
        return JointLimits.build(
            hand.limits.lower_rad,
            hand.limits.upper_rad,
            hand.limits.velocity_rad_s * _SHARE,
            hand.limits.acceleration_rad_s2 * _SHARE,
        )
