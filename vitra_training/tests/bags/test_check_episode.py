"""What a conversion refuses the check of the bag names, by the same promises, and what it passes is converted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_findings import Messages, errors, of_topic

from vitra_training.bags.check import check_bag
from vitra_training.bags.episodes import BagEpisodes
from vitra_training.cli_bag import main
from vitra_training.datasets.convert import Format, convert_all
from vitra_training.datasets.findings import Level
from vitra_training.datasets.validate import validate_episode


def turn_arm(rad: float) -> Any:
    def spoil(messages: Messages) -> None:
        for message in of_topic(messages, "arm/joint_states"):
            message.position = message.position + rad

    return spoil


def set_intrinsics(*k: float) -> Any:
    def spoil(messages: Messages) -> None:
        for message in of_topic(messages, "camera_info"):
            message.k = np.array(k)

    return spoil


def command_nan(messages: Messages) -> None:
    for message in of_topic(messages, "arm/command", from_s=0.5):
        message.position_rad = np.full(7, np.nan)


def tf_scaled(scale: float) -> Any:
    def spoil(messages: Messages) -> None:
        for transform in of_topic(messages, "tf_static")[0].transforms:
            for axis in "xyz":
                setattr(transform.transform.translation, axis, getattr(transform.transform.translation, axis) * scale)

    return spoil


def tf_without_rotation(messages: Messages) -> None:
    for transform in of_topic(messages, "tf_static")[0].transforms:
        for axis in "xyzw":
            setattr(transform.transform.rotation, axis, 0.0)


FAULTS = {
    "joints of 17 rad": turn_arm(17.0),
    "joints of 1e6 rad": turn_arm(1e6),
    "commands of NaN": command_nan,
    "intrinsics of zeros": set_intrinsics(*[0.0] * 9),
    "intrinsics of NaN": set_intrinsics(*[np.nan] * 9),
    "intrinsics of another size": set_intrinsics(500.0, 0, 320, 0, 500, 240, 0, 0, 1),
    "frames in millimetres": tf_scaled(1e3),
    "frames of NaN": tf_scaled(np.nan),
    "rotations of zeros": tf_without_rotation,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_validation_refuses_the_check_of_the_bag_names_and_conversion_leaves_out(
    fault: str, episodes: Any, tmp_path: Path
) -> None:
    messages = episodes.messages(2.0)
    FAULTS[fault](messages)
    about = {key: text for key, text in episodes.about.items() if key != "calibration_yaml"}
    path = episodes.write(tmp_path / "bag", messages, about)
    source = BagEpisodes(tmp_path, [path])
    refused = {f.check for f in validate_episode(source, 0).findings if f.level is Level.ERROR}
    found = {f.check for f in check_bag(path)[0].findings if f.level is Level.ERROR}
    assert refused
    assert refused <= found
    report = convert_all(source, {Format.TELEDATA: tmp_path / "out"}, demanding=True)[Format.TELEDATA]
    assert (report.converted, list(report.failed)) == (0, ["bag"])
    assert main(["convert", str(path), str(tmp_path / "all"), "--formats", "teledata"]) == 1
    assert not (tmp_path / "all").exists()
    assert main(["convert", str(path), str(tmp_path / "all"), "--formats", "teledata", "--unchecked"]) == 0


def rename(change: Any) -> Any:
    def spoil(messages: Messages) -> None:
        for message in of_topic(messages, "arm/joint_states"):
            change(message)

    return spoil


def of_the_other_side(message: Any) -> None:
    message.name = [name.replace("right", "left") for name in message.name]


def one_twice(message: Any) -> None:
    message.name = [*message.name, message.name[2]]
    message.position = np.append(message.position, 0.3)


def one_lacks(message: Any) -> None:
    message.name, message.position = message.name[:6], message.position[:6]


@pytest.mark.parametrize("change", [of_the_other_side, one_twice, one_lacks])
def test_joints_that_no_conversion_can_take_are_an_error(change: Any, episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(1.0)
    rename(change)(messages)
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert any("error joint names: right_arm/joint_states: 200 messages (100%) do not name all 7" in f for f in found)
    assert any(f.startswith("error conversion:") for f in found)


def test_two_messages_without_a_joint_are_left_out_with_a_warning(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    for message in of_topic(messages, "arm/joint_states")[50:52]:
        one_twice(message)
    found = check_bag(episodes.write(tmp_path / "bag", messages))[0]
    assert found.ok
    assert [f.check for f in found.findings] == ["joint names"]


def test_frames_that_lead_in_a_circle_end_in_a_finding(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(1.0)
    edges = of_topic(messages, "tf_static")[0].transforms
    for edge in edges:
        if edge.child_frame_id == "head_camera_color_optical_frame":
            edge.header.frame_id = "right_arm_base"
        elif edge.child_frame_id == "right_arm_base":
            edge.header.frame_id = "head_camera_color_optical_frame"
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert any("/tf_static: base_link -> head_camera_color_optical_frame' is missing" in f for f in found)


def test_a_good_bag_breaks_no_promise_and_is_converted(episodes: Any, tmp_path: Path) -> None:
    path = episodes.write(tmp_path / "bag", episodes.messages(2.0))
    assert check_bag(path)[0].findings == ()
    report = convert_all(BagEpisodes(tmp_path, [path]), {Format.TELEDATA: tmp_path / "out"}, demanding=True)
    assert report[Format.TELEDATA].converted == 1
