"""CPU and cadence of the arm driver at 200 Hz against the controller double; writes one JSON file.

python ros2_ws/src/realman_driver/benchmarks/driver_load.py --seconds 10 --out runs/bench/realman_driver.json
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
import tyro
from rclpy.experimental import EventsExecutor
from sensor_msgs.msg import JointState

from vitra_description.postures import home
from vitra_msgs.msg import ArmCommand, DriverState, Permit
from vitra_runtime import qos
from vitra_runtime.timing import Ticker
from vitra_sim.doubles.realman import RealmanDouble
from vitra_sim.doubles.realman_kinematic import KinematicArm

PERIOD_S = 0.005


@dataclass(frozen=True)
class Arguments:
    """What to measure and where to write it."""

    seconds: float = 10.0
    """How long to stream [s]."""
    out: Path = Path("runs/bench/realman_driver.json")
    """The JSON file to write."""


def cpu_s(pid: int) -> float:
    """Processor time that a process has used [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def child_of(pid: int) -> int:
    """The process that a process started."""
    lists = (path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return int(next(children[0] for children in lists if children))


def wait_until(condition: Callable[[], Any], deadline_s: float = 15.0) -> None:
    """Wait until a condition holds."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end_s:
            raise SystemExit("The driver did not become ready.")
        time.sleep(0.01)


def stream(node: Any, seconds: float) -> None:
    """Publish permits and a smooth command stream."""
    commands = node.create_publisher(ArmCommand, "left_arm/command", qos.SETPOINT)
    permits = node.create_publisher(Permit, "permit", qos.SETPOINT)
    command, permit, start = ArmCommand(epoch=1), Permit(epoch=1, motion_allowed=True), home("left")
    ticker = Ticker(PERIOD_S)
    for tick in range(round(seconds / PERIOD_S)):
        if tick % 4 == 0:
            permit.header.stamp = node.get_clock().now().to_msg()
            permits.publish(permit)
        position_rad = start.copy()
        position_rad[6] += 0.15 * (1.0 - math.cos(2.0 * tick * PERIOD_S))
        command.sequence, command.position_rad = tick + 1, position_rad
        command.header.stamp = node.get_clock().now().to_msg()
        commands.publish(command)
        ticker.wait()


def main(arguments: Arguments) -> None:
    """Run driver and double, stream, measure."""
    rclpy.init()
    node = rclpy.create_node("driver_load")
    states: list[DriverState] = []
    joints: list[JointState] = []
    node.create_subscription(DriverState, "left_arm/driver_state", lambda m: states.append(m), qos.SETPOINT)
    node.create_subscription(JointState, "left_arm/joint_states", lambda m: joints.append(m), qos.SENSOR)
    executor = EventsExecutor()
    executor.add_node(node)
    over = threading.Event()

    def spin() -> None:
        while not over.is_set():
            executor.spin_once(0.1)

    spinning = threading.Thread(target=spin)
    spinning.start()
    with RealmanDouble(KinematicArm(home("left")), tcp_port=0) as double:
        parameters = ("side:=left", f"arm_ip:={double.ip}", f"tcp_port:={double.tcp_port}")
        words = [word for parameter in parameters for word in ("-p", parameter)]
        driver = subprocess.Popen([sys.executable, "-m", "realman_driver.node", "--ros-args", *words])
        try:
            wait_until(lambda: states and states[-1].state == "holding" and joints)
            processes = {"driver": driver.pid, "sdk_child": child_of(driver.pid)}
            before = {name: cpu_s(pid) for name, pid in processes.items()}
            received, began_s = len(joints), time.monotonic()
            stream(node, arguments.seconds)
            elapsed_s = time.monotonic() - began_s
            load = {name: (cpu_s(pid) - before[name]) / elapsed_s for name, pid in processes.items()}
            state = states[-1]
        finally:
            driver.terminate()
            driver.wait()
            over.set()
            spinning.join()
    result = {
        "cpu_cores": {**load, "total": sum(load.values())},
        "joint_states_hz": (len(joints) - received) / elapsed_s,
        "commands_hz": state.command_hz,
        "accepted": state.accepted,
        "refused": state.refused,
        "setpoint_period_error_p99_ms": state.setpoint_period_error_p99_s * 1e3,
        "load_average": os.getloadavg()[0],
    }
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
