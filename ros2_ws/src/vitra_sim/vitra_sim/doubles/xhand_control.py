"""A double of the vendor's XHand Python SDK at API level: same names and calls, spoken to a simulated hand.

Written from the published names of the API only. `open_serial` takes the ports that `enumerate_devices` lists,
`IP:PORT/NAME` of an `XHandServer`: the one of this ROS domain, or of the environment (VITRA_XHAND_SERVER).
"""
# ruff: noqa: N801  (names of the vendor's API)

from __future__ import annotations

import json
import os
import socket
from typing import Any

from vitra_sim.doubles.addresses import HAND_TCP_PORT, hand_address

SERVER_VARIABLE = "VITRA_XHAND_SERVER"
BAUD_RATE = 3_000_000
JOINTS = 12
SENSORS = 5
_TAXELS = 120
_CODE_COMMUNICATION, _CODE_NOT_OPEN, _CODE_OPEN_FAILED, _CODE_SERIAL = 1501003, 1501038, 1501039, 1501050


class ErrorStruct:
    """Outcome of a call; code 0 is success."""

    def __init__(self, error_code: int = 0, error_message: str = "") -> None:
        self.error_code, self.error_message = error_code, error_message


class FingerCommand_t:
    """Command of one joint: position in radians, current limit in milliamperes."""

    def __init__(self) -> None:
        self.id = 0
        self.kp = self.ki = self.kd = 0
        self.position = 0.0
        self.tor_max = 0
        self.mode = 0


class HandCommand_t:
    """Commands of the twelve joints."""

    def __init__(self) -> None:
        self.finger_command = [FingerCommand_t() for _ in range(JOINTS)]


class Force_t:
    """One force reading, raw sensor counts."""

    def __init__(self, fx: int = 0, fy: int = 0, fz: int = 0) -> None:
        self.fx, self.fy, self.fz = fx, fy, fz


class SensorData_t:
    """One fingertip sensor; the double puts the whole force on the middle taxel."""

    def __init__(self, force: list[int]) -> None:
        self.calc_force = Force_t(*force)
        self.calc_temperature = 30
        self._force = force

    @property
    def raw_force(self) -> list[Force_t]:
        """120 taxels."""
        taxels = [Force_t() for _ in range(_TAXELS)]
        taxels[_TAXELS // 2] = Force_t(*self._force)
        return taxels


class FingerState_t:
    """State of one joint: position in radians, torque as current in milliamperes."""

    def __init__(self, index: int, state: dict[str, Any]) -> None:
        self.id = self.sensor_id = index
        self.position = state["position"][index]
        self.torque = state["current"][index]
        self.raw_position = 0
        self.temperature = state["temperature"][index]
        self.commboard_err = self.tipboard_err = 0
        self.jonitboard_err = state["joint_error"][index]  # spelt as in the vendor's API
        self.default5 = round(state["velocity"][index] * 1000)
        self.default6 = self.default7 = 0


class HandState_t:
    """State of the whole hand."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.finger_state = [FingerState_t(i, state) for i in range(JOINTS)]
        self.sensor_data = [SensorData_t(force) for force in state["force"]]


class DeviceInfo_t:
    """Identity of a hand."""

    def __init__(self, serial_number: str = "", hand_id: int = 0, ev_hand: str = "") -> None:
        self.serial_number, self.hand_id, self.ev_hand = serial_number, hand_id, ev_hand


class XHandControl:
    """One connection to one port; as the vendor's, not thread-safe, and every call blocks until it is answered."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._inbox = b""
        self._states: dict[int, dict[str, Any]] = {}

    def enumerate_devices(self, protocol: str) -> list[str]:
        """Ports on which a device may be: none for EtherCAT."""
        address = os.environ.get(SERVER_VARIABLE) or f"{hand_address()}:{HAND_TCP_PORT}"
        if protocol != "RS485":
            return []
        lister = XHandControl()
        if lister._connect(address) is not None:
            return []
        reply = lister._ask(call="ports")
        lister.close_device()
        return [f"{address}/{name}" for name in reply.get("ports", [])]

    def open_serial(self, port: str, baud_rate: int) -> ErrorStruct:
        """Open a port that `enumerate_devices` listed."""
        self.close_device()
        if baud_rate != BAUD_RATE:
            return ErrorStruct(_CODE_SERIAL, f"no device answers at {baud_rate} baud")
        address, _, name = port.rpartition("/")
        error = self._connect(address)
        if error is not None:
            return ErrorStruct(_CODE_OPEN_FAILED, f"cannot open {port}: {error}")
        return self._error(self._ask(call="open", port=name))

    def open_ethercat(self, interface: str) -> ErrorStruct:
        """The double has no EtherCAT."""
        return ErrorStruct(_CODE_OPEN_FAILED, f"no EtherCAT device on {interface}")

    def list_hands_id(self) -> list[int]:
        """Ids of the hands on the open port."""
        ids: list[int] = self._ask(call="ids").get("ids", [])
        return ids

    def get_hand_type(self, hand_id: int) -> tuple[ErrorStruct, str]:
        """`L` or `R`."""
        return self._get(hand_id, "type")

    def get_serial_number(self, hand_id: int) -> tuple[ErrorStruct, str]:
        """Serial number."""
        return self._get(hand_id, "serial")

    def get_hand_name(self, hand_id: int) -> tuple[ErrorStruct, str]:
        """Name that a user gave."""
        return self._get(hand_id, "name")

    def read_version(self, hand_id: int, joint_id: int) -> tuple[ErrorStruct, str]:
        """Firmware version of one joint."""
        return self._get(hand_id, "version")

    def read_device_info(self, hand_id: int) -> tuple[ErrorStruct, DeviceInfo_t]:
        """Identity."""
        reply = self._ask(call="info", id=hand_id)
        return self._error(reply), DeviceInfo_t(reply.get("serial", ""), hand_id, reply.get("type", ""))

    def get_sdk_version(self) -> str:
        """Version of this double."""
        return "double-1"

    def reset_sensor(self, hand_id: int, sensor_id: int) -> ErrorStruct:
        """Zero one fingertip sensor (17 thumb .. 21 pinky)."""
        return self._error(self._ask(call="reset_sensor", id=hand_id, sensor=sensor_id))

    def send_command(self, hand_id: int, command: HandCommand_t) -> ErrorStruct:
        """One exchange: the command goes out, the state comes back and is kept for `read_state`."""
        fingers = command.finger_command
        reply = self._ask(
            call="command",
            id=hand_id,
            position=[f.position for f in fingers],
            tor_max=[f.tor_max for f in fingers],
            mode=[f.mode for f in fingers],
        )
        self._keep(hand_id, reply)
        return self._error(reply)

    def read_state(self, hand_id: int, force_update: bool = False) -> tuple[ErrorStruct, HandState_t]:
        """The state kept from the last exchange; `force_update` makes an exchange."""
        reply: dict[str, Any] = {}
        if force_update or hand_id not in self._states:
            reply = self._ask(call="state", id=hand_id)
            self._keep(hand_id, reply, forced=True)
        state = self._states.get(hand_id, _EMPTY)
        return self._error(reply or state), HandState_t(state)

    def close_device(self) -> None:
        """Close the port."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._inbox, self._states = None, b"", {}

    def _connect(self, address: str) -> OSError | None:
        host, _, port = address.rpartition(":")
        try:
            self._socket = socket.create_connection((host, int(port)), timeout=1.0)
        except (OSError, ValueError) as error:
            return error if isinstance(error, OSError) else OSError(f"'{address}' is not IP:PORT")
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return None

    def _ask(self, **request: Any) -> dict[str, Any]:
        if self._socket is None:
            return {"code": _CODE_NOT_OPEN, "message": "no port is open"}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            while b"\n" not in self._inbox:
                received = self._socket.recv(65536)
                if not received:
                    raise ConnectionResetError("the port is gone")
                self._inbox += received
        except OSError as error:
            return {"code": _CODE_COMMUNICATION, "message": f"communication failed: {error}"}
        line, _, self._inbox = self._inbox.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _keep(self, hand_id: int, reply: dict[str, Any], forced: bool = False) -> None:
        if "position" in reply and (forced or not reply.get("keeps_first")):
            self._states[hand_id] = reply

    def _get(self, hand_id: int, key: str) -> tuple[ErrorStruct, str]:
        reply = self._ask(call="info", id=hand_id)
        return self._error(reply), str(reply.get(key, ""))

    @staticmethod
    def _error(reply: dict[str, Any]) -> ErrorStruct:
        return ErrorStruct(reply["code"], reply["message"])


_EMPTY: dict[str, Any] = {
    "code": _CODE_COMMUNICATION,
    "message": "no state received",
    **{key: [0.0] * JOINTS for key in ("position", "velocity", "current")},
    **{key: [0] * JOINTS for key in ("temperature", "joint_error")},
    "force": [[0, 0, 0]] * SENSORS,
}
