"""The child process that holds the vendor SDK: one process is one connection, and ends with it.

    python -m realman_driver.sdk_process FD

FD is its end of a SOCK_SEQPACKET pair. One thread makes every SDK call in turn (the SDK times out now and then when
queried from two threads); the SDK's own thread delivers the state push; a third thread waits for the death of the
driver. Nothing here waits for the driver, and the driver kills this process when a call misses its deadline.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np

from realman_driver import codes, frames
from realman_driver.plausible import PositionCheck
from realman_driver.send_queue import SendQueue
from realman_driver.units import DOF, SetpointError, radians, setpoint_deg
from realman_driver.wire_check import LeapError, WireCheck

_PROBE_PERIOD_S = 0.5
_LAST_STOP_S = 0.3
_KNOWN_GENERATIONS = (3, 4)
_MAX_WAITING_BYTES = 2048
"""Of setpoints that the controller has not acknowledged: 15 of them, 75 ms."""


class ConnectionFailedError(Exception):
    """The arm could not be connected or configured."""


class SendQueueError(Exception):
    """What was sent is not taken any more."""


class VendorArm:
    """The genuine SDK behind one handle; at most one per process.

    Args:
        config: where the arm is and what to set on it.
        pipe: the driver's end receives the state pushes.
    """

    def __init__(self, config: frames.LinkConfig, pipe: socket.socket) -> None:
        from Robotic_Arm import rm_robot_interface as sdk

        self._sdk, self._config, self._pipe = sdk, config, pipe
        self._arm = sdk.RoboticArm(sdk.rm_thread_mode_e.RM_TRIPLE_MODE_E)
        self._arm_ip = config.arm_ip.encode()
        self._handled, self._return_code = 0, 0
        self._sent_s: deque[float] = deque(maxlen=8)
        self._wire, self._queue = WireCheck(), SendQueue("", 0)
        self._positions = PositionCheck()
        self._callback = sdk.rm_realtime_arm_state_callback_ptr(self._on_state)  # the SDK keeps no reference

    def connect(self) -> str:
        """Connect, check what answers, and configure it.

        Returns:
            The arm's identity in words.

        Raises:
            ConnectionFailedError: with the reason in words.
        """
        config = self._config
        where = f"{config.arm_ip}:{config.tcp_port}"
        if self._arm.rm_create_robot_arm(config.arm_ip, config.tcp_port, level=3).id == -1:
            raise ConnectionFailedError(f"no Realman controller answers at {where}")
        code, info = self._arm.rm_get_robot_info()
        generation = info.get("robot_controller_version")
        if code != 0 or info.get("arm_dof") != DOF or generation not in _KNOWN_GENERATIONS:
            raise ConnectionFailedError(
                f"the controller at {where} says it is {info}; supported: RM75 (7 joints), generations 3 and 4"
            )
        found, expected = (info["arm_model"], info["force_type"]), (config.arm_type, config.force_type)
        if found != expected:
            raise ConnectionFailedError(
                f"the arm at {where} is a {'-'.join(found)}; "
                f"the parameters arm_type and force_type say {'-'.join(expected)}"
            )
        self._arm.rm_set_timeout(config.reply_timeout_ms)
        self._require_ready()
        self._configure()
        return f"{info['arm_model']}-{info['force_type']}, controller generation {generation}, at {where}"

    def _require_ready(self) -> None:
        code, power = self._arm.rm_get_arm_power_state()
        if code == 0 and power != 1:
            raise ConnectionFailedError("the arm's power is off; switch it on at the controller")
        code, mode = self._arm.rm_get_arm_run_mode()
        if code == 0 and mode != 1:
            raise ConnectionFailedError("the controller is in simulation mode; set it to real mode")

    def _configure(self) -> None:
        config, arm, sdk = self._config, self._arm, self._sdk
        push = sdk.rm_realtime_push_config_t(
            cycle=max(1, config.udp_cycle_ms // 5),
            enable=True,
            port=config.udp_port,
            force_coordinate=-1,
            ip=config.udp_ip or _address_towards(config.arm_ip, config.tcp_port),
            custom_config=sdk.rm_udp_custom_config_t(joint_speed=1, arm_current_status=1),
        )
        self._require("rm_set_collision_state", arm.rm_set_collision_state(config.collision_stage))
        self._require("rm_set_arm_max_line_speed", arm.rm_set_arm_max_line_speed(config.line_speed_m_s))
        singularity = arm.rm_set_avoid_singularity_mode(int(config.avoid_singularity))
        self._require("rm_set_avoid_singularity_mode", singularity, optional=True)
        code, position_deg = arm.rm_get_joint_degree()
        self._require("rm_get_joint_degree", code)
        if problem := self._positions.start(position_deg[:DOF], time.monotonic()):
            raise ConnectionFailedError(problem)
        self._queue = SendQueue(config.arm_ip, config.tcp_port)
        arm.rm_realtime_arm_state_call_back(self._callback)
        self._require("rm_set_realtime_push", arm.rm_set_realtime_push(push))

    @staticmethod
    def _require(call: str, code: int, *, optional: bool = False) -> None:
        if code not in ((0, -4) if optional else (0,)):
            raise ConnectionFailedError(codes.describe_return(call, code))

    def stream(self, setpoint: frames.Setpoint) -> int:
        """Pass one setpoint through, if it is still fit to be sent; the SDK's return value.

        Raises:
            LeapError: it would leap.
            SendQueueError: the controller does not take what was sent before.
        """
        waiting = self._queue.waiting_bytes()
        if waiting > _MAX_WAITING_BYTES:
            raise SendQueueError(f"the controller does not take setpoints: {waiting} bytes wait to be acknowledged")
        measured_deg = self._positions.last_deg
        measured_rad = None if measured_deg is None else np.array(radians(measured_deg))
        position_rad = self._wire.pass_on(setpoint, measured_rad, time.monotonic())
        self._handled = setpoint.number
        if position_rad is None:
            return int(self._return_code)
        position_deg = setpoint_deg(position_rad.tolist())
        self._return_code = self._arm.rm_movej_canfd(position_deg, self._config.follow, 0, 0, 0)
        self._sent_s.append(time.monotonic())
        return int(self._return_code)

    def carry_out(self, operation: frames.Operation) -> int:
        """A blocking call; the SDK's return value."""
        arm = self._arm
        calls = {
            frames.Operation.STOP: arm.rm_set_arm_stop,
            frames.Operation.SLOW_STOP: arm.rm_set_arm_slow_stop,
            frames.Operation.CLEAR_ERRORS: arm.rm_clear_system_err,
        }
        return int(calls[operation]())

    def probe(self) -> int:
        """A cheap query that tells whether the TCP link still answers."""
        return int(self._arm.rm_get_joint_degree()[0])

    def _on_state(self, state: Any) -> None:
        time_s, stamp_ns = time.monotonic(), time.time_ns()
        if state.arm_ip != self._arm_ip or state.errCode != 0:
            return  # the SDK delivers pushes of every arm that reaches the port
        joints = state.joint_status
        if not self._positions.accepts(tuple(joints.joint_position), time_s):
            return  # no feedback is better than wrong feedback: it goes stale and stops the arm
        enabled = sum(1 << n for n, flag in enumerate(joints.joint_en_flag) if flag)
        sent_s = []
        while self._sent_s:
            sent_s.append(self._sent_s.popleft())
        feedback = frames.Feedback(
            stamp_ns=stamp_ns,
            time_s=time_s,
            handled=self._handled,
            return_code=self._return_code,
            status=state.arm_current_status,
            position_deg=tuple(joints.joint_position),
            current_ma=tuple(joints.joint_current),
            joint_errors=tuple(joints.joint_err_code),
            enabled=enabled,
            system_errors=tuple(code for code in state.err.err[: state.err.err_len] if code),
            sent_s=tuple(sent_s),
        )
        _send(self._pipe, frames.pack_feedback(feedback))


def serve(arm: VendorArm, pipe: socket.socket, orphaned: threading.Event) -> str | None:
    """Carry out orders until the connection breaks.

    Only the newest of several waiting setpoints is sent: after a stall the arm must not get a burst.

    Args:
        arm: The vendor's SDK, connected.
        pipe: Orders of the driver come in, answers go out.
        orphaned: Set when the driver's process is gone.

    Returns:
        Why the connection is lost; None when the driver is gone.
    """
    poller = select.poll()
    poller.register(pipe, select.POLLIN)
    next_probe_s, silent = time.monotonic() + _PROBE_PERIOD_S, 0
    while not orphaned.is_set():
        if not poller.poll(_PROBE_PERIOD_S * 1e3 / 2):
            now_s = time.monotonic()
            if now_s >= next_probe_s:
                next_probe_s = now_s + _PROBE_PERIOD_S
                code = arm.probe()
                silent = silent + 1 if code == -2 else 0
                if code == -1 or silent >= 2:
                    return codes.describe_return("rm_get_joint_degree", code)
            continue
        setpoint: frames.Setpoint | None = None
        while True:
            try:
                frame = pipe.recv(frames.MAX_FRAME_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:  # reset: it died with frames unread
                return None
            if not frame:
                return None
            order = frames.unpack_order(frame)
            if isinstance(order, frames.Setpoint):
                if setpoint is not None and not order.begins:  # the beginning of a motion outlives its setpoint
                    order = replace(order, begins=setpoint.begins)
                setpoint = order
            else:
                setpoint = None  # what was queued before a stop is void
                _send(pipe, frames.pack_ack(order.request, arm.carry_out(order.operation)))
        if setpoint is not None and not orphaned.is_set():
            try:
                code = arm.stream(setpoint)
            except (SetpointError, LeapError, SendQueueError) as error:
                return str(error)
            if code == -1:
                return codes.describe_return("rm_movej_canfd", code)
    return None


def _watch_driver(pipe: socket.socket, orphaned: threading.Event, holder: list[VendorArm]) -> None:
    """Wait for the driver's end to close; then stop the arm within a deadline and end the process."""
    poller = select.poll()
    poller.register(pipe, select.POLLRDHUP | select.POLLHUP)
    poller.poll()
    orphaned.set()
    deadline = threading.Timer(_LAST_STOP_S, os._exit, (0,))
    deadline.daemon = True
    deadline.start()
    for arm in holder:
        arm.carry_out(frames.Operation.STOP)
    os._exit(0)


def _send(pipe: socket.socket, frame: bytes) -> None:
    try:
        pipe.send(frame, socket.MSG_DONTWAIT)
    except BlockingIOError:
        pass  # a driver that does not read loses the oldest news first when it reads again
    except OSError:
        pass  # the driver died; its watcher ends this process


def _address_towards(ip: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((ip, port))
        return str(probe.getsockname()[0])


def main(arguments: list[str]) -> None:
    """Serve the driver at the other end of the given file descriptor."""
    pipe = socket.socket(fileno=int(arguments[0]))
    pipe.setblocking(True)
    os.set_inheritable(pipe.fileno(), False)
    orphaned = threading.Event()
    holder: list[VendorArm] = []
    config = frames.unpack_config(pipe.recv(frames.MAX_FRAME_BYTES))
    watcher = threading.Thread(target=_watch_driver, args=(pipe, orphaned, holder), daemon=True)
    watcher.start()
    try:
        arm = VendorArm(config, pipe)
        holder.append(arm)
        identity = arm.connect()
    except ImportError as error:
        reason = f"the vendor SDK is missing ({error}); install it with: pip install Robotic_Arm==1.1.6"
        _send(pipe, frames.pack_event(frames.EventKind.FAILED, reason))
    except Exception as error:  # whatever it is, the driver must hear it: this process ends
        reason = str(error) if isinstance(error, ConnectionFailedError) else f"{type(error).__name__}: {error}"
        _send(pipe, frames.pack_event(frames.EventKind.FAILED, reason))
    else:
        _send(pipe, frames.pack_event(frames.EventKind.CONNECTED, identity))
        lost = serve(arm, pipe, orphaned)
        if lost is None:
            watcher.join()  # stops the arm and ends the process
            return
        _send(pipe, frames.pack_event(frames.EventKind.LOST, lost))
    os._exit(1)  # the SDK's threads do not end by themselves


if __name__ == "__main__":
    main(sys.argv[1:])
