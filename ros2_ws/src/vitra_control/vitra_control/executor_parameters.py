"""Parameters of the executor node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitra_control.settings import MAX_SPEED, GeneratorSettings
from vitra_control.side import SideExecutor
from vitra_description.arms import ARMS, DEFAULT_ARM, arm_description
from vitra_description.calibration import calibration_path, load_calibration
from vitra_description.names import ARM_DOF
from vitra_description.postures import home
from vitra_policy.action_space import Side, sides_of
from vitra_runtime.parameters import ParameterError, param

_DEFAULTS = GeneratorSettings()


def _ready(side: str) -> tuple[float, ...]:
    return tuple(round(float(q), 6) for q in home(side))


@dataclass(frozen=True, slots=True)
class Parameters:
    """Read when the node is configured."""

    arms: str = param("right", "Which arms are driven", choices=("right", "left", "both"))
    calibration: str = param("sim", "Calibration: a name in config/calibration, or a path to a YAML file")
    arm_model: str = param(DEFAULT_ARM, "Kind of arms, as in the calibration", choices=tuple(ARMS.names()))
    speed: float = param(1.0, "Speed limit of arm joints, in planning speeds of 45 deg/s", bounds=(0.05, MAX_SPEED))
    home_speed: float = param(_DEFAULTS.home_speed, "Part of it for moves to the ready posture", bounds=(0.05, 1.0))
    speed_share: float = param(1.0, "Part of `speed` that is used; may be changed at any time", bounds=(0.1, 1.0))
    blend_s: float = param(_DEFAULTS.blend_s, "Change-over to a new chunk", unit="s", bounds=(0.01, 1.0))
    stop_s: float = param(_DEFAULTS.stop_s, "Time to come to rest when steps run out", unit="s", bounds=(0.05, 1.0))
    permit_timeout_s: float = param(0.1, "Oldest permit that counts", unit="s", bounds=(0.04, 0.5))
    max_gap_s: float = param(_DEFAULTS.max_gap_s, "Pause after which it starts anew", unit="s", bounds=(0.01, 0.5))
    feedback_timeout_s: float = param(0.1, "Oldest joint feedback to start from", unit="s", bounds=(0.02, 1.0))
    tracking_error_rad: float = param(0.2, "Distance at which an arm does not follow", unit="rad", bounds=(0.02, 1.0))
    ensemble_decay: float = param(
        -1.0, "Temporal ensembling: weight exp(-decay * i), i = 0 for the oldest chunk; negative: off", bounds=(-1, 10)
    )
    check_collisions: bool = param(True, "Check the whole robot (arms, hands, torso, table) before a setpoint leaves")
    table_height_m: float = param(
        0.75, "Table top over base_link, kept clear of arms and palms; below 0: no table", unit="m", bounds=(-1.0, 2.0)
    )
    joint_trajectories: bool = param(True, "Offer FollowJointTrajectory actions, for when no policy holds the arms")
    measure_path: bool = param(False, "Say in the diagnostics how far setpoints get from the planned path (benchmarks)")
    ready_left_rad: tuple[float, ...] = param(_ready("left"), "Ready posture of the left arm", unit="rad")
    ready_right_rad: tuple[float, ...] = param(_ready("right"), "Ready posture of the right arm", unit="rad")

    @property
    def sides(self) -> tuple[Side, ...]:
        """The arms that are driven."""
        return sides_of(self.arms)

    @property
    def settings(self) -> GeneratorSettings:
        """Tuning of the generator."""
        return GeneratorSettings(
            speed=self.speed,
            home_speed=self.home_speed,
            blend_s=self.blend_s,
            stop_s=self.stop_s,
            permit_timeout_s=self.permit_timeout_s,
            max_gap_s=self.max_gap_s,
            feedback_timeout_s=self.feedback_timeout_s,
            max_tracking_error_rad=self.tracking_error_rad,
            ensemble_decay=None if self.ensemble_decay < 0.0 else self.ensemble_decay,
            check_collisions=self.check_collisions,
            table_height_m=None if self.table_height_m < 0.0 else self.table_height_m,
            arm=arm_description(self.arm_model),
        )

    def build_sides(self) -> dict[Side, SideExecutor]:
        """The side executors.

        Raises:
            VitraError: for a calibration that cannot be read.
            ParameterError: for a ready posture that is not 7 joints within limits.
        """
        given = self.calibration
        calibration = load_calibration(calibration_path(given))
        return {
            side: SideExecutor(
                side, calibration, self.settings, variant=self.arm_model, ready_rad=self._checked_ready(side)
            )
            for side in self.sides
        }

    def _checked_ready(self, side: Side) -> tuple[float, ...]:
        posture = self.ready_left_rad if side is Side.LEFT else self.ready_right_rad
        limits = self.settings.arm.limits
        if len(posture) != ARM_DOF or not limits.contains(np.array(posture)):
            low, high = (np.round(limit, 3).tolist() for limit in (limits.lower_rad, limits.upper_rad))
            raise ParameterError(
                f"Parameter 'ready_{side}_rad' must be {ARM_DOF} angles between {low} and {high} rad, "
                f"got {list(posture)}."
            )
        return posture
