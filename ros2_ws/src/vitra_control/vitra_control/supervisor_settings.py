"""What the safety supervisor requires to be alive, and for how long it may be silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OPERATOR = "operator"
"""Node name under which an operator's interface beats."""


@dataclass(frozen=True, slots=True)
class SupervisorSettings:
    """What has to be alive, and for how long it may be silent.

    Attributes:
        nodes: Names of required nodes; a leading slash does not matter.
        devices: Devices whose driver state is required, e.g. "right_arm".
        heartbeat_timeout_s: Longest silence of a required node.
        require_operator: Whether the operator must beat too.
        operator_timeout_s: Longest silence of the operator.
        device_timeout_s: Longest silence of a driver's state.
        feedback_timeout_s: Oldest joint feedback of a device. Its driver holds much earlier by itself.
        refusals: Violations of limits within `refusal_window_s` that stop the robot.
        refusal_window_s: See above.
        arming_s: Time in which every driver must have taken the permit of a new epoch.
        excuse_s: What others get to be heard after the supervisor itself stood still; once per silence.
        hesitation_s: A re-arm that does not say in which state it was given is refused so soon after a STOP.
        period_s: Time between two `tick`s.
    """

    nodes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    heartbeat_timeout_s: float = 0.2
    require_operator: bool = False
    operator_timeout_s: float = 1.0
    device_timeout_s: float = 0.5
    feedback_timeout_s: float = 0.5
    refusals: int = 60
    refusal_window_s: float = 1.0
    arming_s: float = 1.0
    excuse_s: float = 0.15
    hesitation_s: float = 0.3
    period_s: float = 0.02


def devices_of(arms: Sequence[str], hands: bool = True) -> tuple[str, ...]:
    """Device names of these sides, e.g. ("right_arm", "right_hand")."""
    return tuple(f"{side}_{part}" for side in arms for part in (("arm", "hand") if hands else ("arm",)))
