"""Parameters of the teleop node."""

from __future__ import annotations

from dataclasses import dataclass

from vitra_policy.action_space import SIDES, Side
from vitra_runtime.parameters import param
from vitra_teleop.clutch import ClutchSettings
from vitra_teleop.follower import SpeedLimits
from vitra_teleop.frames import AXES
from vitra_teleop.inputs import input_names
from vitra_teleop.retargeting import METHODS
from vitra_teleop.session import SessionSettings


@dataclass(frozen=True, slots=True)
class Parameters:
    """Read once, when the node starts."""

    input: str = param("udp", "Where hands come from", choices=tuple(input_names()))
    input_options: tuple[str, ...] = param(("",), "Options of the input, each key=value")
    tracker_axes: str = param("openxr", "Axes of the tracker", choices=AXES)
    retargeting: str = param("joint_map", "How human fingers become XHand joints", choices=METHODS)
    arms: str = param("right", "Arms and hands the robot has", choices=("left", "right", "both"))
    calibration: str = param("sim", "Calibration file: a name in launch/config/calibration, or a path ending in .yaml")
    instruction: str = param("", "What is demonstrated")
    rate_hz: float = param(30.0, "Chunks per second while a hand is engaged", unit="Hz", bounds=(5.0, 100.0))
    scale: float = param(1.0, "Robot translation per operator translation", bounds=(0.1, 3.0))
    steps: int = param(16, "Steps of a chunk", bounds=(2, 64))
    stale_s: float = param(0.1, "A hand not heard of for so long is lost", unit="s", bounds=(0.02, 1.0))
    wrist_speed_m_s: float = param(0.5, "Fastest wrist asked for", unit="m/s", bounds=(0.05, 2.0))
    wrist_turn_rad_s: float = param(1.5, "Fastest turn of the wrist asked for", unit="rad/s", bounds=(0.1, 6.0))
    require_armed: bool = param(True, "Engage only while the safety supervisor says the robot is armed")

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides the robot has, left first."""
        return tuple(side for side in SIDES if self.arms in (side, "both"))

    @property
    def session(self) -> SessionSettings:
        """The part that the session needs."""
        return SessionSettings(
            steps=self.steps,
            step_s=1.0 / self.rate_hz,
            stale_s=self.stale_s,
            clutch=ClutchSettings(scale=self.scale),
            limits=SpeedLimits(wrist_m_s=self.wrist_speed_m_s, wrist_rad_s=self.wrist_turn_rad_s),
        )
