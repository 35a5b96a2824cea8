"""The running graph as the campaign sees and breaks it: everything done here can be undone."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from vitra_bringup.faults.sway_policy import PEAK_M_S, Mode
from vitra_bringup.graph_run import GraphRun
from vitra_description.kinematics import ArmModel
from vitra_msgs.msg import ArmCommand, DriverState, ExecutorState, HandActionChunk, Heartbeat, Permit, RobotChunk
from vitra_policy.action_space import SIDES
from vitra_runtime import qos
from vitra_runtime.timing import stamp_to_s

_BEAT_S = 0.05
_AT_SPEED = 0.7
_SENT = {
    "permit": (Permit, qos.SETPOINT), "right_arm/command": (ArmCommand, qos.SETPOINT),
    "robot_chunk": (RobotChunk, qos.CHUNK), "hand_action_chunk": (HandActionChunk, qos.CHUNK),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """A driver's change of state.

    Attributes:
        stamp_s: When it said so, system time.
        device: Which.
        state: New state.
        cause: Why it stopped.
    """

    stamp_s: float
    device: str
    state: str
    cause: str


class Bench:
    """One graph with both arms.

    Args:
        graph: It runs.
        folder: Where the policy's control file is.
        operator: Whether to beat as an operator.
    """

    def __init__(self, graph: GraphRun, folder: Path, *, operator: bool = False) -> None:
        self.graph, self.client = graph, graph.client
        self._control = folder / "control.json"
        self._undo: list[Callable[[], None]] = []
        self._last: dict[str, Any] = {}
        self._states: dict[str, str] = {}
        self.said: list[Said] = []
        self.speeds_m_s = dict.fromkeys(map(str, SIDES), 0.0)
        self._arm = ArmModel()
        self.limit = ""
        client = self.client
        for topic, (kind, profile) in _SENT.items():
            client.watch(kind, topic, profile, partial(self._last.__setitem__, topic))
        client.watch(ExecutorState, "executor_state", qos.SENSOR, self._on_executor)
        for side in map(str, SIDES):
            topic = f"{side}_arm/joint_states"
            client.watch(JointState, topic, qos.SENSOR, partial(self._on_joints, side))
            for device in (f"{side}_arm", f"{side}_hand"):
                client.watch(DriverState, f"{device}/driver_state", qos.SETPOINT, self._on_driver)
        self._present, self._ended = threading.Event(), threading.Event()
        self._operator: threading.Thread | None = None
        if operator:
            self._beats = client.node.create_publisher(Heartbeat, "heartbeat", qos.HEARTBEAT)
            self._present.set()
            self._operator = threading.Thread(target=self._beat, name="operator", daemon=True)
            self._operator.start()

    @property
    def both_move(self) -> bool:
        """Whether both wrists are at speed."""
        return min(self.speeds_m_s.values()) > _AT_SPEED * PEAK_M_S

    def close(self) -> None:
        """Take back what was done, and beat no more."""
        self.undo()
        self._ended.set()
        self._present.set()
        if self._operator is not None:
            self._operator.join()

    def undo(self) -> None:
        """Take back what was done, the last first."""
        while self._undo:
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                self._undo.pop()()

    # What can be done ---------------------------------------------------------------------------------------------

    def pid(self, name: str) -> int:
        """Process of a node; `right_arm_sdk` is the child that holds the SDK."""
        if not name.endswith("_sdk"):
            return self.graph.pid(name)
        driver = psutil.Process(self.graph.pid(name.replace("_sdk", "_driver")))
        children = (child for child in driver.children() if any("sdk_process" in word for word in child.cmdline()))
        return int(next(children).pid)

    def kill(self, name: str) -> None:
        """Kill -9."""
        os.kill(self.pid(name), signal.SIGKILL)

    def freeze(self, name: str, seconds: float | None = None) -> None:
        """SIGSTOP, until undone or for so long."""
        pid = self.pid(name)
        self._undo.append(lambda: os.kill(pid, signal.SIGCONT))
        os.kill(pid, signal.SIGSTOP)
        if seconds is not None:
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)

    def device_faults(self, *names: str) -> None:
        """Faults of the device doubles (`vitra_sim.realtime.faults`)."""
        self._undo.append(lambda: self.client.set_sim_faults([]))
        self.client.set_sim_faults(names)

    def mode(self, mode: Mode) -> None:
        """How the policy behaves from its next inference on."""
        self._undo.append(lambda: self._control.unlink(missing_ok=True))
        partial = self._control.with_suffix(".partial")
        partial.write_text(json.dumps({"mode": mode.value}))
        os.replace(partial, self._control)

    def send(self, topic: str, change: Callable[[Any], None], times: int = 40) -> None:
        """Publish what was last heard on a topic, changed, 200 times a second.

        Args:
            topic: A topic the bench listens to.
            change: Makes the fault: changes the message in place.
            times: How many are sent, 5 ms apart.
        """
        kind, profile = _SENT[topic]
        message = self._last[topic]
        publisher = self.client.node.create_publisher(kind, topic, profile)
        self._undo.append(lambda: self.client.node.destroy_publisher(publisher) and None)
        for _ in range(times):
            change(message)
            publisher.publish(message)
            time.sleep(0.005)

    def forge_heartbeat(self, node: str) -> None:
        """Beat in another node's name, as another process."""
        publisher = self.client.node.create_publisher(Heartbeat, "heartbeat", qos.HEARTBEAT)
        self._undo.append(lambda: self.client.node.destroy_publisher(publisher) and None)
        for _ in range(20):
            publisher.publish(Heartbeat(node=node, state=Heartbeat.ACTIVE, pid=os.getpid(), host="elsewhere"))
            time.sleep(0.02)

    def starve(self, seconds: float) -> None:
        """Four busy processes on every core."""
        code = f"import time\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pass"
        count = 4 * (os.cpu_count() or 1)
        busy = [subprocess.Popen([sys.executable, "-S", "-c", code]) for _ in range(count)]

        def wait() -> None:
            for process in busy:
                process.wait()

        self._undo.append(wait)

    def fill_disk(self, name: str) -> None:
        """No file of a node that records grows any more."""
        self.client.trigger("recorder/start")
        self._undo.append(lambda: self.client.call(Trigger, "recorder/stop", Trigger.Request()) and None)
        pid = self.pid(name)
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        self._undo.append(lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, before) and None)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[1]))

    def leave(self) -> None:
        """The operator goes away."""
        self._present.clear()
        self._undo.append(self._present.set)

    def stop_then_old_rearm(self) -> None:
        """A STOP, and a re-arm that was given before it."""
        from vitra_msgs.srv import Rearm

        seen = self.client.safety
        assert seen is not None
        self.client.stop()
        request = Rearm.Request(epoch=seen.epoch, stops=seen.stops)
        self.client.call(Rearm, "safety_supervisor/rearm_from", request)

    # What is seen -------------------------------------------------------------------------------------------------

    def _on_driver(self, message: DriverState) -> None:
        if self._states.get(message.device) != message.state:
            self._states[message.device] = message.state
            self.said.append(Said(stamp_to_s(message.header.stamp), message.device, message.state, message.stop_cause))

    def _on_joints(self, side: str, message: JointState) -> None:
        flange_m_s = self._arm.jacobian(message.position)[:3] @ np.asarray(message.velocity)
        self.speeds_m_s[side] = float(np.linalg.norm(flange_m_s))

    def _on_executor(self, message: ExecutorState) -> None:
        if message.limit:
            self.limit = message.limit

    def _beat(self) -> None:
        while self._present.wait() and not self._ended.wait(_BEAT_S):
            self._beats.publish(Heartbeat(node="operator", state=Heartbeat.ACTIVE))
