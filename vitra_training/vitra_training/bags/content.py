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
from vitra_policy.camera_messages.video import ImageDecoder
from vitra_policy.transforms import make_pose, matrix_from_quaternion
from vitra_training.bags.aligned import AlignedStream
from vitra_training.bags.frames import difference
from vitra_training.bags.image_forms import names_of
from vitra_training.bags.streams import stamp_ns_of
from vitra_training.datasets.episode import Array
from vitra_training.datasets.errors import BrokenFileError

IMAGE_TOPIC = "head_camera/color/image_raw"
CAMERA_INFO_TOPIC = "head_camera/color/camera_info"
INSTRUCTION_TOPIC = "instruction"
_CHANGES = 50


@dataclass(frozen=True, slots=True)
class Change:
    """Something that holds for a whole episode, and of which a later message said something else."""

    name: str
    """`INSTRUCTION_TOPIC`, `CAMERA_INFO_TOPIC` or a child frame."""
    at_s: float
    """When that message arrived, since the epoch."""
    before: str
    after: str


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
    distortion: tuple[str, tuple[float, ...]] = ("", ())
    """Model of the lens and its coefficients, as the camera reports them."""
    instruction: str = ""
    unusable: Counter[str] = field(default_factory=Counter)
    """Topic -> messages without the joints they should have."""
    not_finite: Counter[str] = field(default_factory=Counter)
    """Topic -> messages with NaN or infinity."""
    changes: list[Change] = field(default_factory=list)
    """The first ones, in order of arrival."""

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
        times_s, {topic: AlignedStream(times_s, len(names)) for topic, names in TOPICS.items() if names}
    )
    for topic, arrival_s, message in _messages(path, lambda topic: topic in TOPICS):
        _take(content, topic, arrival_s, message)
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


def _messages(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, float, Any]]:
    """(topic without its leading slash, arrival s, message) of the wanted topics."""
    try:
        with open_bag(path) as reader:
            connections = [c for c in reader.connections if wanted(c.topic.lstrip("/"))]
            for connection, arrival_ns, raw in reader.messages(connections) if connections else ():
                message = reader.deserialize(raw, connection.msgtype)
                yield connection.topic.lstrip("/"), arrival_ns * 1e-9, message
    except Exception as cause:  # rosbags raises a different error for every way a bag can be broken
        raise BrokenFileError(path, "rosbag2 directory", f"{type(cause).__name__}: {cause}") from None


def _camera(path: Path, decode: bool) -> Iterator[tuple[float, Any]]:
    """(time, message or None) of the head camera, in the form that is used (`image_forms`)."""
    try:
        with open_bag(path) as reader:
            names = names_of(reader.connections)
            cameras = [c for c in reader.connections if names[c.topic] == IMAGE_TOPIC]
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


def _take(content: BagContent, topic: str, arrival_s: float, message: Any) -> None:
    if topic == "tf_static":
        for transform in message.transforms:
            t, q = transform.transform.translation, transform.transform.rotation
            with np.errstate(all="ignore"):  # a quaternion of zeros becomes NaN, which the check names
                pose = make_pose([t.x, t.y, t.z], matrix_from_quaternion([q.x, q.y, q.z, q.w]))
            _take_frame(content, transform.child_frame_id, (transform.header.frame_id, pose), arrival_s)
    elif topic == INSTRUCTION_TOPIC:
        if message.data and content.instruction not in ("", message.data):
            _note(content, Change(topic, arrival_s, content.instruction, message.data))
        content.instruction = message.data or content.instruction
    elif topic == CAMERA_INFO_TOPIC:
        K, size_px = np.array(message.k, dtype=np.float64).reshape(3, 3), (message.width, message.height)
        known = content.intrinsics
        if known is not None and np.array_equal(K, known, equal_nan=True) and size_px == content.size_px:
            return
        if known is not None:
            said = (_camera_words(*each) for each in ((known, content.size_px), (K, size_px)))
            _note(content, Change(topic, arrival_s, *said))
        content.intrinsics, content.size_px = K, size_px
        content.distortion = (message.distortion_model, tuple(map(float, message.d)))
    elif (values := _in_order(topic, message)) is None:
        content.unusable[topic] += 1
    else:
        stamp = message.header.stamp
        content.not_finite[topic] += not np.isfinite(values).all()
        content.joints[topic].add((int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)) * 1e-9, values)


def _take_frame(content: BagContent, child: str, frame: tuple[str, Array], arrival_s: float) -> None:
    """A frame that is latched anew, as when its publisher starts again, is no change while it says the same."""
    if (known := content.frames.get(child)) is not None:
        apart = difference(known[1], frame[1])
        if apart or known[0] != frame[0]:
            _note(content, Change(child, arrival_s, f"in {known[0]}", f"{apart or 'the same pose'} off, in {frame[0]}"))
    content.frames[child] = frame


def _camera_words(K: Array, size_px: tuple[int, int]) -> str:
    fx, fy, cx, cy = K[[0, 1, 0, 1], [0, 1, 2, 2]]
    return f"{size_px[0]}x{size_px[1]}, fx {fx:.1f}, fy {fy:.1f}, cx {cx:.1f}, cy {cy:.1f} px"


def _note(content: BagContent, change: Change) -> None:
    if len(content.changes) < _CHANGES:  # a stream that says something else each time would fill the memory
        content.changes.append(change)


def _in_order(topic: str, message: Any) -> Array | None:
    """Joints of a message in canonical order; None where it lacks some, or has one twice."""
    names = TOPICS[topic]
    values = np.array(getattr(message, "position_rad", getattr(message, "position", ())), dtype=np.float64)
    if hasattr(message, "name"):
        if not len(message.name) == len(set(message.name)) == len(values):
            return None  # nobody can say which of two is meant
        where = {name: i for i, name in enumerate(message.name)}
        rows = [where.get(name, len(values)) for name in names]
        return values[rows] if max(rows) < len(values) else None
    return values if len(values) == len(names) else None


TOPICS: dict[str, tuple[str, ...]] = {
    "tf_static": (),
    INSTRUCTION_TOPIC: (),
    CAMERA_INFO_TOPIC: (),
    **{f"{side}_arm/{kind}": arm_joints(side) for side in SIDES for kind in ("joint_states", "command")},
    **{f"{side}_hand/{kind}": hand_joints(side) for side in SIDES for kind in ("joint_states", "command")},
}
"""Topic -> joint names in canonical order; images are read apart."""
