"""A small rosbag2 (MCAP) of a lockstep run, read by the same code as the robot's bags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ament_index_python.packages import get_package_share_directory
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vitra_description.names import arm_joints
from vitra_policy.action_space import SIDES
from vitra_policy.policies.policy import ActionChunk, Observation
from vitra_policy.transforms import quaternion_from_matrix

_MESSAGES = ("HandActionChunk", "SimState")


class LockstepBag:
    """Joints, chunks and ground truth; stamps are simulated time.

    Args:
        path: folder to create.
    """

    def __init__(self, path: Path) -> None:
        share = Path(get_package_share_directory("vitra_msgs")) / "msg"
        self._path, self._types = path, get_typestore(Stores.ROS2_JAZZY)
        for name in _MESSAGES:
            self._types.register(get_types_from_msg((share / f"{name}.msg").read_text(), f"vitra_msgs/msg/{name}"))
        self._writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        self._connections = {
            topic: (self._writer.add_connection(topic, kind, typestore=self._types), kind)
            for topic, kind in (
                ("/right_arm/joint_states", "sensor_msgs/msg/JointState"),
                ("/left_arm/joint_states", "sensor_msgs/msg/JointState"),
                ("/hand_action_chunk", "vitra_msgs/msg/HandActionChunk"),
                ("/sim/state", "vitra_msgs/msg/SimState"),
            )
        }
        self._sequence = 0

    def add(self, env: Any, observation: Observation, chunk: ActionChunk) -> None:
        """Write the state before a chunk is executed, and the chunk.

        Args:
            env: The simulation.
            observation: What the policy saw.
            chunk: What it answered.
        """
        make, world = self._types.types, env.world
        time_ns = round(world.time_s * 1e9)
        stamp = make["builtin_interfaces/msg/Time"](time_ns // 10**9, time_ns % 10**9)
        header = make["std_msgs/msg/Header"](stamp, "")
        for side in SIDES:
            q = np.array(world.arm_q(side))
            self._write(f"/{side}_arm/joint_states", time_ns, header=header, name=list(arm_joints(side)), position=q,
                        velocity=np.array(world.arm_qd(side)), effort=np.zeros(0))  # fmt: skip
        self._sequence += 1
        self._write(
            "/hand_action_chunk", time_ns, header=header, sequence=self._sequence, step_s=chunk.step_s,
            steps=chunk.steps, actions=chunk.actions.ravel(), observed=observation.state,
            left_valid=bool(chunk.valid[0]), right_valid=bool(chunk.valid[1]), source="policy",
            policy_id=chunk.policy_id, instruction=observation.instruction, committed_steps=chunk.committed_steps,
            inference_s=0.0, stage_names=[], stage_s=np.zeros(0, np.float32), publisher=1,
        )  # fmt: skip
        poses = world.object_poses()
        pose_messages = []
        for pose in poses.values():
            point = make["geometry_msgs/msg/Point"](*(float(v) for v in pose[:3, 3]))
            turn = make["geometry_msgs/msg/Quaternion"](*(float(v) for v in quaternion_from_matrix(pose[:3, :3])))
            pose_messages.append(make["geometry_msgs/msg/Pose"](point, turn))
        verdict, sizes = world.verdict(), world.object_sizes()
        self._write(
            "/sim/state", time_ns, header=header, sim_time_s=world.time_s, real_time_factor=0.0, task=world.task.name,
            success=verdict.success, failed=verdict.failed, object_names=list(poses), object_poses=pose_messages,
            object_sizes=np.array([half for name in poses for half in sizes[name]]),
        )  # fmt: skip

    def close(self) -> Path:
        """Complete the bag; returns its folder."""
        self._writer.close()
        return self._path

    def _write(self, topic: str, time_ns: int, **fields: Any) -> None:
        connection, kind = self._connections[topic]
        message = self._types.types[kind](**fields)
        self._writer.write(connection, time_ns, self._types.serialize_cdr(message, kind))
