"""The node's parameters; vendor names where the vendor's own node has them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vitra_description.calibration import calibration_path, load_calibration
from vitra_runtime.parameters import param
from vitra_safety.guard import HAND_GUARD, GuardSettings
from vitra_safety.motion_gate import FreshnessLimits
from xhand_driver.device import Gains
from xhand_driver.discovery import PortSettings
from xhand_driver.sdk import VENDOR_MODULE


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of one hand driver."""

    side: str = param("right", "Which hand; prefixes joint names and topics", choices=("left", "right"))
    sdk_module: str = param(VENDOR_MODULE, "Python module of the SDK; vitra_sim.doubles.xhand_sdk in simulation")
    protocol: str = param("RS485", "How the hand is connected", choices=("RS485", "EtherCAT"))
    port_name: str = param("", "The only port to try, e.g. /dev/ttyUSB0; empty finds the hand on any port")
    calibration: str = param("", "Calibration that says this hand's serial number; empty: not checked")
    baud_rate: int = param(3_000_000, "Of RS485", bounds=(9600, 10_000_000))
    update_rate_hz: float = param(100.0, "Cycles per second", unit="Hz", bounds=(10.0, 200.0))
    kp: int = param(100, "Proportional gain of every joint, vendor's units", bounds=(0, 1000))
    ki: int = param(0, "Integral gain", bounds=(0, 1000))
    kd: int = param(0, "Derivative gain", bounds=(0, 1000))
    tor_max_ma: int = param(300, "Current limit of every joint", unit="mA", bounds=(0, 1200))
    force_update: bool = param(
        False, "Force a state exchange in every cycle; found out by itself where the firmware needs it"
    )
    publish_tactile: bool = param(False, "Publish the fingertips' force sums")
    permit_timeout_s: float = param(0.1, "Oldest permit to move under", unit="s", bounds=(0.02, 1.0))
    command_timeout_s: float = param(0.1, "Oldest command to move under", unit="s", bounds=(0.02, 1.0))
    feedback_timeout_s: float = param(0.05, "Oldest hand state to move under", unit="s", bounds=(0.01, 1.0))
    latch_after_s: float = param(
        0.5, "Time without motion permission after which only a re-arm helps", unit="s", bounds=(0.05, 10.0)
    )
    call_deadline_s: float = param(0.5, "An SDK call that takes longer is a fault", unit="s", bounds=(0.1, 10.0))
    exit_after_hang_s: float = param(
        5.0,
        "An SDK call that takes this long ends the process, for a fresh start; 0: never",
        unit="s",
        bounds=(0.0, 3600.0),
    )
    link_timeout_s: float = param(
        0.3, "Without a state for this long the port is opened anew", unit="s", bounds=(0.05, 10.0)
    )
    retry_period_s: float = param(1.0, "Pause between two attempts to connect", unit="s", bounds=(0.05, 60.0))

    @property
    def device(self) -> str:
        """Name of the hand in topics and reports."""
        return f"{self.side}_hand"

    @property
    def ports(self) -> PortSettings:
        """Where to look for the hand."""
        return PortSettings(self.side, self.protocol, self.port_name, self.baud_rate, self._serial_number())

    def _serial_number(self) -> str:
        if not self.calibration:
            return ""
        return load_calibration(calibration_path(self.calibration)).hardware.hand_serial(self.side)

    @property
    def gains(self) -> Gains:
        """Joint control."""
        return Gains(self.kp, self.ki, self.kd, self.tor_max_ma)

    @property
    def guard(self) -> GuardSettings:
        """What commands must keep to."""
        return replace(HAND_GUARD, max_age_s=self.command_timeout_s)

    @property
    def freshness(self) -> FreshnessLimits:
        """How old inputs may be."""
        return FreshnessLimits(
            self.permit_timeout_s, self.command_timeout_s, self.feedback_timeout_s, self.latch_after_s
        )
