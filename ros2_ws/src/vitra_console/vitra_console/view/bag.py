"""A recorded bag as a Rerun recording."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rerun as rr
import yaml
from rosbags.highlevel import AnyReader

from vitra_console.view.recording import APPLICATION, RobotRecording
from vitra_description.calibration import Calibration, calibration_path, default_calibration, load_calibration
from vitra_policy.errors import VitraError

SHOWN = (
    "joint_states", "color/camera_info", "color/image_raw", "color/image_raw/compressed", "color/image_raw/video",
    "depth_to_color/image_raw", "depth_to_color/image_raw/compressed", "depth_to_color/image_raw/compressedDepth",
    "hand_action_chunk", "executor_state", "safety_state", "instruction", "diagnostics",
)  # fmt: skip
"""Ends of the topics that are shown."""


class ViewError(VitraError):
    """There is nothing to show, or no way to show it."""


def write_bag(bag: Path, out: Path, calibration: str = "", progress: Callable[[int, int], None] | None = None) -> int:
    """Write a bag as .rrd; returns the number of messages shown.

    Args:
        bag: rosbag2 folder.
        out: the .rrd file.
        calibration: name or path; empty: the one kept inside the bag.
        progress: called with (done, all).

    Raises:
        ViewError: no bag there.
    """
    stream = rr.RecordingStream(APPLICATION)
    out.parent.mkdir(parents=True, exist_ok=True)
    stream.save(str(out))
    try:
        return show_bag(stream, bag, calibration, progress)
    finally:
        stream.disconnect()


def show_bag(
    stream: rr.RecordingStream, bag: Path, calibration: str = "", progress: Callable[[int, int], None] | None = None
) -> int:
    """Send a bag into a recording; as `write_bag`.

    Args:
        stream: The Rerun recording.
        bag: Folder of the bag.
        calibration: Name or path; empty: the one inside the bag.
        progress: Hears messages sent and their number.

    Raises:
        ViewError: no bag is there.
    """
    if not (bag / "metadata.yaml").is_file():
        raise ViewError(f"{bag} is not a rosbag2 folder (no metadata.yaml). A folder like runs/demo/bag is one.")
    with AnyReader([bag]) as reader:
        recording = RobotRecording(stream, _calibration(bag, calibration))
        connections = [c for c in reader.connections if c.topic.endswith(SHOWN)]
        count, total = 0, sum(c.msgcount for c in connections)
        for connection, received_ns, raw in reader.messages(connections=connections):
            message = reader.deserialize(raw, connection.msgtype)
            recording.take(connection.topic.lstrip("/"), message, _time_s(message, received_ns))
            count += 1
            if progress is not None and count % 500 == 0:
                progress(count, total)
    return count


def _time_s(message: Any, received_ns: int) -> float:
    header = getattr(message, "header", None) or message
    stamp = getattr(header, "stamp", None) or getattr(header, "timestamp", None)
    return received_ns * 1e-9 if stamp is None or stamp.sec == 0 else stamp.sec + stamp.nanosec * 1e-9


def _calibration(bag: Path, name: str) -> Calibration:
    if name:
        return load_calibration(calibration_path(name))
    about = yaml.safe_load((bag / "metadata.yaml").read_text(encoding="utf-8"))["rosbag2_bagfile_information"]
    text = (about.get("custom_data") or {}).get("calibration_yaml")
    if not text:
        return default_calibration()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        return load_calibration(file.name)
