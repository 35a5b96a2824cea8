"""Parameters of the policy node."""

from __future__ import annotations

from dataclasses import dataclass

from vitra_description.arms import ARMS, DEFAULT_ARM
from vitra_policy.action_space import SIDES, Side
from vitra_runtime.parameters import param


@dataclass(frozen=True, slots=True)
class Parameters:
    """Read once, when the node starts."""

    policy: str = param("vitra", "Policy by name: vitra, expert, replay, remote or any installed one")
    policy_options: tuple[str, ...] = param(("",), "Options of the policy, each key=value")
    instruction: str = param("", "Instruction at start; free text is given to the arm in use")
    arms: str = param("right", "Arms and hands the robot has", choices=("left", "right", "both"))
    arm_variant: str = param(DEFAULT_ARM, "Kind of arms, as in the calibration", choices=tuple(ARMS.names()))
    calibration: str = param("sim", "Calibration file: a name in launch/config/calibration, or a path ending in .yaml")
    real_time_chunking: bool = param(True, "Hand the steps already under way to policies that can keep them")
    max_rate_hz: float = param(10.0, "Most chunks per second; 0 is unlimited", unit="Hz", bounds=(0.0, 200.0))
    max_joint_age_s: float = param(0.05, "Oldest joint sample used with an image", unit="s", bounds=(0.005, 1.0))
    stall_s: float = param(
        0.5, "A run without a complete observation for so long is a fault", unit="s", bounds=(0.1, 60.0)
    )
    delay_s: float = param(
        0.0, "Hold every answer back until so long after it was asked for: try a robot with a slower policy",
        unit="s", bounds=(0.0, 1.0),
    )  # fmt: skip
    answer_s: float = param(5.0, "A policy silent for so long is a fault", unit="s", bounds=(0.1, 600.0))
    require_armed: bool = param(True, "Refuse to run while a safety supervisor says the robot is not armed")

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides the robot has, left first."""
        return tuple(side for side in SIDES if self.arms in (side, "both"))
