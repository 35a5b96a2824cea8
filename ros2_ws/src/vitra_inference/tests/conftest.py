"""A fake policy, and a fake robot that publishes the streams a policy node needs."""

from __future__ import annotations

import array
import threading
import time

import numpy as np
import pytest

from vitra_policy.policies import registry
from vitra_policy.policies.policy import ActionChunk, PolicyMetadata


class FakePolicy:
    """Moves the requested hands by nothing; misbehaves on demand."""

    def __init__(self, **metadata):
        self.metadata = PolicyMetadata("fake", **{"needs_image": True, **metadata})
        self.seen = []
        self.failure = None
        self.hold = threading.Event()
        self.hold.set()
        self.done = False
        self.resets = self.closed = self.warmed = 0

    def warm_up(self):
        self.warmed += 1

    def reset(self):
        if self.failure is not None:
            raise self.failure
        self.resets += 1

    def infer(self, observation):
        self.seen.append(observation)
        self.hold.wait(20)
        if self.failure is not None:
            raise self.failure
        valid = np.array([True, True])
        committed = 0 if observation.committed is None else observation.committed.steps
        return ActionChunk(np.zeros((16, 102)), valid, 1 / 30, "fake", {"think": 0.001}, self.done, committed)

    def close(self):
        self.closed += 1


@pytest.fixture
def fake_policy(monkeypatch):
    """The policy that the name "fake" stands for."""
    policy = FakePolicy()
    monkeypatch.setattr(registry, "_registered", {"fake": lambda: policy})
    return policy


class Graph:
    """The policy node, a robot, and one thread that spins them: the test's own."""

    def __init__(self, *parameters: str) -> None:
        import rclpy
        from rclpy.action import ActionClient
        from rclpy.experimental import EventsExecutor
        from sensor_msgs.msg import CameraInfo, Image, JointState
        from std_msgs.msg import Bool, String
        from std_srvs.srv import Trigger

        from vitra_inference.policy_node import PolicyNode
        from vitra_msgs.action import RunPolicy
        from vitra_msgs.msg import ExecutorState, HandActionChunk, Heartbeat, SafetyState, SimState
        from vitra_msgs.srv import SetInstruction
        from vitra_runtime import qos

        rclpy.init(args=["--ros-args", "-p", "policy:=fake", *(a for p in parameters for a in ("-p", p))])
        self._rclpy = rclpy
        self.node = PolicyNode()
        self.robot = rclpy.create_node("robot")
        self.executor = EventsExecutor()
        self.executor.add_node(self.node)
        self.executor.add_node(self.robot)
        publisher = self.robot.create_publisher
        self.image = publisher(Image, "head_camera/color/image_raw", qos.SENSOR)
        self.info = publisher(CameraInfo, "head_camera/color/camera_info", qos.SENSOR)
        self.arm = publisher(JointState, "right_arm/joint_states", qos.SENSOR)
        self.hand = publisher(JointState, "right_hand/joint_states", qos.SENSOR)
        self.safety = publisher(SafetyState, "safety_state", qos.LATCHED)
        self.sim = publisher(SimState, "sim/state", qos.SENSOR)
        self.executor_state = publisher(ExecutorState, "executor_state", qos.SETPOINT)
        self.chunks, self.beats, self.instructions, self.running = [], [], [], []
        self.robot.create_subscription(HandActionChunk, "hand_action_chunk", self.chunks.append, qos.CHUNK)
        self.robot.create_subscription(Heartbeat, "heartbeat", self.beats.append, qos.HEARTBEAT)
        self.robot.create_subscription(String, "instruction", self.instructions.append, qos.LATCHED)
        self.robot.create_subscription(Bool, "policy/running", lambda said: self.running.append(said.data), qos.LATCHED)
        self.start = self.robot.create_client(Trigger, "policy/start")
        self.stop = self.robot.create_client(Trigger, "policy/stop")
        self.set_instruction = self.robot.create_client(SetInstruction, "policy/set_instruction")
        self.action = ActionClient(self.robot, RunPolicy, "policy/run_policy")
        self.muted: set[str] = set()
        self.arm_joints = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
        self.robot.create_timer(0.02, self.publish)
        self.frames = []

    def publish(self) -> None:
        """One camera frame, and joints just before and just after it."""
        from sensor_msgs.msg import CameraInfo, Image, JointState

        from vitra_description.names import arm_joints, hand_joints

        stamp_ns = self.robot.get_clock().now().nanoseconds

        def header(message, at_ns):
            message.header.frame_id = "head_camera_color_optical_frame"
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(at_ns, 10**9)
            return message

        for offset_ns in (-3_000_000, 1_000_000):
            if "right_arm" not in self.muted:
                names = list(arm_joints("right"))
                # Drivers may send names in any order.
                joints = JointState(name=names[::-1], position=self.arm_joints[::-1])
                self.arm.publish(header(joints, stamp_ns + offset_ns))
            if "right_hand" not in self.muted:
                self.hand.publish(
                    header(JointState(name=list(hand_joints("right")), position=[0.2] * 12), stamp_ns + offset_ns)
                )
        if "camera" in self.muted:
            return
        info = CameraInfo(height=4, width=6, k=[5.0, 0.0, 3.0, 0.0, 5.0, 2.0, 0.0, 0.0, 1.0])
        self.info.publish(header(info, stamp_ns))
        image = Image(height=4, width=6, encoding="rgb8", step=18, data=array.array("B", range(72)))
        self.image.publish(header(image, stamp_ns))
        self.frames.append(stamp_ns)

    def until(self, condition, timeout_s: float = 15.0):
        """Spin until the condition is true and return it."""
        deadline_s = time.monotonic() + timeout_s
        while not (value := condition()):
            assert time.monotonic() < deadline_s, "waited in vain"
            self.executor.spin_once(timeout_sec=0.05)
        return value

    def call(self, client, request=None):
        """Answer of a service."""
        self.until(client.service_is_ready)
        future = client.call_async(request or client.srv_type.Request())
        self.until(future.done)
        return future.result()

    def say(self, instruction: str):
        """Set the instruction."""
        return self.call(self.set_instruction, self.set_instruction.srv_type.Request(instruction=instruction))

    def send_goal(self, **goal):
        """Accepted goal handle and the future of its result; feedback is collected."""
        from vitra_msgs.action import RunPolicy

        self.until(self.action.server_is_ready)
        self.feedback = []
        future = self.action.send_goal_async(RunPolicy.Goal(**goal), feedback_callback=self.feedback.append)
        self.until(future.done)
        handle = future.result()
        return handle, handle.get_result_async()

    def last_beat(self):
        """State and detail of the newest heartbeat of the policy node."""
        return (self.beats[-1].state, self.beats[-1].detail) if self.beats else (None, "")

    def run(self) -> None:
        """Bring the node up and start a run."""
        self.until(lambda: self.node.is_active)
        assert self.say("Put the cube into the box").success
        answer = self.call(self.start)
        assert answer.success, answer.message

    def close(self) -> None:
        self.node.end()
        self.node.stop_beating()
        self.executor.shutdown()
        self.robot.destroy_node()
        self.node.destroy_node()
        self._rclpy.try_shutdown()


@pytest.fixture
def graph(ros_domain, fake_policy):
    """Makes a graph; parameters as "name:=value"."""
    import rclpy

    made = []

    def make(*parameters):
        made.append(Graph(*parameters))
        return made[-1]

    yield make
    fake_policy.hold.set()
    for one in made:
        one.close()
    rclpy.try_shutdown()  # also after a node that refused to be made
