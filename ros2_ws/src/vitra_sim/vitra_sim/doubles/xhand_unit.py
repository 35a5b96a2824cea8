"""One simulated XHand: checks commands as the hand does, moves the simulated joints, reports currents and codes."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np

from vitra_description.limits import HAND_VENDOR_LIMITS
from vitra_sim.doubles.ports import HandPort

CODE_MESSAGES = {
    0: "",
    1501001: "no hand with this id",
    1501002: "unknown command",
    1501030: "position out of range",
    1501035: "current protection",
    1501067: "mode not valid",
}
POSITION_MODE = 3
MODES = (0, POSITION_MODE, 5)
_MAX_CURRENT_MA = 1200.0
_FULL_TORQUE_NM = np.array([1.1, 1.1, 0.4, 0.4, 1.1, 0.4, 1.1, 0.4, 1.1, 0.4, 1.1, 0.4])
_DEFAULT_CURRENT_MA = 300.0
_STALLED_RAD_S = 0.2
_RANGE_SLACK_RAD = 0.02
_TIP_JOINTS = (2, 5, 7, 9, 11)
_COUNTS_PER_NM = 250.0
_TEMPERATURE_C = 32


class HandFaults:
    """What can be made to go wrong; every field may be changed at any time from any thread.

    Attributes:
        error_code: Returned by every command and state exchange instead of success.
        error_message: Text that goes with it.
        joint_error: Codes of the twelve joint boards.
        not_finite: Report the first joint as NaN.
        keeps_first: As on USB with some firmware: only forced reads bring a new state.
        unplugged: The port is gone.
        frozen: Nothing is answered: calls on the hand never return.
        call_s: Duration of one exchange; about 0.0096 on RS485.
    """

    def __init__(self) -> None:
        self.error_code = 0
        self.error_message = "injected fault"
        self.joint_error = [0] * 12
        self.not_finite = False
        self.keeps_first = False
        self.unplugged = False
        self.frozen = False
        self.call_s = 0.0


class XHandUnit:
    """One hand; thread-safe.

    Args:
        port: The simulated joints.
        hand_id: Id on its bus.
    """

    def __init__(self, port: HandPort, hand_id: int = 0) -> None:
        self.faults = HandFaults()
        self.hand_id, self.commands = hand_id, 0
        self._port = port
        self._tor_max_ma = np.full(12, _DEFAULT_CURRENT_MA)
        self._mutex = threading.Lock()

    @property
    def info(self) -> dict[str, Any]:
        """Identity as the SDK reports it."""
        letter = "L" if self._port.side == "left" else "R"
        serial = f"2{letter}00SIMULATED001"
        return {"type": letter, "serial": serial, "name": f"sim_{self._port.side}", "version": "1.3.0"}

    def command(self, position_rad: list[float], tor_max_ma: list[int], mode: list[int]) -> int:
        """Take a command.

        Args:
            position_rad: Goal of each joint (12).
            tor_max_ma: Current limit of each.
            mode: Control mode of each, as the vendor numbers them.

        Returns:
            0, or the vendor's code for why it was not taken.
        """
        if any(m not in MODES for m in mode):
            return 1501067
        position = np.array(position_rad, dtype=np.float64)
        limits = HAND_VENDOR_LIMITS
        if not np.isfinite(position).all() or not limits.contains(position, _RANGE_SLACK_RAD):
            return 1501030
        with self._mutex:
            self._tor_max_ma = np.clip(np.array(tor_max_ma, dtype=np.float64), 0.0, _MAX_CURRENT_MA)
            self.commands += 1
        if all(m == POSITION_MODE for m in mode):  # the other modes keep the last target: the hand is not limp
            self._port.set_target(limits.clip(position))
        return 0

    def state(self) -> dict[str, Any]:
        """Positions, velocities, currents, temperatures, joint codes, fingertip sums, and the code of the exchange."""
        joints, faults = self._port.joint_state(), self.faults
        with self._mutex:
            tor_max_ma = self._tor_max_ma
        current = np.clip(joints.effort_nm / _FULL_TORQUE_NM * _MAX_CURRENT_MA, -_MAX_CURRENT_MA, _MAX_CURRENT_MA)
        protected = (np.abs(current) >= tor_max_ma) & (np.abs(joints.velocity_rad_s) < _STALLED_RAD_S)
        code = faults.error_code or (1501035 if protected.any() else 0)
        position = joints.position_rad.tolist()
        if faults.not_finite:
            position[0] = math.nan
        return {
            "code": code,
            "message": faults.error_message if faults.error_code else CODE_MESSAGES[code],
            "position": position,
            "velocity": joints.velocity_rad_s.tolist(),
            "current": np.rint(current).astype(int).tolist(),
            "temperature": [_TEMPERATURE_C] * 12,
            "joint_error": list(faults.joint_error),
            "force": [[0, 0, int(np.clip(joints.effort_nm[j] * _COUNTS_PER_NM, 0, 255))] for j in _TIP_JOINTS],
            "keeps_first": faults.keeps_first,
        }
