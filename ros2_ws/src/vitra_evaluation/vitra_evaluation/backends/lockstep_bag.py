"""A small rosbag2 (MCAP) of a lockstep run, read by the same code as the robot's bags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ament_index_python.packages import get_package_share_directory
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vitra_description.names import arm_joints
from vitra_policy.action_space import SIDES
from vitra_policy.policies.policy import ActionChunk, Observation
from vitra_policy.transforms import quaternion_from_matrix

_MESSAGES = ("HandActionChunk", "SimState")
_CAMERA = "/head_camera/color"


def jpeg_of(image: NDArray[np.uint8]) -> bytes:
    """A JPEG of an image (H, W, 3) RGB."""
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1])


class LockstepBag:
    """Joints, chunks, ground truth, and the head camera where it is rendered; stamps are simulated time.

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
        self._connections: dict[str, tuple[Any, str]] = {}
        self._connect("/right_arm/joint_states", "sensor_msgs/msg/JointState")
        self._connect("/left_arm/joint_states", "sensor_msgs/msg/JointState")
        self._connect("/hand_action_chunk", "vitra_msgs/msg/HandActionChunk")
        self._connect("/sim/state", "vitra_msgs/msg/SimState")
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
        self.add_image(observation)

    def add_image(self, observation: Observation) -> None:
        """Write what the head camera sees, where it is rendered."""
        image = observation.image
        if image is None:
            return
        if f"{_CAMERA}/camera_info" not in self._connections:
            self._connect(f"{_CAMERA}/camera_info", "sensor_msgs/msg/CameraInfo")
            self._connect(f"{_CAMERA}/image_raw/compressed", "sensor_msgs/msg/CompressedImage")
        make, time_ns = self._types.types, round(observation.stamp_s * 1e9)
        header = make["std_msgs/msg/Header"](make["builtin_interfaces/msg/Time"](time_ns // 10**9, time_ns % 10**9), "")
        K, (height_px, width_px) = observation.intrinsics, image.shape[:2]
        self._write(
            f"{_CAMERA}/camera_info", time_ns, header=header, height=height_px, width=width_px,
            distortion_model="plumb_bob", d=np.zeros(5), k=K.ravel(), r=np.eye(3).ravel(),
            p=np.c_[K, np.zeros(3)].ravel(), binning_x=0, binning_y=0,
            roi=make["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
        )  # fmt: skip
        self._write(f"{_CAMERA}/image_raw/compressed", time_ns, header=header, format="jpeg",
                    data=np.frombuffer(jpeg_of(image), np.uint8))  # fmt: skip

    def close(self) -> Path:
        """Complete the bag; returns its folder."""
        self._writer.close()
        return self._path

    def _connect(self, topic: str, kind: str) -> None:
        self._connections[topic] = self._writer.add_connection(topic, kind, typestore=self._types), kind

    def _write(self, topic: str, time_ns: int, **fields: Any) -> None:
        connection, kind = self._connections[topic]
        message = self._types.types[kind](**fields)
        self._writer.write(connection, time_ns, self._types.serialize_cdr(message, kind))
