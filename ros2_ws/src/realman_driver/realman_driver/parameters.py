"""The node's parameters; vendor names where the vendor's own driver has them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from realman_driver.frames import LinkConfig
from vitra_description.names import ArmVariant
from vitra_policy.errors import VitraError
from vitra_runtime.domain import arm_push_port, domain_id
from vitra_runtime.parameters import param
from vitra_safety.guard import ARM_GUARD, GuardSettings
from vitra_safety.motion_gate import FreshnessLimits
from vitra_safety.posture_checks import WorkspaceBox

_VARIANTS = {"6F": ArmVariant.RM75_6F, "B": ArmVariant.RM75_B}


class WorkspaceError(VitraError):
    """Workspace corners that make no box."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of one arm driver."""

    side: str = param("right", "Which arm; prefixes joint names and topics", choices=("left", "right"))
    arm_ip: str = param("192.168.1.18", "Address of the arm's controller")
    tcp_port: int = param(8080, "TCP port of the controller", bounds=(1, 65535))
    arm_type: str = param("RM_75", "Model that the controller must report", choices=("RM_75",))
    force_type: str = param("6F", "Force sensor variant that the controller must report", choices=tuple(_VARIANTS))
    udp_ip: str = param("", "Address of this machine for the state push; empty: the one that routes to the arm")
    udp_port: int = param(
        0, "UDP port for the state push; 0: 8091 for left, 8092 for right, plus twice the ROS domain", bounds=(0, 65535)
    )
    udp_cycle_ms: int = param(5, "Period of the state push, a multiple of 5", unit="ms", bounds=(5, 50))
    follow: bool = param(True, "High follow of the joint pass-through; false lets the controller re-plan")
    collision_stage: int = param(5, "Collision detection of the controller, 8 is most sensitive", bounds=(0, 8))
    max_line_speed_m_s: float = param(0.25, "Tool speed limit set on the controller", unit="m/s", bounds=(0.01, 1.8))
    avoid_singularity: bool = param(False, "The controller's singularity avoidance (its own Cartesian motion only)")
    max_joint_speed_rad_s: float = param(
        math.radians(90.0), "Faster commands are refused", unit="rad/s", bounds=(0.01, math.radians(90.0))
    )
    tracking_error_rad: float = param(
        math.radians(10.0),
        "Joints farther than this from their setpoint are a fault while the arm moves",
        unit="rad",
        bounds=(0.01, 1.0),
    )
    rest_error_rad: float = param(
        math.radians(3.0),
        "The same while it rests under a permit: something holds it",
        unit="rad",
        bounds=(0.01, 1.0),
    )
    permit_timeout_s: float = param(0.1, "Oldest permit to move under", unit="s", bounds=(0.02, 1.0))
    command_timeout_s: float = param(0.1, "Oldest command to move under", unit="s", bounds=(0.02, 1.0))
    feedback_timeout_s: float = param(0.05, "Oldest state push to move under", unit="s", bounds=(0.01, 1.0))
    latch_after_s: float = param(
        0.5, "Time without motion permission after which only a re-arm helps", unit="s", bounds=(0.05, 10.0)
    )
    calibration: str = param("sim", "Calibration (mounting of the arm) for the posture checks; empty: no such checks")
    workspace_min_m: tuple[float, ...] = param(WorkspaceBox().lower_m, "Lowest wrist position in base_link", unit="m")
    workspace_max_m: tuple[float, ...] = param(WorkspaceBox().upper_m, "Highest wrist position in base_link", unit="m")
    table_height_m: float = param(
        -1.0, "Table top over base_link, kept clear of the arm; below 0: no table", unit="m", bounds=(-1.0, 2.0)
    )
    min_distance_m: float = param(
        0.02, "Smallest distance of the arm to itself, torso and table", unit="m", bounds=(0.0, 0.2)
    )
    retry_period_s: float = param(1.0, "Pause between two attempts to connect", unit="s", bounds=(0.1, 60.0))

    @property
    def device(self) -> str:
        """Name of the arm in reports."""
        return f"{self.side}_arm"

    @property
    def link(self) -> LinkConfig:
        """What the child process needs."""
        return LinkConfig(
            arm_ip=self.arm_ip,
            tcp_port=self.tcp_port,
            udp_ip=self.udp_ip,
            udp_port=self.udp_port or arm_push_port(self.side, domain_id()),
            udp_cycle_ms=self.udp_cycle_ms,
            collision_stage=self.collision_stage,
            line_speed_m_s=self.max_line_speed_m_s,
            avoid_singularity=self.avoid_singularity,
            follow=self.follow,
            arm_type=self.arm_type,
            force_type=self.force_type,
        )

    @property
    def guard(self) -> GuardSettings:
        """What commands must keep to."""
        limits = ARM_GUARD.limits.with_velocity(self.max_joint_speed_rad_s)
        return replace(ARM_GUARD, limits=limits, max_age_s=self.command_timeout_s)

    @property
    def freshness(self) -> FreshnessLimits:
        """How old inputs may be."""
        return FreshnessLimits(
            self.permit_timeout_s, self.command_timeout_s, self.feedback_timeout_s, self.latch_after_s
        )

    @property
    def variant(self) -> ArmVariant:
        """Kinematic variant."""
        return _VARIANTS[self.force_type]

    @property
    def workspace(self) -> WorkspaceBox:
        """Where the wrist may be.

        Raises:
            WorkspaceError: corners are not three numbers each, or swapped.
        """
        low, high = self.workspace_min_m, self.workspace_max_m
        if len(low) != 3 or len(high) != 3 or any(a >= b for a, b in zip(low, high, strict=True)):
            raise WorkspaceError(
                f"workspace_min_m {list(low)} and workspace_max_m {list(high)} must be x, y, z each, min below max."
            )
        return WorkspaceBox((low[0], low[1], low[2]), (high[0], high[1], high[2]))
