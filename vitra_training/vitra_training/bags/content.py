"""A bag read frame by frame: joints aligned to times, static frames, words; images one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vitra_description.names import arm_joints, hand_joints
from vitra_policy.action_space import SIDES, Side
from vitra_policy.bag_storage import open_bag
from vitra_policy.camera_messages.decode import Image
from vitra_policy.camera_messages.video import ImageDecoder, base_topic
from vitra_policy.transforms import make_pose, matrix_from_quaternion
from vitra_training.bags.aligned import AlignedStream
from vitra_training.bags.streams import stamp_ns_of
from vitra_training.datasets.episode import Array
from vitra_training.datasets.errors import BrokenFileError

IMAGE_TOPIC = "head_camera/color/image_raw"
CAMERA_INFO_TOPIC = "head_camera/color/camera_info"
INSTRUCTION_TOPIC = "instruction"


@dataclass(slots=True)
class BagContent:
    """The streams of a bag that an episode needs, at given times; images stay on the disk."""

    times_s: Array
    """(T,)."""
    joints: dict[str, AlignedStream]
    """Topic without its leading slash -> values in canonical joint order."""
    frames: dict[str, tuple[str, Array]] = field(default_factory=dict)
    """Child frame -> (parent, parent_from_child)."""
    intrinsics: Array | None = None
    size_px: tuple[int, int] = (0, 0)
    """Width and height that the camera reports."""
    instruction: str = ""
    unusable: Counter[str] = field(default_factory=Counter)
    """Topic -> messages without the joints they should have."""

    def has(self, side: Side) -> bool:
        """Whether an arm and its hand are heard."""
        return not any(self.joints[f"{side}_{part}/joint_states"].is_empty for part in ("arm", "hand"))

    @property
    def heard(self) -> list[str]:
        """Joint topics with samples."""
        return sorted(topic for topic, stream in self.joints.items() if not stream.is_empty)


def read_bag(path: Path, times_s: Array | None = None) -> BagContent:
    """Read a bag directory (rosbag2, MCAP or SQLite), without its images.

    Args:
        path: the bag.
        times_s: (T,) increasing times at which joints are wanted; default those of the images.

    Raises:
        BrokenFileError: not a bag, or truncated.
    """
    times_s = image_times(path) if times_s is None else times_s
    content = BagContent(
        times_s, {topic: AlignedStream(times_s, len(names)) for topic, names in _TOPICS.items() if names}
    )
    for topic, message in _messages(path, lambda topic: topic in _TOPICS):
        _take(content, topic, message)
    for stream in content.joints.values():
        stream.finish()
    return content


def image_times(path: Path) -> Array:
    """(N,) capture times of a bag's images, increasing; images that are stamped before an earlier one do not count.

    Raises:
        BrokenFileError: not a bag, or truncated.
    """
    return np.array([time_s for time_s, _ in _camera(path, decode=False)])


def images(path: Path) -> Iterator[tuple[float, Image | None]]:
    """(time, RGB image) of each of the `image_times`, one at a time; None for one that cannot be decoded.

    Raises:
        BrokenFileError: not a bag, or truncated.
    """
    decode = ImageDecoder()
    for time_s, message in _camera(path, decode=True):
        yield time_s, decode(message)


def _messages(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Any]]:
    """(topic without its leading slash, message) of the wanted topics."""
    try:
        with open_bag(path) as reader:
            connections = [c for c in reader.connections if wanted(c.topic.lstrip("/"))]
            for connection, _, raw in reader.messages(connections) if connections else ():
                yield connection.topic.lstrip("/"), reader.deserialize(raw, connection.msgtype)
    except Exception as cause:  # rosbags raises a different error for every way a bag can be broken
        raise BrokenFileError(path, "rosbag2 directory", f"{type(cause).__name__}: {cause}") from None


def _camera(path: Path, decode: bool) -> Iterator[tuple[float, Any]]:
    """(time, message or None) of the head camera, in the form that most of its images have."""
    try:
        with open_bag(path) as reader:
            cameras = [c for c in reader.connections if base_topic(c.topic) == IMAGE_TOPIC]
            camera = max(cameras, key=lambda c: int(c.msgcount), default=None)
            newest_ns = -1
            for connection, _, raw in reader.messages([camera]) if camera else ():
                stamp_ns = stamp_ns_of(raw)
                if stamp_ns > newest_ns:
                    newest_ns = stamp_ns
                    # Rounded as the policy node rounds it.
                    yield stamp_ns * 1e-9, reader.deserialize(raw, connection.msgtype) if decode else None
    except Exception as cause:
        raise BrokenFileError(path, "rosbag2 directory", f"{type(cause).__name__}: {cause}") from None


def _take(content: BagContent, topic: str, message: Any) -> None:
    if topic == "tf_static":
        for transform in message.transforms:
            t, q = transform.transform.translation, transform.transform.rotation
            pose = make_pose([t.x, t.y, t.z], matrix_from_quaternion([q.x, q.y, q.z, q.w]))
            content.frames[transform.child_frame_id] = (transform.header.frame_id, pose)
    elif topic == INSTRUCTION_TOPIC:
        content.instruction = message.data or content.instruction
    elif topic == CAMERA_INFO_TOPIC:
        content.intrinsics = np.array(message.k, dtype=np.float64).reshape(3, 3)
        content.size_px = (message.width, message.height)
    elif (values := _in_order(topic, message)) is None:
        content.unusable[topic] += 1
    else:
        stamp = message.header.stamp
        content.joints[topic].add((int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)) * 1e-9, values)


def _in_order(topic: str, message: Any) -> Array | None:
    """Joints of a message in canonical order; None where it lacks some."""
    names = _TOPICS[topic]
    values = np.array(getattr(message, "position_rad", getattr(message, "position", ())), dtype=np.float64)
    if hasattr(message, "name"):
        where = {name: i for i, name in enumerate(message.name)}
        rows = [where.get(name, len(values)) for name in names]
        return values[rows] if max(rows) < len(values) else None
    return values if len(values) == len(names) else None


_TOPICS: dict[str, tuple[str, ...]] = {
    "tf_static": (),
    INSTRUCTION_TOPIC: (),
    CAMERA_INFO_TOPIC: (),
    **{f"{side}_arm/{kind}": arm_joints(side) for side in SIDES for kind in ("joint_states", "command")},
    **{f"{side}_hand/{kind}": hand_joints(side) for side in SIDES for kind in ("joint_states", "command")},
}
"""Topic -> joint names in canonical order; images are read apart."""
