"""CPU, cadence and latency of the executor node at 200 Hz with joints that follow; writes one JSON file.

python ros2_ws/src/vitra_control/benchmarks/executor_load.py --arms right --seconds 10 --out runs/bench/executor.json
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import rclpy
import tyro
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState

from vitra_control.generator import SetpointGenerator
from vitra_control.setpoints import Feedback, PermitSample
from vitra_control.settings import ARM_PERIOD_S, GeneratorSettings
from vitra_control.side import SideExecutor
from vitra_description.calibration import default_calibration
from vitra_description.kinematics import ArmModel
from vitra_description.names import arm_joints, hand_joints
from vitra_description.postures import home, open_hand
from vitra_msgs.msg import ArmCommand, ExecutorState, HandCommand, Permit, RobotChunk
from vitra_policy.action_space import Side, sides_of
from vitra_policy.chunks.curve import TimedSteps
from vitra_policy.transforms import quaternion_from_matrix
from vitra_runtime import qos
from vitra_runtime.timing import Ticker

STEPS, STEP_S, CHUNK_PERIOD_S = 16, 1 / 30, 0.1


@dataclass(frozen=True)
class Arguments:
    """What to measure and where to write it."""

    arms: Literal["right", "left", "both"] = "right"
    """Which arms are driven."""
    seconds: float = 10.0
    """How long to stream [s]."""
    out: Path = Path("runs/bench/executor.json")
    """The JSON file to write."""


def cpu_s(pid: int) -> float:
    """Processor time that a process has used [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@cache
def _home_wrist(side: Side) -> np.ndarray:
    return ArmModel(side=default_calibration().side(side)).wrist_pose(home(side))


def circle(side: Side, stamp_s: float) -> np.ndarray:
    """Steps (16, 19) of a wrist that draws a circle of 3 cm every 3 s, with fingers that open and close."""
    start = _home_wrist(side)
    phase = 2 * np.pi / 3 * (stamp_s + STEP_S * np.arange(1, STEPS + 1))
    values = np.zeros((STEPS, 19))
    values[:, :3] = start[:3, 3] + 0.03 * np.stack([np.cos(phase) - 1, np.sin(phase), 0 * phase], axis=1)
    values[:, 3:7] = quaternion_from_matrix(start[:3, :3])
    values[:, 7:] = open_hand() + 0.3 * (1 - np.cos(phase[:, None]))
    return values


class Peer(Node):
    """Permit, chunks and joints that go where they are told."""

    def __init__(self, sides: tuple[Side, ...]) -> None:
        super().__init__("bench_peer")
        self._sides = sides
        self.positions = {f"{s}_arm": home(s) for s in sides} | {f"{s}_hand": open_hand() for s in sides}
        self.arrivals_s: list[float] = []
        self.states: list[ExecutorState] = []
        self._names = {f"{s}_arm": list(arm_joints(s)) for s in sides} | {
            f"{s}_hand": list(hand_joints(s)) for s in sides
        }
        self._joints = {d: self.create_publisher(JointState, f"{d}/joint_states", qos.SENSOR) for d in self.positions}
        self._permit = self.create_publisher(Permit, "permit", qos.SETPOINT)
        self._chunks = self.create_publisher(RobotChunk, "robot_chunk", qos.CHUNK)
        for side in sides:
            self.create_subscription(ArmCommand, f"{side}_arm/command", self._on(f"{side}_arm"), qos.RECORD)
            self.create_subscription(HandCommand, f"{side}_hand/command", self._on(f"{side}_hand"), qos.RECORD)
        self.create_subscription(ExecutorState, "executor_state", self.states.append, qos.SETPOINT)
        self._sequence = 0

    def _on(self, device: str):  # noqa: ANN202
        def keep(message: ArmCommand | HandCommand) -> None:
            self.positions[device] = message.position_rad
            if device == f"{self._sides[0]}_arm":
                self.arrivals_s.append(time.monotonic())

        return keep

    def run(self, running: threading.Event) -> None:
        """Publish everything on a 5 ms grid."""
        ticker, tick = Ticker(ARM_PERIOD_S), 0
        while running.is_set():
            ticker.wait()
            tick += 1
            stamp = self.get_clock().now().to_msg()
            for device, publisher in self._joints.items():
                if device.endswith("_arm") or tick % 2 == 0:
                    message = JointState(name=self._names[device], position=list(self.positions[device]))
                    message.header.stamp = stamp
                    publisher.publish(message)
            if tick % 4 == 0:
                self._permit.publish(Permit(epoch=1, motion_allowed=True))
            if tick % round(CHUNK_PERIOD_S / ARM_PERIOD_S) == 0:
                self._publish_chunk(stamp)

    def _publish_chunk(self, stamp) -> None:  # noqa: ANN001
        self._sequence += 1
        chunk = RobotChunk(sequence=self._sequence, step_s=STEP_S, steps=STEPS)
        chunk.header.stamp = stamp
        for side in self._sides:
            values = circle(side, stamp.sec % 3000 + stamp.nanosec * 1e-9)
            setattr(chunk, f"{side}_valid", True)
            setattr(chunk, f"{side}_wrist", values[:, :7].ravel().tolist())
            setattr(chunk, f"{side}_hand", values[:, 7:].ravel().tolist())
        self._chunks.publish(chunk)


def measure_node(args: Arguments) -> dict[str, float]:
    """The executor in a process of its own."""
    command = [sys.executable, "-m", "vitra_control.executor_node", "--ros-args", "-p", f"arms:={args.arms}"]
    process = subprocess.Popen(command)
    rclpy.init()
    peer, events, running = Peer(sides_of(args.arms)), EventsExecutor(), threading.Event()
    events.add_node(peer)
    running.set()
    thread = threading.Thread(target=peer.run, args=(running,), daemon=True)
    thread.start()
    try:
        deadline_s = time.monotonic() + 30.0
        while len(peer.arrivals_s) < 200:
            events.spin_once(timeout_sec=0.05)
            if time.monotonic() > deadline_s:
                raise TimeoutError("The executor sent no setpoints within 30 s.")
        peer.arrivals_s.clear()
        peer.states.clear()
        began_s, used_s = time.monotonic(), cpu_s(process.pid)
        while time.monotonic() < began_s + args.seconds:
            events.spin_once(timeout_sec=0.05)
        elapsed_s, used_s = time.monotonic() - began_s, cpu_s(process.pid) - used_s
    finally:
        running.clear()
        thread.join()
        process.terminate()
        process.wait(timeout=10)
        peer.destroy_node()
        rclpy.try_shutdown()
    errors_ms = np.abs(np.diff(peer.arrivals_s) - ARM_PERIOD_S) * 1e3
    delays_ms = np.array([s.observation_to_setpoint_s for s in peer.states if s.chunk_sequence]) * 1e3
    return {
        "cpu_percent_of_one_core": round(100 * used_s / elapsed_s, 1),
        "arm_setpoint_hz": round(len(peer.arrivals_s) / elapsed_s, 2),
        "arm_setpoint_period_error_ms_p50": round(float(np.quantile(errors_ms, 0.5)), 3),
        "arm_setpoint_period_error_ms_p99": round(float(np.quantile(errors_ms, 0.99)), 3),
        "chunk_to_setpoint_ms_p50": round(float(np.quantile(delays_ms, 0.5)), 3),
        "chunk_to_setpoint_ms_p99": round(float(np.quantile(delays_ms, 0.99)), 3),
    }


def measure_tick(args: Arguments, ticks: int = 2000) -> dict[str, float]:
    """One tick of the generator alone, in processor time."""
    sides, settings = sides_of(args.arms), GeneratorSettings()
    executors = {side: SideExecutor(side, default_calibration(), settings) for side in sides}
    joints = {side: Feedback(home(side), open_hand(), 0.0) for side in sides}
    generator = SetpointGenerator(executors, settings, joints.__getitem__)
    times_us, now_s = [], 0.0
    for k in range(ticks):
        now_s += ARM_PERIOD_S
        if k % 20 == 0:
            chunk = {side: TimedSteps(k, now_s, STEP_S, circle(side, now_s)) for side in sides}
            generator.offer(chunk, now_s)
        began_ns = time.thread_time_ns()
        setpoints = generator.tick(now_s, PermitSample(1, True, now_s))
        times_us.append((time.thread_time_ns() - began_ns) / 1e3)
        if setpoints is not None:
            for side in sides:
                joints[side] = Feedback(setpoints.arms[side], executors[side].hand_rad, 0.0)
    return {f"tick_us_p{q}": round(float(np.quantile(times_us[200:], q / 100)), 1) for q in (50, 99)}


def main(args: Arguments) -> None:
    """Measure, print and write."""
    result = {"arms": args.arms, "seconds": args.seconds} | measure_tick(args) | measure_node(args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
