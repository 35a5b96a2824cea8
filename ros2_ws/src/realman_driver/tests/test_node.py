"""The node as the rest of the graph sees it, against the controller double."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("Robotic_Arm", reason="vendor SDK: pip install Robotic_Arm==1.1.6")

from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from realman_driver.frames import LinkConfig  # noqa: E402
from vitra_description.postures import home  # noqa: E402
from vitra_msgs.msg import ArmCommand, DriverState, Heartbeat, Permit  # noqa: E402
from vitra_runtime import qos  # noqa: E402
from vitra_runtime.scheduling import PRIORITY_VARIABLE, leave_realtime, request_realtime  # noqa: E402
from vitra_sim.doubles.realman import RealmanDouble  # noqa: E402
from vitra_sim.doubles.realman_kinematic import KinematicArm  # noqa: E402

pytestmark = pytest.mark.realtime

Wait = Callable[..., Any]
Start = Callable[[LinkConfig, str], subprocess.Popen[str]]
PERIOD_S = 0.005
PERMIT_TICKS = 4
# What a test asks must not depend on how busy the machine is.
PATIENT = {"permit_timeout_s": 1.0, "command_timeout_s": 1.0, "feedback_timeout_s": 0.5, "latch_after_s": 1.0}


class Graph:
    """The driver's neighbours: supervisor, executor and whoever listens."""

    def __init__(self, domain: int) -> None:
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("neighbours", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.states: deque[DriverState] = deque(maxlen=200)
        self.joints: deque[JointState] = deque(maxlen=2000)
        self.beats: dict[str, Heartbeat] = {}
        self.node.create_subscription(DriverState, "left_arm/driver_state", self._on_state, qos.SETPOINT)
        self.node.create_subscription(JointState, "left_arm/joint_states", self._on_joints, qos.SENSOR)
        self.node.create_subscription(Heartbeat, "heartbeat", self._on_beat, qos.HEARTBEAT)
        self._commands = self.node.create_publisher(ArmCommand, "left_arm/command", qos.SETPOINT)
        self._permits = self.node.create_publisher(Permit, "permit", qos.SETPOINT)
        self.clear_errors = self.node.create_client(Trigger, "left_arm_driver/clear_errors")
        self.epoch, self.sequence = 0, 0
        self.permitting = self.commanding = False
        self.goal_rad, self.speed_rad_s = np.zeros(7), 0.0
        self._running = True
        self._threads = [threading.Thread(target=t, daemon=True) for t in (self._spin, self._drive)]
        for thread in self._threads:
            thread.start()

    def _on_state(self, state: DriverState) -> None:
        self.states.append(state)

    def _on_joints(self, joints: JointState) -> None:
        self.joints.append(joints)

    def _on_beat(self, beat: Heartbeat) -> None:
        self.beats[beat.node] = beat

    def _spin(self) -> None:
        while self._running:
            self.executor.spin_once(timeout_sec=0.05)

    def _drive(self) -> None:
        next_s, tick = time.monotonic(), 0
        while self._running:
            tick += 1
            if self.permitting and tick % PERMIT_TICKS == 0:
                permit = Permit(epoch=self.epoch, motion_allowed=True)
                permit.header.stamp = self.node.get_clock().now().to_msg()
                self._permits.publish(permit)
            if self.commanding:
                self.goal_rad = self.goal_rad + np.eye(7)[6] * self.speed_rad_s * PERIOD_S
                self.command(self.goal_rad)
            next_s = max(next_s + PERIOD_S, time.monotonic())  # after a pause, no burst
            time.sleep(max(0.0, next_s - time.monotonic()))

    def command(self, position_rad: np.ndarray) -> None:
        self.sequence += 1
        message = ArmCommand(sequence=self.sequence, epoch=self.epoch, position_rad=position_rad)
        message.header.stamp = self.node.get_clock().now().to_msg()
        self._commands.publish(message)

    def arm(self) -> None:
        """A new epoch, with commands that begin at what is held, or else where the arm is."""
        self.commanding = False
        self.epoch, self.sequence, self.speed_rad_s = self.epoch + 1, 0, 0.0
        held_rad = self.states[-1].held_rad if self.states else ()  # as the executor does
        self.goal_rad = np.array(held_rad if len(held_rad) else self.joints[-1].position)
        self.permitting = self.commanding = True

    @property
    def state(self) -> str:
        return self.states[-1].state if self.states else ""

    def close(self) -> None:
        self._running = False
        for thread in self._threads:
            thread.join(timeout=2.0)
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


def start_driver(config: LinkConfig, name: str = "left_arm_driver") -> subprocess.Popen[str]:
    parameters = {
        "side": "left",
        "arm_ip": config.arm_ip,
        "tcp_port": config.tcp_port,
        "udp_port": config.udp_port,
        "retry_period_s": 0.2,
        **PATIENT,
    }
    arguments = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
    command = [sys.executable, "-m", "realman_driver.node", "--ros-args", "-r", f"__node:={name}", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10.0)
    return output


@pytest.fixture
def start_another() -> Iterator[Start]:
    """Starts further drivers, of which none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(config: LinkConfig, name: str) -> subprocess.Popen[str]:
        started.append(start_driver(config, name))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            end(process)


@contextmanager
def in_real_time() -> Iterator[None]:
    """Threads and processes made here stand for those that a launch gives real-time priority, where that is allowed."""
    request_realtime({PRIORITY_VARIABLE: "30"})
    try:
        yield
    finally:
        leave_realtime()


class Driver:
    """The driver process that the tests share; started anew when a test has ended it."""

    def __init__(self, double: RealmanDouble) -> None:
        self.double = double
        self.config = LinkConfig(arm_ip=double.ip, tcp_port=double.tcp_port, udp_port=double.controller.push.port)
        self.process: subprocess.Popen[str] | None = None

    def ensure(self) -> subprocess.Popen[str]:
        if self.process is None or self.process.poll() is not None:
            with in_real_time():
                self.process = start_driver(self.config)
        return self.process


@pytest.fixture(scope="module")
def shared_driver() -> Iterator[Driver]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        udp_port = probe.getsockname()[1]
    with ExitStack() as stack:
        with in_real_time():
            double = stack.enter_context(RealmanDouble(KinematicArm(home("left")), tcp_port=0, udp_port=udp_port))
        driver = Driver(double)
        yield driver
        if driver.process is not None:
            end(driver.process)


@pytest.fixture(scope="module")
def graph() -> Iterator[Graph]:
    with pytest.MonkeyPatch.context() as patch:
        domain = 1 + zlib.crc32(f"{os.getpid()}:{__name__}".encode()) % 100
        patch.setenv("ROS_DOMAIN_ID", str(domain))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        with in_real_time():
            graph = Graph(domain)
        yield graph
        graph.close()


@pytest.fixture
def double(shared_driver: Driver) -> RealmanDouble:
    """The shared controller, healthy."""
    double = shared_driver.double
    double.faults.udp_silent = double.faults.refuse_connections = False
    double.call(double.controller.motion.clear_errors)
    double.controller.counts.clear()
    return double


@pytest.fixture
def driver(graph: Graph, shared_driver: Driver, double: RealmanDouble, wait_for: Wait) -> subprocess.Popen[str]:
    """The shared driver, connected and at rest."""
    graph.permitting = graph.commanding = False
    process = shared_driver.ensure()
    graph.states.clear()
    graph.joints.clear()
    ready = wait_for(lambda: graph.state in ("holding", "latched") and graph.joints, 20.0)
    assert ready, (process.poll(), graph.states)
    return process


@pytest.fixture
def streaming(graph: Graph, driver: subprocess.Popen[str], wait_for: Wait) -> Graph:
    graph.arm()
    assert wait_for(lambda: graph.state == "moving")
    return graph


def test_streaming_then_nan_then_a_stale_permit(streaming: Graph, double: RealmanDouble, wait_for: Wait) -> None:
    graph = streaming
    graph.joints.clear()
    graph.speed_rad_s = 0.05  # within one tick of the acceleration limit
    began = graph.goal_rad[6]
    assert wait_for(lambda: len(graph.joints) > 250 and graph.joints[-1].position[6] > began + 0.02)
    assert graph.joints[-1].name == [f"left_joint_{n}" for n in range(1, 8)]
    assert np.median([joints.velocity[6] for joints in list(graph.joints)]) == pytest.approx(0.05, abs=0.02)
    assert graph.joints[-1].header.stamp.sec > 0
    assert wait_for(lambda: graph.states[-1].feedback_hz > 150.0)
    assert "set_arm_emergency_stop" not in double.controller.counts

    def nan_is_refused() -> bool:
        graph.command(np.full(7, math.nan))  # again and again: the topic is best effort
        return graph.states[-1].last_refusal.startswith("not_finite")

    assert wait_for(nan_is_refused)
    assert not double.controller.motion.errors
    assert wait_for(lambda: graph.state == "moving"), graph.states[-1]

    graph.permitting = False
    assert wait_for(lambda: graph.state == "latched")
    targets = double.controller.port.targets
    graph.permitting = True  # the same epoch: still latched
    assert not wait_for(lambda: double.controller.port.targets > targets, 0.3)
    assert double.controller.counts.get("set_arm_slow_stop") == 1
    graph.arm()
    assert wait_for(lambda: double.controller.port.targets > targets)


def test_a_tcp_drop_in_motion_holds_reports_and_reconnects(
    streaming: Graph, double: RealmanDouble, wait_for: Wait
) -> None:
    streaming.speed_rad_s = 0.05
    double.faults.refuse_connections = True
    double.drop_tcp()
    assert wait_for(lambda: streaming.state == "disconnected")
    assert wait_for(lambda: streaming.beats["/left_arm_driver"].state == Heartbeat.FAULT)
    assert "no connection" in streaming.beats["/left_arm_driver"].detail
    targets = double.controller.port.targets
    double.faults.refuse_connections = False
    assert wait_for(lambda: streaming.state == "latched")
    assert wait_for(lambda: streaming.beats["/left_arm_driver"].state == Heartbeat.ACTIVE)
    assert double.controller.port.targets == targets
    streaming.arm()
    assert wait_for(lambda: double.controller.port.targets > targets)


def test_udp_silence_in_motion_holds_the_arm(streaming: Graph, double: RealmanDouble, wait_for: Wait) -> None:
    streaming.speed_rad_s = 0.05
    double.faults.udp_silent = True
    assert wait_for(lambda: streaming.state in ("stopping", "holding", "latched"))
    assert wait_for(lambda: streaming.state == "disconnected")
    assert "no state push" in streaming.states[-1].fault
    double.faults.udp_silent = False
    assert wait_for(lambda: streaming.state == "latched")


def test_a_collision_is_named_and_cleared_by_the_service(
    streaming: Graph, double: RealmanDouble, wait_for: Wait
) -> None:
    double.raise_error(0x100D)
    assert wait_for(lambda: streaming.state == "fault")
    assert streaming.states[-1].fault == "collision detected (0x100D)"
    assert streaming.clear_errors.wait_for_service(timeout_sec=5.0)
    answer = streaming.clear_errors.call_async(Trigger.Request())
    assert wait_for(answer.done)
    assert answer.result().success
    assert wait_for(lambda: streaming.state == "latched")
    streaming.arm()
    assert wait_for(lambda: streaming.state == "moving")


def test_a_driver_that_comes_back_after_a_kill_knows_what_the_arm_holds(
    streaming: Graph, driver: subprocess.Popen[str], shared_driver: Driver, wait_for: Wait
) -> None:
    streaming.permitting = streaming.commanding = False
    assert wait_for(lambda: streaming.state in ("holding", "latched"))
    held_rad = list(streaming.states[-1].held_rad)
    assert len(held_rad) == 7
    driver.kill()
    driver.communicate()
    streaming.states.clear()
    shared_driver.ensure()
    assert wait_for(lambda: streaming.state == "holding" and len(streaming.states[-1].held_rad) == 7, 20.0)
    np.testing.assert_allclose(streaming.states[-1].held_rad, held_rad, atol=1e-12)


def test_a_second_driver_of_the_same_arm_is_refused(
    graph: Graph, driver: subprocess.Popen[str], shared_driver: Driver, start_another: Start, wait_for: Wait
) -> None:
    second = start_another(shared_driver.config, "second_driver")
    assert wait_for(lambda: "already driven by process" in getattr(graph.beats.get("/second_driver"), "detail", ""))
    assert graph.beats["/second_driver"].state == Heartbeat.INACTIVE
    assert graph.state in ("holding", "latched")
    assert str(driver.pid) in end(second)


def test_an_unreachable_arm_is_named_and_the_driver_still_ends_at_once(
    graph: Graph, start_another: Start, wait_for: Wait
) -> None:
    with socket.create_server(("127.0.0.13", 0)) as taken:
        nowhere = LinkConfig(arm_ip="127.0.0.13", tcp_port=taken.getsockname()[1], udp_port=taken.getsockname()[1])
    process = start_another(nowhere, "lost_driver")
    assert wait_for(lambda: "no Realman controller answers" in getattr(graph.beats.get("/lost_driver"), "detail", ""))
    assert graph.beats["/lost_driver"].state == Heartbeat.INACTIVE
    began_s = time.monotonic()
    output = end(process)
    assert time.monotonic() - began_s < 5.0
    assert process.returncode == 0
    assert f"127.0.0.13:{nowhere.tcp_port}" in output


def test_a_killed_driver_leaves_no_process_and_a_new_one_takes_over(
    streaming: Graph, driver: subprocess.Popen[str], shared_driver: Driver, double: RealmanDouble, wait_for: Wait
) -> None:
    streaming.speed_rad_s = 0.05
    children = subprocess.run(["pgrep", "-P", str(driver.pid)], capture_output=True, text=True).stdout.split()
    assert children
    driver.kill()
    driver.communicate()
    assert wait_for(lambda: not any(os.path.exists(f"/proc/{child}") for child in children))
    assert double.controller.counts.get("set_arm_stop") == 1
    streaming.permitting = streaming.commanding = False
    targets = double.controller.port.targets
    streaming.states.clear()
    shared_driver.ensure()
    assert wait_for(lambda: streaming.state == "holding", 20.0)
    assert double.controller.port.targets - targets < 40  # only the stop
