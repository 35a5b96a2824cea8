"""The Rerun recording of a bag that the test makes, and the robot's meshes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

pytest.importorskip("rerun", reason="Rerun is not installed (requirements/view.txt; needs numpy 2)")

from vitra_console.view.bag import ViewError, write_bag
from vitra_console.view.recording import RobotRecording
from vitra_console.view.robot_mesh import Posture, link_meshes
from vitra_description.calibration import default_calibration
from vitra_description.description import robot_description
from vitra_description.kinematics import ArmModel
from vitra_description.names import arm_joints, hand_mount


class Log:
    """Stands for a recording stream; remembers what was logged where."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, Any]] = []

    def log(self, path: str, what: Any, static: bool = False) -> None:
        self.rows.append((path, what))

    def set_time(self, *_: Any, **__: Any) -> None: ...

    def send_blueprint(self, _: Any) -> None: ...

    def of(self, path: str) -> list[Any]:
        return [what for where, what in self.rows if where == path]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def recording(log: Log) -> RobotRecording:
    return RobotRecording(log, default_calibration())  # type: ignore[arg-type]


def joints(angle: float) -> SimpleNamespace:
    return SimpleNamespace(name=list(arm_joints("right")), position=[angle] * 7)


def test_the_executed_path_is_the_wrist_of_the_kinematics(recording: RobotRecording, log: Log) -> None:
    for i in range(3):
        recording.take("right_arm/joint_states", joints(0.1 * i), 1.0 + 0.1 * i)
    strips = log.of("world/paths/right_executed")[-1]
    points = np.asarray(strips.strips.as_arrow_array().to_pylist()[0])
    calibration = default_calibration()
    arm = ArmModel(side=calibration.side("right"))
    expected = [(calibration.side("right").base_from_arm_base @ arm.wrist_pose([0.1 * i] * 7))[:3, 3] for i in range(3)]
    np.testing.assert_allclose(points, expected, atol=1e-5)


def test_the_predicted_path_stands_in_the_world_where_the_camera_saw_it(recording: RobotRecording, log: Log) -> None:
    actions, observed = np.zeros((4, 102)), np.zeros(102)
    observed[51:54] = [0.0, 0.0, 0.5]
    actions[:, 51] = 0.1
    chunk = SimpleNamespace(
        actions=actions.ravel(), observed=observed, left_valid=False, right_valid=True, inference_s=0.05
    )
    recording.take("hand_action_chunk", chunk, 1.0)
    points = np.asarray(log.of("world/paths/right_predicted")[0].strips.as_arrow_array().to_pylist()[0])
    camera = default_calibration().base_from_head_camera
    np.testing.assert_allclose(points[0], (camera @ [0, 0, 0.5, 1])[:3], atol=1e-5)
    np.testing.assert_allclose(points[-1] - points[0], 0.4 * camera[:3, 0], atol=1e-5)
    assert not log.of("world/paths/left_predicted")
    assert log.of("plots/delay/inference_ms")


def test_a_safety_event_is_written_once_with_its_mend(recording: RobotRecording, log: Log) -> None:
    stop = SimpleNamespace(state=2, stop_cause="operator_stop", stop_source="operator", stop_detail="")
    for at_s in (1.0, 2.0, 3.0):
        recording.take("safety_state", stop, at_s)
    assert len(log.of("events")) == 1
    assert "re-arm" in str(log.of("events")[0].text.as_arrow_array())


def test_depth_is_thinned_out_and_colour_is_not_taken_for_depth(recording: RobotRecording, log: Log) -> None:
    depth = SimpleNamespace(height=4, width=6, step=16, data=np.full(32, 900, np.uint16).tobytes())
    colour = SimpleNamespace(height=4, width=6, step=18, encoding="rgb8", data=bytes(72))
    for i in range(30):
        recording.take("head_camera/aligned_depth_to_color/image_raw", depth, 1 + i / 30)
        recording.take("head_camera/color/image_raw", colour, 1 + i / 30)
    assert len(log.of("world/head_camera/lens/depth")) == 5
    assert len(log.of("world/head_camera/lens/colour")) == 30


def test_raw_images_keep_their_colours_and_others_are_named_once(recording: RobotRecording, log: Log) -> None:
    rows = np.zeros((8, 3 * 16 + 5), np.uint8)
    rows[:, 2:48:3] = 200  # red, in BGR, in rows with padding
    fields = {"height": 8, "width": 16, "step": 53, "data": rows.tobytes()}
    recording.take("head_camera/color/image_raw", SimpleNamespace(encoding="bgr8", **fields), 1.0)
    jpeg = np.asarray(log.of("world/head_camera/lens/colour")[0].blob.as_arrow_array()[0].values)
    np.testing.assert_allclose(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[4, 8], [0, 0, 200], atol=4)
    for at_s in (2.0, 3.0):
        recording.take("head_camera/color/image_raw", SimpleNamespace(encoding="yuv422", **fields), at_s)
    assert len(log.of("events")) == 1
    assert "yuv422" in str(log.of("events")[0].text.as_arrow_array())


def test_meshes_enclose_what_the_urdf_says() -> None:
    meshes = link_meshes(robot_description())
    palm = meshes["right_hand_link"]
    assert palm.triangles.max() < len(palm.vertices_m) == len(palm.normals) == len(palm.colours)
    np.testing.assert_allclose(np.linalg.norm(palm.normals, axis=1), 1.0, atol=1e-5)
    assert {"base_link", "right_link_1", "left_hand_pinky_link2"} <= set(meshes)
    a, b, c = (palm.vertices_m[palm.triangles[:, i]] for i in range(3))
    outwards = np.einsum("ij,ij->i", np.cross(b - a, c - a), palm.normals[palm.triangles[:, 0]])
    assert np.all(outwards >= -1e-12)


def test_a_joint_of_another_robot_is_passed_over() -> None:
    posture = Posture(robot_description())
    posture.set({"spam_joint": 1.0})
    posture.update()
    assert posture.base_from(hand_mount("right")).shape == (4, 4)


def write_sample_bag(path: Path) -> None:
    types = get_typestore(Stores.ROS2_JAZZY)
    make = types.types
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        kinds = {"/right_arm/joint_states": "JointState", "/head_camera/color/image_raw/compressed": "CompressedImage"}
        connections = {
            topic: writer.add_connection(topic, f"sensor_msgs/msg/{kind}", typestore=types)
            for topic, kind in kinds.items()
        }
        jpeg = cv2.imencode(".jpg", np.zeros((24, 32, 3), np.uint8))[1].ravel()
        for i in range(20):
            ns = 10**9 + i * 50_000_000
            header = make["std_msgs/msg/Header"](make["builtin_interfaces/msg/Time"](ns // 10**9, ns % 10**9), "")
            state = make["sensor_msgs/msg/JointState"](
                header, list(arm_joints("right")), np.full(7, 0.01 * i), np.zeros(0), np.zeros(0)
            )
            image = make["sensor_msgs/msg/CompressedImage"](header, "rgb8; jpeg compressed bgr8", jpeg)
            for topic, message in zip(connections, (state, image), strict=True):
                kind = f"sensor_msgs/msg/{kinds[topic]}"
                writer.write(connections[topic], ns, types.serialize_cdr(message, kind))


def test_a_bag_becomes_a_file_that_rerun_itself_verifies(tmp_path: Path) -> None:
    write_sample_bag(tmp_path / "bag")
    out = tmp_path / "out.rrd"
    assert write_bag(tmp_path / "bag", out) == 40
    command = [sys.executable, "-m", "rerun", "rrd", "verify", str(out)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr


def test_what_is_no_bag_is_told_with_an_example(tmp_path: Path) -> None:
    with pytest.raises(ViewError, match="runs/demo/bag"):
        write_bag(tmp_path, tmp_path / "out.rrd")
