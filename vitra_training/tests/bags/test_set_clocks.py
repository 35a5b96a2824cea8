"""Bags in which time goes back, for a clock was set or parts were mixed up: they are named, and stop no command."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from bag_findings import SECOND, findings

from vitra_training import cli_data
from vitra_training.bags.check import check_bag
from vitra_training.bags.errors import NotOneRecordingError
from vitra_training.bags.repair import repair_bag
from vitra_training.cli_bag import main


def set_back(episodes: Any, seconds: float, *topics: str) -> list[tuple[str, int, Any]]:
    """An episode of 4 s in whose middle the clock that stamps some topics is set back."""
    messages = []
    for topic, t, message in episodes.messages(4.0):
        if hasattr(message, "header") and topic.endswith(topics) and len(messages) > 1120:
            stamp = message.header.stamp.sec * SECOND + message.header.stamp.nanosec - round(seconds * SECOND)
            message = dataclasses.replace(message, header=episodes.header(stamp))
        messages.append((topic, t, message))
    return messages


@pytest.mark.parametrize("seconds", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("topics", [("arm/joint_states",), ("joint_states", "command", "image_raw", "camera_info")])
def test_a_clock_that_is_set_back_is_an_error_and_keeps_no_other_bag_from_its_check(
    seconds: float, topics: tuple[str, ...], episodes: Any, tmp_path: Path
) -> None:
    episodes.write(tmp_path / "set/back", set_back(episodes, seconds, *topics))
    episodes.write(tmp_path / "set/good", episodes.messages(2.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        report, _ = check_bag(tmp_path / "set/back")
        assert [one for one in findings(tmp_path / "set/back") if "stamps do not increase" in one]
    assert not report.ok
    assert main(["check", str(tmp_path / "set")]) == 1
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "out"), "--formats", "teledata"]) == 1
    assert [path.stem for path in (tmp_path / "out/teledata").glob("*.h5")] == ["good"]
    assert cli_data.main(["validate", str(tmp_path / "set")]) == 1


def test_stamps_to_and_fro_are_named_without_a_warning_of_numpy(episodes: Any, tmp_path: Path) -> None:
    messages, back = [], itertools.cycle((0, 12_000_000, 24_000_000))
    for topic, t, message in episodes.messages(2.0):
        if topic.endswith("arm/joint_states"):
            message = dataclasses.replace(message, header=episodes.header(t - next(back)))
        messages.append((topic, t, message))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert any("stamps do not increase" in one for one in findings(episodes.write(tmp_path / "bag", messages)))


def in_parts(episodes: Any, bag: Path, names: list[str], repeated: int = 0) -> Path:
    """A recording of 4 s in two files, which its metadata name in this order; the second one repeats some messages."""
    messages, described = episodes.messages(4.0), []
    messages[1121:1121] = messages[:repeated]
    bag.mkdir()
    for number, part_of in enumerate((messages[:1121], messages[1121:])):
        part = episodes.write(bag.parent / f"part_{number}", part_of)
        described.append(yaml.safe_load((part / "metadata.yaml").read_text())["rosbag2_bagfile_information"])
        (part / f"part_{number}.mcap").rename(bag / f"{bag.name}_{number}.mcap")
    whole, second = described
    whole |= {"relative_file_paths": names, "message_count": len(messages)}
    whole["files"] = [{**whole["files"][0], "path": name} for name in names]
    for topic, other in zip(*(one["topics_with_message_count"] for one in described), strict=False):
        topic["message_count"] += other["message_count"]
    whole["duration"]["nanoseconds"] += second["duration"]["nanoseconds"]
    (bag / "metadata.yaml").write_text(yaml.safe_dump({"rosbag2_bagfile_information": whole}))
    return bag


def test_parts_in_the_wrong_order_are_named_and_nothing_is_made_of_them(episodes: Any, tmp_path: Path) -> None:
    bag = in_parts(episodes, tmp_path / "ep", ["ep_0.mcap", "ep_1.mcap"])
    (bag / "ep_0.mcap").rename(bag / "first")
    (bag / "ep_1.mcap").rename(bag / "ep_0.mcap")
    (bag / "first").rename(bag / "ep_1.mcap")
    assert "not in the order of their times" in findings(bag)[0]
    with pytest.raises(NotOneRecordingError, match="ep_1.mcap begins 3.9 s before ep_0.mcap ends"):
        repair_bag(bag)
    assert main(["convert", str(bag), str(tmp_path / "out")]) == 1


def test_parts_in_the_right_order_are_good_as_they_are(episodes: Any, tmp_path: Path) -> None:
    report, _ = check_bag(in_parts(episodes, tmp_path / "ep", ["ep_0.mcap", "ep_1.mcap"]))
    assert report.ok, report.findings


def test_what_is_latched_may_be_repeated_in_a_new_part_with_its_old_time(episodes: Any, tmp_path: Path) -> None:
    bag = in_parts(episodes, tmp_path / "ep", ["ep_0.mcap", "ep_1.mcap"], repeated=2)
    assert [topic for topic, *_ in episodes.messages(4.0)[:2]] == ["/tf_static", "/instruction"]
    report, _ = check_bag(bag)
    assert report.ok, report.findings
    assert repair_bag(bag).original is None
    assert main(["trim", str(bag), str(tmp_path / "cut"), "--begin-s", "1.0"]) == 0
    assert main(["convert", str(bag), str(tmp_path / "out"), "--formats", "teledata"]) == 0
