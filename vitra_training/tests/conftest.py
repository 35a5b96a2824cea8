"""Data sets that the tests make themselves."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vitra_description.calibration import calibration_path, default_calibration
from vitra_description.kinematics import ArmModel
from vitra_description.names import arm_joints, hand_joints
from vitra_policy.action_space import SIDES
from vitra_policy.bag_storage import prepare_storage, write_about
from vitra_policy.transforms import quaternion_from_matrix
from vitra_training.datasets.convert import Format, convert
from vitra_training.datasets.episode import RobotEpisode
from vitra_training.datasets.formats import teledata
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.video import VideoWriter
from vitra_training.synthetic.generate import SyntheticOptions, generate

cv2.setNumThreads(1)

EPISODES = 6


@pytest.fixture(scope="session")
def killed() -> Callable[[Callable[[], object]], None]:
    """Does work in a process of its own, which ends itself by kill -9 meanwhile."""

    def run(work: Callable[[], object]) -> None:
        process = os.fork()
        if process == 0:
            try:
                work()
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL

    return run


@pytest.fixture(scope="session")
def human_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six synthetic human episodes in the VITRA-1M format."""
    root = tmp_path_factory.mktemp("data") / "human"
    generate(root, SyntheticOptions(episodes=EPISODES, episodes_per_video=3, width_px=160, height_px=120, seed=4))
    return root


@pytest.fixture(scope="session")
def human(human_dir: Path) -> EpisodeSource:
    return open_source(human_dir)


@pytest.fixture(scope="session")
def store_dir(human: EpisodeSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same episodes in the canonical store."""
    root = tmp_path_factory.mktemp("data") / "store"
    report = convert(human, root, Format.CANONICAL)
    assert not report.failed
    return root


@pytest.fixture(scope="session")
def store(store_dir: Path) -> EpisodeSource:
    return open_source(store_dir)


@pytest.fixture(scope="session")
def robot_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two robot demonstrations in the TeleData format: one of both arms, one of the right arm."""
    root = tmp_path_factory.mktemp("data") / "robot"
    for number, sides in enumerate((SIDES, ("right",))):
        episode = make_robot_episode(f"demo{number}", sides, length=20 + number)
        teledata.write_episode(episode, root)
        with VideoWriter(root / f"{episode.id}.mp4", 160, 120, episode.fps) as video:
            for frame in range(len(episode)):
                video.add(np.full((120, 160, 3), 40 + 5 * frame, dtype=np.uint8))
    return root


@pytest.fixture(scope="session")
def robot(robot_dir: Path) -> EpisodeSource:
    return open_source(robot_dir)


def make_robot_episode(name: str, active: tuple[str, ...], length: int) -> RobotEpisode:
    """A slow joint motion with poses by forward kinematics and the simulator's calibration."""
    calibration, arm = default_calibration(), ArmModel()
    time = np.linspace(0, 1, length)[:, None]
    sides = {}
    for side in SIDES:
        if side not in active:
            sides[side] = teledata.absent_side(length)
            continue
        joints = np.array([0.2, 0.5, -0.3, 1.2, 0.1, 0.6, 0.0]) + 0.3 * time * np.arange(1, 8) / 7
        hand = np.full((length, 12), 0.1) + 0.5 * time
        sides[side] = teledata.make_side(
            base_from_ee=np.stack([arm.fk(q) for q in joints]),
            ee_from_hand_mount=np.asarray(calibration.side(side).ee_from_hand_mount),
            base_from_camera=np.linalg.inv(calibration.head_camera_from_arm_base(side)),
            joints=teledata.SideJoints(
                arm_joint=joints, hand_joint=hand, arm_joint_target=joints + 0.01, hand_joint_target=hand + 0.02
            ),
        )
    return RobotEpisode(
        id=name,
        instruction="Pick up the red cup.",
        fps=30.0,
        intrinsics=np.array([[110.0, 0, 80], [0, 110, 60], [0, 0, 1]]),
        sides=sides,
        has_left="left" in active,
        has_right="right" in active,
    )


@pytest.fixture(scope="session")
def robot_episodes() -> Callable[[str, tuple[str, ...], int], RobotEpisode]:
    return make_robot_episode


SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
RATES = {
    "/head_camera/color/image_raw": 30.0,
    "/right_arm/joint_states": 200.0,
    "/right_hand/joint_states": 100.0,
}


class EpisodeMaker:
    """An episode of the right arm: still, moving, still; raw images that change all the time."""

    def __init__(self, repo_root: Path) -> None:
        self.types = get_typestore(Stores.ROS2_JAZZY)
        for name in ("ArmCommand", "HandCommand"):
            text = (repo_root / "ros2_ws" / "src" / "vitra_msgs" / "msg" / f"{name}.msg").read_text()
            self.types.register(get_types_from_msg(text, f"vitra_msgs/msg/{name}"))
        self.about = {
            "instruction": "Wave.",
            "outcome": "saved",
            "declared_rates_hz": json.dumps(RATES),
            "calibration_yaml": calibration_path("sim").read_text(),
        }

    def make(self, kind: str, **fields: Any) -> Any:
        return self.types.types[kind](**fields)

    def header(self, t_ns: int, frame: str = "") -> Any:
        stamp = self.make("builtin_interfaces/msg/Time", sec=t_ns // SECOND, nanosec=t_ns % SECOND)
        return self.make("std_msgs/msg/Header", stamp=stamp, frame_id=frame)

    def messages(self, seconds: float = 4.0, still_s: float = 0.0) -> list[tuple[str, int, Any]]:
        """(topic, arrival ns, message), one millisecond after capture; at the end nothing moves for a while."""
        moving_s, seconds = seconds, seconds + still_s
        rng = np.random.default_rng(0)
        found = [
            ("/tf_static", START, self._calibration()),
            ("/instruction", START, self.make("std_msgs/msg/String", data="Wave.")),
        ]
        for n in range(int(seconds * 30)):
            t = START + round(n * SECOND / 30)
            pixels = rng.integers(0, 255, 16 * 32 * 3, dtype=np.uint8)
            found.append(("/head_camera/color/image_raw", t, self.image(t, pixels)))
            found.append(("/head_camera/color/camera_info", t, self._camera_info(t)))
        for n in range(int(seconds * 200)):
            t = START + n * SECOND // 200
            phase = np.clip((n / 200 - 0.5) / max(moving_s - 1.0, 0.1), 0, 1)
            arm = np.linspace(0.1, 0.7, 7) + 0.5 * np.sin(np.pi * phase) ** 2
            found.append(("/right_arm/joint_states", t, self.joints(t, arm_joints("right"), arm)))
            command = self.make(
                "vitra_msgs/msg/ArmCommand", header=self.header(t), sequence=n, epoch=1, position_rad=arm, source=1
            )
            found.append(("/right_arm/command", t, command))
            if n % 2 == 0:
                hand = np.full(12, 0.2 + 0.1 * phase)
                found.append(("/right_hand/joint_states", t, self.joints(t, hand_joints("right"), hand)))
        return [
            (topic, t + (SECOND // 1000 if t > START else 0), m) for topic, t, m in sorted(found, key=lambda e: e[1])
        ]

    def write(self, path: Path, messages: list[tuple[str, int, Any]] | None = None, about: Any = None) -> Path:
        """A finished bag."""
        with self.begin(path, about) as writer:
            self.add(writer, self.messages() if messages is None else messages)
        return path

    def begin(self, path: Path, about: Any = None) -> Writer:
        writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        about = self.about if about is None else about
        for key, value in about.items():
            writer.set_custom_data(key, value)
        writer.open()
        prepare_storage(writer.storage)
        write_about(writer.storage, about)
        writer.open = lambda: None  # type: ignore[method-assign]  # so that it can be used in `with`
        return writer

    def add(self, writer: Writer, messages: list[tuple[str, int, Any]], every: int = 400) -> None:
        connections: dict[str, Any] = {}
        for count, (topic, t, message) in enumerate(messages):
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=self.types)
            writer.write(connections[topic], t, self.types.serialize_cdr(message, kind))
            if count % every == every - 1:
                writer.storage.close_chunk()  # type: ignore[union-attr]
                writer.storage.bio.flush()  # type: ignore[union-attr]

    def image(self, t: int, pixels: np.ndarray) -> Any:
        return self.make(
            "sensor_msgs/msg/Image", header=self.header(t), height=16, width=32, encoding="rgb8", is_bigendian=0,
            step=96, data=pixels,
        )  # fmt: skip

    def joints(self, t: int, names: Any, values: np.ndarray) -> Any:
        empty = np.zeros(0)
        return self.make(
            "sensor_msgs/msg/JointState", header=self.header(t), name=list(names),
            position=np.ascontiguousarray(values), velocity=empty, effort=empty,
        )  # fmt: skip

    def _camera_info(self, t: int) -> Any:
        roi = self.make("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        return self.make(
            "sensor_msgs/msg/CameraInfo", header=self.header(t), height=16, width=32, distortion_model="plumb_bob",
            d=np.zeros(5), k=np.array([25.0, 0, 16, 0, 25, 8, 0, 0, 1]), r=np.eye(3).reshape(-1), p=np.zeros(12),
            binning_x=0, binning_y=0, roi=roi,
        )  # fmt: skip

    def _calibration(self) -> Any:
        calibration = default_calibration()
        transforms = []
        edges = []
        for side in reversed(SIDES):
            mounted = calibration.side(side)
            edges += [
                ("base_link", f"{side}_arm_base", mounted.base_from_arm_base),
                (f"{side}_ee", f"{side}_hand_link", mounted.ee_from_hand_base),
                (f"{side}_hand_link", f"{side}_hand_mount", mounted.hand_base_from_hand_mount),
            ]
        edges.append(("base_link", "head_camera_color_optical_frame", calibration.base_from_head_camera))
        for parent, child, pose in edges:
            x, y, z, w = quaternion_from_matrix(pose[:3, :3])
            transforms.append(
                self.make(
                    "geometry_msgs/msg/TransformStamped",
                    header=self.header(0, parent),
                    child_frame_id=child,
                    transform=self.make(
                        "geometry_msgs/msg/Transform",
                        translation=self.make(
                            "geometry_msgs/msg/Vector3", **dict(zip("xyz", pose[:3, 3], strict=True))
                        ),
                        rotation=self.make("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
                    ),
                )  # fmt: skip
            )
        return self.make("tf2_msgs/msg/TFMessage", transforms=transforms)


@pytest.fixture(scope="session")
def episodes(repo_root: Path) -> EpisodeMaker:
    return EpisodeMaker(repo_root)
