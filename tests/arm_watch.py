"""What fault tests look at: the arm's motion, its last command, its stops."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from sensor_msgs.msg import JointState

from vitra_bringup.graph_client import GraphClient
from vitra_msgs.msg import ArmCommand, DriverState, ExecutorState
from vitra_runtime import qos
from vitra_runtime.polling import PolledTopics

MOVING_RAD_S = 0.1
STILL_RAD = np.radians(0.3)


class Watcher:
    """What the test needs to know about the arm.

    Joints and commands, 200 a second each, are read when somebody asks: a test that is woken for every one of them
    hears nothing in time beside a graph that has both cores.
    """

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self.stop_causes: list[str] = []
        self._speed_rad_s = self._last_command_s = 0.0
        topics = PolledTopics(client.node, "watcher")
        self._joints = topics.subscribe(JointState, "right_arm/joint_states", qos.SENSOR)
        self._commands = topics.subscribe(ArmCommand, "right_arm/command", qos.SETPOINT)
        client.watch(DriverState, "right_arm/driver_state", qos.SETPOINT, self._on_driver)

    @property
    def moves_by_a_chunk(self) -> bool:
        for message, _ in self._joints.take():
            self._speed_rad_s = float(np.abs(message.velocity).max())
        state = self._client.executor_state
        return self._speed_rad_s > MOVING_RAD_S and state is not None and state.state == ExecutorState.TRACKING

    @property
    def last_command_s(self) -> float:
        """When the executor made its last command [s]."""
        for message, _ in self._commands.take():
            self._last_command_s = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        return self._last_command_s

    def _on_driver(self, message: DriverState) -> None:
        if message.stop_cause and message.state != "moving":
            self.stop_causes.append(message.stop_cause)


def rest_after_s(trace: Path, side: str, last_command_s: float) -> float:
    """Simulated time from the last command to the moment from which the arm stays where it ends up [s]."""
    rows = [json.loads(line) for line in trace.read_bytes().split(b"\n")[:-1]]
    rows = [row for row in rows if row["stamp"] > last_command_s - 2.0]
    stamp_s = np.array([row["stamp"] for row in rows])
    t = np.array([row["t"] for row in rows])
    q = np.array([row[side]["q"] for row in rows])
    moving = np.flatnonzero(np.abs(q - q[-1]).max(axis=1) > STILL_RAD)
    return float(t[moving[-1]] - np.interp(last_command_s, stamp_s, t))
