from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vitra_description.calibration import default_calibration
from vitra_description.names import arm_joints, hand_joints
from vitra_policy.transforms import quaternion_from_matrix
from vitra_training.bags.content import read_bag
from vitra_training.datasets.convert import Format, convert
from vitra_training.datasets.episode import RobotEpisode
from vitra_training.datasets.errors import BrokenFileError, MissingKeyError
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.validate import validate_episode
from vitra_training.datasets.video import VideoReader

SECOND = 1_000_000_000


class BagMaker:
    """Writes a short bag of the right arm with the topics of docs/interfaces.md."""

    def __init__(self, repo_root: Path) -> None:
        self.types = get_typestore(Stores.ROS2_JAZZY)
        for name in ("ArmCommand", "HandCommand"):
            text = (repo_root / "ros2_ws" / "src" / "vitra_msgs" / "msg" / f"{name}.msg").read_text()
            self.types.register(get_types_from_msg(text, f"vitra_msgs/msg/{name}"))

    def make(self, kind: str, **fields: Any) -> Any:
        return self.types.types[kind](**fields)

    def header(self, t_ns: int, frame: str = "") -> Any:
        stamp = self.make("builtin_interfaces/msg/Time", sec=t_ns // SECOND, nanosec=t_ns % SECOND)
        return self.make("std_msgs/msg/Header", stamp=stamp, frame_id=frame)

    def write(self, path: Path, frames: int = 10, skip: tuple[str, ...] = ()) -> Path:
        with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            writer.set_custom_data("outcome", "saved")
            connections: dict[str, Any] = {}
            for topic, t_ns, message in sorted(self._messages(frames), key=lambda entry: entry[1]):
                if topic in skip:
                    continue
                kind = message.__msgtype__
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, kind, typestore=self.types)
                writer.write(connections[topic], t_ns, self.types.serialize_cdr(message, kind))
        return path

    def _messages(self, frames: int) -> Any:
        yield "/tf_static", 0, self._calibration()
        yield "/instruction", 1, self.make("std_msgs/msg/String", data="Pick up the cup.")
        for n in range(frames):
            t = SECOND + n * SECOND // 30
            image = np.full((48, 64, 3), 20 + 10 * n, dtype=np.uint8)
            yield (
                "/head_camera/color/image_raw",
                t,
                self.make(
                    "sensor_msgs/msg/Image",
                    header=self.header(t),
                    height=48,
                    width=64,
                    encoding="rgb8",
                    is_bigendian=0,
                    step=192,
                    data=image.reshape(-1),
                ),
            )
            yield "/head_camera/color/camera_info", t, self._camera_info(t)
        for n in range(frames * 7):
            t = SECOND - 20_000_000 + n * 5_000_000
            arm = np.linspace(0.1, 0.7, 7) + 0.01 * n
            yield "/right_arm/joint_states", t, self._joints(t, arm_joints("right")[::-1], arm[::-1])
            yield (
                "/right_arm/command",
                t,
                self.make(
                    "vitra_msgs/msg/ArmCommand",
                    header=self.header(t),
                    sequence=n,
                    epoch=1,
                    position_rad=arm + 0.1,
                    source=1,
                ),
            )
            hand = np.full(12, 0.01 * n)
            yield "/right_hand/joint_states", t, self._joints(t, hand_joints("right"), hand)
            yield (
                "/right_hand/command",
                t,
                self.make(
                    "vitra_msgs/msg/HandCommand",
                    header=self.header(t),
                    sequence=n,
                    epoch=1,
                    position_rad=hand + 0.2,
                    source=1,
                ),
            )

    def _joints(self, t: int, names: Any, values: np.ndarray) -> Any:
        empty = np.zeros(0)
        return self.make(
            "sensor_msgs/msg/JointState",
            header=self.header(t),
            name=list(names),
            position=np.ascontiguousarray(values),
            velocity=empty,
            effort=empty,
        )

    def _camera_info(self, t: int) -> Any:
        K = np.array([50.0, 0, 32, 0, 50, 24, 0, 0, 1])
        roi = self.make("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        return self.make(
            "sensor_msgs/msg/CameraInfo",
            header=self.header(t),
            height=48,
            width=64,
            distortion_model="plumb_bob",
            d=np.zeros(5),
            k=K,
            r=np.eye(3).reshape(-1),
            p=np.zeros(12),
            binning_x=0,
            binning_y=0,
            roi=roi,
        )

    def _calibration(self) -> Any:
        calibration = default_calibration()
        right = calibration.right
        poses = [
            ("base_link", "right_arm_base", right.base_from_arm_base),
            ("right_ee", "right_hand_link", right.ee_from_hand_base),
            ("right_hand_link", "right_hand_mount", right.hand_base_from_hand_mount),
            ("base_link", "head_camera_color_optical_frame", calibration.base_from_head_camera),
        ]
        transforms = []
        for parent, child, pose in poses:
            place = dict(zip("xyz", pose[:3, 3], strict=True))
            x, y, z, w = quaternion_from_matrix(pose[:3, :3])
            transforms.append(
                self.make(
                    "geometry_msgs/msg/TransformStamped",
                    header=self.header(0, parent),
                    child_frame_id=child,
                    transform=self.make(
                        "geometry_msgs/msg/Transform",
                        translation=self.make("geometry_msgs/msg/Vector3", **place),
                        rotation=self.make("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
                    ),
                )
            )
        return self.make("tf2_msgs/msg/TFMessage", transforms=transforms)


@pytest.fixture
def maker(repo_root: Path) -> BagMaker:
    return BagMaker(repo_root)


@pytest.fixture
def source(maker: BagMaker, tmp_path: Path) -> EpisodeSource:
    maker.write(tmp_path / "bags" / "episode_000001")
    maker.write(tmp_path / "bags" / "episode_000002.partial")
    return open_source(tmp_path / "bags")


def test_a_bag_is_an_episode_that_keeps_every_promise(source: EpisodeSource) -> None:
    assert source.ids == ["episode_000001"]
    report = validate_episode(source, 0)
    assert report.ok, report.findings
    episode = source.load(0).episode
    assert isinstance(episode, RobotEpisode)
    assert (episode.has_left, episode.has_right, len(episode)) == (False, True, 10)
    assert episode.instruction == "Pick up the cup."
    assert episode.fps == pytest.approx(30, abs=0.01)


def test_values_are_the_last_before_each_frame(source: EpisodeSource) -> None:
    episode = source.load(0).episode
    assert isinstance(episode, RobotEpisode)
    part = episode.sides["right"]
    for n in range(10):
        last = (20_000_000 + n * SECOND // 30) // 5_000_000
        assert part.hand_joint[n] == pytest.approx(np.full(12, 0.01 * last))
        assert part.hand_joint_target[n] == pytest.approx(np.full(12, 0.01 * last + 0.2))
        assert part.arm_joint[n] == pytest.approx(np.linspace(0.1, 0.7, 7) + 0.01 * last)


def test_images_keep_their_order(source: EpisodeSource) -> None:
    recording = source.load(0)
    with VideoReader(recording.video.path) as video:
        means = [float(video.rgb(int(n)).mean()) for n in recording.video.frames]
    assert means == pytest.approx([20 + 10 * n for n in range(10)], abs=2)


def test_compressed_images_are_read_in_rgb() -> None:
    from types import SimpleNamespace

    import cv2

    from vitra_policy.camera_messages.decode import image_of

    rgb = np.zeros((16, 16, 3), dtype=np.uint8)
    rgb[..., 0] = 200
    _, data = cv2.imencode(".jpg", rgb[..., ::-1])
    image = image_of(SimpleNamespace(format="rgb8; jpeg compressed bgr8", data=data))
    assert image[8, 8] == pytest.approx([200, 0, 0], abs=6)


def test_a_stale_side_is_invalid(maker: BagMaker, tmp_path: Path) -> None:
    times = np.array([0.5, 1.0, 5.0])
    content = read_bag(maker.write(tmp_path / "bag"), times)
    arm = content.joints["right_arm/joint_states"]
    assert (arm.fresh.tolist(), arm.known.tolist()) == ([False, True, False], [False, True, True])


def test_bags_become_teledata(source: EpisodeSource, tmp_path: Path) -> None:
    report = convert(source, tmp_path / "tele", Format.TELEDATA)
    assert report.failed == {}
    assert validate_episode(open_source(tmp_path / "tele"), 0).ok


@pytest.mark.parametrize(
    ("topic", "missing"),
    [
        ("/head_camera/color/image_raw", "image_raw"),
        ("/head_camera/color/camera_info", "camera_info"),
        ("/tf_static", "tf_static"),
    ],
)
def test_a_missing_stream_is_named(maker: BagMaker, tmp_path: Path, topic: str, missing: str) -> None:
    source = open_source(maker.write(tmp_path / "bag", skip=(topic,)))
    with pytest.raises(MissingKeyError, match=missing):
        source.load(0)


def test_a_truncated_bag_is_named(maker: BagMaker, tmp_path: Path) -> None:
    path = maker.write(tmp_path / "bag")
    data = next(path.glob("*.mcap"))
    data.write_bytes(data.read_bytes()[:5000])
    with pytest.raises(BrokenFileError, match="rosbag2"):
        open_source(path).load(0)
