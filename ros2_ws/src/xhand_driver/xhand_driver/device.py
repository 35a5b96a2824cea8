"""One opened hand: setpoints in, states out, in SI units and the vendor's joint order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_description.names import HAND_DOF, HAND_JOINT_SUFFIXES
from xhand_driver.codes import CODES, Severity, describe, severity
from xhand_driver.errors import HandLinkError

FINGERS = 5
_POSITION_MODE = 3
_FROZEN_READS = 25

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gains:
    """Joint control in the hand, the same for all joints.

    Attributes:
        kp: Proportional gain, vendor's units.
        ki: Integral gain.
        kd: Derivative gain.
        tor_max_ma: Current limit.
    """

    kp: int = 100
    ki: int = 0
    kd: int = 0
    tor_max_ma: int = 300


@dataclass(frozen=True, slots=True)
class HandSample:
    """One state of the hand.

    Attributes:
        position_rad: (12,) measured positions.
        velocity_rad_s: (12,) velocities as the hand reports them.
        current_ma: (12,) motor currents.
        temperature_c: (12,) joint temperatures.
        fingertip: (5, 3) fx, fy, fz sums of the fingertips, thumb to pinky, in the sensor's counts.
        fault: What is wrong, in words; empty when healthy.
        notes: Codes that do not stop the hand, in words.
        contact: Whether the current protection reports that a finger presses on something.
    """

    position_rad: Array
    velocity_rad_s: Array
    current_ma: Array
    temperature_c: Array
    fingertip: Array
    fault: str
    notes: tuple[str, ...]
    contact: bool


class HandDevice:
    """An opened hand; as the SDK, for one thread only.

    A command already exchanges the state with the hand, so a forced read is only made in cycles without a command:
    two exchanges would halve the rate on RS485. Some firmware on USB keeps the first state for ever unless forced;
    states that stay the same to the last bit for a quarter of a second are taken for that, and from then on every
    read is forced.

    Args:
        sdk: The SDK's namespace (for `HandCommand_t`).
        control: An `XHandControl` with the port open.
        hand_id: The hand on that port.
        gains: Joint control.
        force_update: Force every read from the start.
    """

    def __init__(self, sdk: Any, control: Any, hand_id: int, gains: Gains, *, force_update: bool = False) -> None:
        self._control, self._hand_id = control, hand_id
        self.forces_reads = force_update
        self._same_reads, self._last_reading = 0, b""
        self._command = sdk.HandCommand_t()
        for joint in range(HAND_DOF):
            finger = self._command.finger_command[joint]
            finger.id, finger.mode, finger.tor_max = joint, _POSITION_MODE, gains.tor_max_ma
            finger.kp, finger.ki, finger.kd = gains.kp, gains.ki, gains.kd

    def exchange(self, setpoint_rad: Array | None) -> HandSample:
        """Send a setpoint, if there is one, and read the state.

        Args:
            setpoint_rad: (12,) positions that the guard has passed.

        Raises:
            HandLinkError: the exchange brought no usable state.
        """
        problems: list[tuple[int, str]] = []
        if setpoint_rad is not None:
            for joint, position in enumerate(setpoint_rad.tolist()):
                self._command.finger_command[joint].position = position
            error = self._control.send_command(self._hand_id, self._command)
            problems.append(_checked(error, "send_command"))
        error, state = self._control.read_state(self._hand_id, setpoint_rad is None or self.forces_reads)
        problems.append(_checked(error, "read_state"))
        sample = _sample(state, problems)
        self._watch_for_frozen_reads(sample, setpoint_rad is not None)
        return sample

    def close(self) -> None:
        """Close the port; the hand keeps its last setpoint."""
        self._control.close_device()

    def _watch_for_frozen_reads(self, sample: HandSample, commanded: bool) -> None:
        if self.forces_reads or not commanded:
            return
        reading = sample.position_rad.tobytes() + sample.current_ma.tobytes()
        self._same_reads = self._same_reads + 1 if reading == self._last_reading else 0
        self._last_reading = reading
        self.forces_reads = self._same_reads >= _FROZEN_READS


def _checked(error: Any, call: str) -> tuple[int, str]:
    if severity(error.error_code) is Severity.LINK:
        raise HandLinkError(f"{call}: {describe(error.error_code, error.error_message)}")
    return error.error_code, error.error_message


def _sample(state: Any, problems: list[tuple[int, str]]) -> HandSample:
    position, velocity, current, temperature = np.full((4, HAND_DOF), np.nan)
    levels = {severity(code) for code, _ in problems}
    faults = [describe(*problem) for problem in problems if severity(problem[0]) is Severity.FAULT]
    notes = [describe(*problem) for problem in problems if severity(problem[0]) is Severity.TOLERATED]
    for finger in state.finger_state:
        joint = int(finger.id)
        if not 0 <= joint < HAND_DOF:
            continue
        position[joint], current[joint] = finger.position, finger.torque
        velocity[joint] = getattr(finger, "default5", 0) * 1e-3
        temperature[joint] = int(finger.temperature) & 0xFF
        for board in ("commboard_err", "jonitboard_err", "tipboard_err"):  # spelt as in the SDK
            code = int(getattr(finger, board, 0))
            if code == 0:
                continue
            text = f"{HAND_JOINT_SUFFIXES[joint]}: {describe(code) if code in CODES else f'{board} {code}'}"
            levels.add(severity(code) if code in CODES else Severity.TOLERATED)
            is_fault = code in CODES and severity(code) in (Severity.FAULT, Severity.LINK)
            (faults if is_fault else notes).append(text)
    if not np.isfinite(position).all():
        bad = HAND_JOINT_SUFFIXES[int(np.argmax(~np.isfinite(position)))]
        raise HandLinkError(f"read_state: the position of {bad} is missing or not finite")
    forces = [(s.calc_force.fx, s.calc_force.fy, s.calc_force.fz) for s in list(state.sensor_data)[:FINGERS]]
    return HandSample(
        position_rad=position,
        velocity_rad_s=velocity,
        current_ma=current,
        temperature_c=temperature,
        fingertip=np.array(forces, dtype=np.float64).reshape(-1, 3),
        fault="; ".join(dict.fromkeys(faults)),
        notes=tuple(dict.fromkeys(notes)),
        contact=Severity.CONTACT in levels,
    )
