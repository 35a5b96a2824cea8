"""Executor and supervisor as real nodes, beside a peer that plays drivers and operator."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from vitra_control.executor_node import ExecutorNode
from vitra_control.supervisor_node import SafetySupervisorNode
from vitra_description.calibration import default_calibration
from vitra_description.kinematics import ArmModel
from vitra_description.names import arm_joints, hand_joints
from vitra_description.postures import home, open_hand
from vitra_msgs.msg import (
    ArmCommand,
    DriverState,
    ExecutorState,
    HandCommand,
    Heartbeat,
    Permit,
    RobotChunk,
    SafetyState,
)
from vitra_policy.transforms import quaternion_from_matrix
from vitra_runtime import qos

# What a test asks must not depend on how busy the machine is: all nodes share one interpreter here.
PATIENT = {
    "executor:permit_timeout_s": 0.5,
    "executor:max_gap_s": 0.5,
    "executor:feedback_timeout_s": 1.0,
    "safety_supervisor:heartbeat_timeout_s": 2.0,
    "safety_supervisor:feedback_timeout_s": 1.0,
}


def wait_for(condition: Callable[[], object], seconds: float = 15.0) -> bool:
    """Poll until the condition holds or the deadline passes."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(condition())


class FakeDrivers(Node):
    """Right arm and hand that go where they are told, and a node that beats."""

    def __init__(self) -> None:
        super().__init__("peer")
        self.arm, self.hand = home("right"), open_hand()
        self.fault = ""
        self.driver_state = "holding"
        self.beating = True
        self.joints_told = 0
        self.arm_commands: list[ArmCommand] = []
        self.hand_commands: list[HandCommand] = []
        self.permits: list[Permit] = []
        self.safety: list[SafetyState] = []
        self.executor_states: list[ExecutorState] = []
        self.create_subscription(ArmCommand, "right_arm/command", self._on_arm, qos.RECORD)
        self.create_subscription(HandCommand, "right_hand/command", self._on_hand, qos.RECORD)
        self.create_subscription(Permit, "permit", self.permits.append, qos.RECORD)
        self.create_subscription(SafetyState, "safety_state", self.safety.append, qos.LATCHED)
        self.create_subscription(ExecutorState, "executor_state", self.executor_states.append, qos.SETPOINT)
        self.chunks = self.create_publisher(RobotChunk, "robot_chunk", qos.CHUNK)
        self.policy_running = self.create_publisher(Bool, "policy/running", qos.LATCHED)
        self._joints = {
            "right_arm": self.create_publisher(JointState, "right_arm/joint_states", qos.SENSOR),
            "right_hand": self.create_publisher(JointState, "right_hand/joint_states", qos.SENSOR),
        }
        self._states = {d: self.create_publisher(DriverState, f"{d}/driver_state", qos.SETPOINT) for d in self._joints}
        self._beats = self.create_publisher(Heartbeat, "heartbeat", qos.HEARTBEAT)
        self._triggers = {
            name: self.create_client(Trigger, name)
            for name in ("safety_supervisor/rearm", "safety_supervisor/stop", "executor/home")
        }
        self.create_timer(0.01, self._publish_joints)
        self.create_timer(0.05, self._publish_states)

    def _on_arm(self, message: ArmCommand) -> None:
        self.arm = np.array(message.position_rad)
        self.arm_commands.append(message)

    def _on_hand(self, message: HandCommand) -> None:
        self.hand = np.array(message.position_rad)
        self.hand_commands.append(message)

    def _publish_joints(self) -> None:
        for device, names, values in (
            ("right_arm", arm_joints("right"), self.arm),
            ("right_hand", hand_joints("right"), self.hand),
        ):
            message = JointState(name=list(names), position=values.tolist())
            message.header.stamp = self.get_clock().now().to_msg()
            self._joints[device].publish(message)
        self.joints_told += 1

    def _publish_states(self) -> None:
        for device, publisher in self._states.items():
            epoch = self.permits[-1].epoch if self.permits and self.permits[-1].motion_allowed else 0
            publisher.publish(
                DriverState(device=device, state=self.driver_state, epoch=epoch, fault=self.fault, feedback_age_s=0.005)
            )
        if self.beating:
            self._beats.publish(Heartbeat(node="/policy", state=Heartbeat.ACTIVE))
        for driver in ("/right_arm_driver", "/right_hand_driver"):
            self._beats.publish(Heartbeat(node=driver, state=Heartbeat.ACTIVE))

    def connected(self) -> bool:
        """Whether everything the peer sends and hears has found its other end."""
        heard = ("right_arm/command", "right_hand/command", "permit", "safety_state", "executor_state")
        return self.chunks.get_subscription_count() > 0 and all(self.count_publishers(topic) for topic in heard)

    def call(self, name: str, seconds: float = 20.0) -> Trigger.Response:
        client = self._triggers[name]
        assert client.wait_for_service(timeout_sec=seconds)
        future = client.call_async(Trigger.Request())
        assert wait_for(future.done, seconds), f"{name} did not answer"
        return future.result()

    def chunk(self, velocity_m_s: float = 0.0, sequence: int = 1, steps: int = 16) -> RobotChunk:
        """Straight up or down from where the wrist is."""
        pose = ArmModel(side=default_calibration().right).wrist_pose(self.arm)
        times = np.arange(1, steps + 1)[:, None] / 30
        wrist = np.concatenate(
            [pose[:3, 3] + times * [0, velocity_m_s, 0], np.tile(quaternion_from_matrix(pose[:3, :3]), (steps, 1))],
            axis=1,
        )
        message = RobotChunk(
            sequence=sequence,
            step_s=1 / 30,
            steps=steps,
            right_valid=True,
            right_wrist=wrist.ravel().tolist(),
            right_hand=np.tile(self.hand, steps).tolist(),
        )
        message.header.stamp = self.get_clock().now().to_msg()
        return message


class RosBench:
    """Everything wired up and spinning; `close` takes it down."""

    def __init__(self, domain: int) -> None:
        patience = [word for name, value in PATIENT.items() for word in ("-p", f"{name}:={value}")]
        rclpy.init(
            domain_id=domain,
            args=["--ros-args", "-p", "safety_supervisor:required_nodes:=[executor, policy]", *patience],
        )
        self.executor = ExecutorNode()
        self.supervisor = SafetySupervisorNode()
        self.peer = FakeDrivers()
        self._spinning = True
        self._events = EventsExecutor()
        self._events.add_node(self.executor)
        self._events.add_node(self.supervisor)
        self._single = SingleThreadedExecutor()
        self._single.add_node(self.peer)
        self._threads = [
            threading.Thread(target=self._spin, args=(e,), daemon=True) for e in (self._events, self._single)
        ]
        for thread in self._threads:
            thread.start()
        assert wait_for(lambda: self.executor.is_active and self.supervisor.is_active)
        assert wait_for(self.peer.connected)

    def _spin(self, executor: EventsExecutor | SingleThreadedExecutor) -> None:
        while self._spinning and rclpy.ok():
            executor.spin_once(timeout_sec=0.05)

    def armed(self) -> RosBench:
        """Re-armed, and the first commands seen."""
        assert wait_for(lambda: self.peer.call("safety_supervisor/rearm").success)
        assert wait_for(lambda: len(self.peer.arm_commands) > 20), self.executor._generator.limits()
        return self

    def close(self) -> None:
        self._spinning = False
        for thread in self._threads:
            thread.join(timeout=5.0)
        for node in (self.executor, self.supervisor):
            node.end()
            node.stop_beating()
        for node in (self.executor, self.supervisor, self.peer):
            node.destroy_node()
        rclpy.try_shutdown()
