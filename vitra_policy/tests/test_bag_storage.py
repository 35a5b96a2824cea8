"""What is ours of a bag file: checksums, an index of its texts, and reading what rclpy writes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rosbags")
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_typestore

from vitra_policy.bag_storage import open_bag, parse_about, prepare_storage, write_about
from vitra_policy.cdr import deserialize

STRING, JOINTS = "std_msgs/msg/String", "sensor_msgs/msg/JointState"


@pytest.fixture(scope="module")
def types() -> Any:
    return get_typestore(Stores.ROS2_JAZZY)


def write(path: Path, types: Any, texts: list[dict[str, str]]) -> Path:
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        prepare_storage(writer.storage)
        connection = writer.add_connection("/words", STRING, typestore=types)
        for number, about in enumerate(texts):
            write_about(writer.storage, about)
            data = types.serialize_cdr(types.types[STRING](str(number)), STRING)
            writer.write(connection, number, bytes(data))
    return path


def records(data: bytes) -> list[tuple[int, int, bytes]]:
    """(kind, position, body) of every record of an MCAP file."""
    found, position = [], 8
    while position < len(data) - 8:
        size = int.from_bytes(data[position + 1 : position + 9], "little")
        found.append((data[position], position, data[position + 9 : position + 9 + size]))
        position += 9 + size
    return found


def test_every_metadata_record_is_indexed_and_counted(types: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "bag", types, [{"operator": "Ada"}, {"outcome": "saved"}])
    data = (path / "bag.mcap").read_bytes()
    found = records(data)
    metadata = {position: len(body) + 9 for kind, position, body in found if kind == 0x0C}
    assert len(metadata) == 3
    index = [struct.unpack_from("<QQ", body) for kind, _, body in found if kind == 0x0D]
    assert dict(index) == metadata
    (statistics,) = (body for kind, _, body in found if kind == 0x0B)
    assert struct.unpack_from("<QHIIIIQQ", statistics)[4] == 3
    abouts = [parse_about(body) for kind, _, body in found if kind == 0x0C]
    assert {"operator": "Ada"} in abouts


def test_the_summary_of_an_indexed_file_points_where_it_says(types: Any, tmp_path: Path) -> None:
    data = (write(tmp_path / "bag", types, [{"a": "b"}]) / "bag.mcap").read_bytes()
    found = records(data)
    kind_at = {position: kind for kind, position, _ in found}
    offsets = [(body[0], *struct.unpack_from("<QQ", body, 1)) for kind, _, body in found if kind == 0x0E]
    assert len(offsets) >= 4
    for kind, start, length in offsets:
        group = [position for k, position, body in found if k == kind and start <= position < start + length]
        assert kind_at[start] == kind
        assert group
    (footer,) = (body for kind, _, body in found if kind == 0x02)
    summary, summary_offsets, _ = struct.unpack("<QQI", footer)
    assert kind_at[summary_offsets] == 0x0E
    assert kind_at[summary] == 0x03
    with open_bag(tmp_path / "bag") as reader:
        assert [reader.deserialize(raw, c.msgtype).data for c, _, raw in reader.messages()] == ["0"]


def test_joint_states_with_empty_arrays_are_read_as_rclpy_writes_them(types: Any) -> None:
    none, seven = np.zeros(0), np.arange(7.0)
    header = types.types["std_msgs/msg/Header"](types.types["builtin_interfaces/msg/Time"](1, 2), "arm")
    for position, velocity, effort in ((none, none, none), (seven, none, none), (seven, seven, none)):
        message = types.types[JOINTS](header, ["a"] * len(position), position, velocity, effort)
        raw = bytes(types.serialize_cdr(message, JOINTS)) + b"\xaa" * 8  # room for alignment that was not needed
        with pytest.raises(SerdeError):
            types.deserialize_cdr(raw, JOINTS)
        read = deserialize(types, raw, JOINTS)
        np.testing.assert_array_equal(read.position, position)
        np.testing.assert_array_equal(read.effort, effort)
    with pytest.raises(SerdeError, match="mismatch"):
        deserialize(types, raw + bytes(100), JOINTS)
    with pytest.raises(SerdeError):
        deserialize(types, raw[:30], JOINTS)


def test_joint_states_of_rclpy_itself_are_read(types: Any) -> None:
    serialization = pytest.importorskip("rclpy.serialization")
    JointState = pytest.importorskip("sensor_msgs.msg").JointState  # noqa: N806
    for names in ([], ["a"], ["right_joint_1"] * 7):
        for position, velocity, effort in (([], [], []), ([1.0], [], []), ([1.0], [2.0], []), ([1.0], [], [3.0])):
            raw = serialization.serialize_message(
                JointState(name=names, position=position, velocity=velocity, effort=effort)
            )
            read = deserialize(types, raw, JOINTS)
            assert (read.name, read.position.tolist(), read.velocity.tolist(), read.effort.tolist()) == (
                names, position, velocity, effort,
            )  # fmt: skip
