"""Our recorded bags as robot episodes: camera frames set the time, everything else is the last value before each."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_description.kinematics import ArmModel
from vitra_description.names import BASE_FRAME, CAMERA_FRAME, arm_base, arm_joints, ee, hand_joints, hand_mount
from vitra_policy.action_space import SIDES, Side
from vitra_policy.policies.observation import Missing, SampleHistory
from vitra_policy.transforms import compose_poses, invert_pose, make_pose, matrix_from_quaternion
from vitra_training.bags.images import base_topic, decoded
from vitra_training.bags.streams import usual_period_s
from vitra_training.bags.writer import custom_data
from vitra_training.datasets.episode import Array, Recording, RobotEpisode, VideoClip
from vitra_training.datasets.errors import BrokenFileError, MissingKeyError
from vitra_training.datasets.formats.teledata import ARM_JOINTS, HAND_JOINTS, absent_side, make_side
from vitra_training.datasets.sources import EpisodeFiles
from vitra_training.datasets.video import VideoWriter

METADATA_NAME = "metadata.yaml"
IMAGE_TOPIC = "head_camera/color/image_raw"
CAMERA_INFO_TOPIC = "head_camera/color/camera_info"
INSTRUCTION_TOPIC = "instruction"
MAX_AGE_S = 0.05
"""A joint value older than this at a frame makes the frame invalid for that side, as in the policy node."""
LEFT_OUT = ("discarded", "originals")
"""Folders beside episodes whose bags are no episodes."""
_EVERYTHING = 10**9
_RATE_SLACK = 0.03
"""Share by which a rate may miss the declared one and still be it; the check warns from there on."""


def _itself(value: Array) -> Array:
    return value


@dataclass(slots=True)
class Series:
    """Stamped vectors of one stream, aligned by the code that the policy node aligns with."""

    history: SampleHistory[Array] = field(default_factory=lambda: SampleHistory(_itself, capacity=_EVERYTHING))

    @property
    def is_empty(self) -> bool:
        """Whether the stream has no sample at all."""
        return self.history.newest_s is None

    def at(self, times_s: Array, width: int) -> tuple[Array, NDArray[np.bool_]]:
        """Last value not after each time (N, width), and whether it is fresh (N,); never looks into the future."""
        values, fresh = np.zeros((len(times_s), width)), np.zeros(len(times_s), dtype=bool)
        for row, time_s in enumerate(times_s):
            value = self.history.as_of(float(time_s), MAX_AGE_S)
            fresh[row] = not isinstance(value, Missing)
            if not isinstance(value, Missing):
                values[row] = value
            elif row:
                values[row] = values[row - 1]
        return values, fresh


@dataclass(slots=True)
class BagContent:
    """The streams of a bag that an episode needs."""

    pictures: list[tuple[float, Any]] = field(default_factory=list)
    """Capture time and image message, compressed or not, in order of time."""
    joints: dict[str, Series] = field(default_factory=lambda: defaultdict(Series))
    """Topic without its leading slash -> series in canonical joint order."""
    frames: dict[str, tuple[str, Array]] = field(default_factory=dict)
    """Child frame -> (parent, parent_from_child)."""
    intrinsics: Array | None = None
    size_px: tuple[int, int] = (0, 0)
    """Width and height that the camera reports."""
    instruction: str = ""


def read_bag(path: Path) -> BagContent:
    """Read a bag directory (rosbag2, MCAP or SQLite).

    Raises:
        BrokenFileError: not a bag, or truncated.
    """
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import Stores, get_typestore

    content = BagContent()
    try:
        with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
            for connection, _, raw in reader.messages():
                topic = connection.topic.lstrip("/")
                if _wanted(topic):
                    _take(content, topic, reader.deserialize(raw, connection.msgtype))
    except Exception as cause:  # rosbags raises a different error for every way a bag can be broken
        raise BrokenFileError(path, "rosbag2 directory", f"{type(cause).__name__}: {cause}") from None
    content.pictures.sort(key=lambda entry: entry[0])
    return content


def episode_from_bag(path: Path, content: BagContent) -> RobotEpisode:
    """TeleData-like episode of a bag: poses by forward kinematics and the calibration in `/tf_static`.

    Raises:
        MissingKeyError: no pictures, no camera info, or a calibration frame is absent.
    """
    if not content.pictures:
        raise MissingKeyError(path, IMAGE_TOPIC, sorted(content.joints))
    if content.intrinsics is None:
        raise MissingKeyError(path, CAMERA_INFO_TOPIC, sorted(content.joints))
    times = np.array([stamp for stamp, _ in content.pictures])
    present = {side: not content.joints[f"{side}_arm/joint_states"].is_empty for side in SIDES}
    base_from_camera = _lookup(path, content, CAMERA_FRAME, BASE_FRAME) if any(present.values()) else np.eye(4)
    sides = {
        side: _side(path, content, side, times, base_from_camera) if present[side] else absent_side(len(times))
        for side in SIDES
    }
    return RobotEpisode(
        id=path.name,
        instruction=content.instruction,
        fps=frame_rate_hz(path, times),
        intrinsics=content.intrinsics,
        sides=sides,
        has_left=present["left"],
        has_right=present["right"],
    )


def frame_rate_hz(path: Path, times_s: Array) -> float:
    """Frames per second of a bag's pictures: the declared (else a whole) rate where it fits, else as measured.

    Lost pictures do not count, and neither does that times are those of a coarser clock.
    """
    period_s = usual_period_s(times_s)
    measured = 1 / period_s if period_s > 0 else 30.0
    declared = json.loads(custom_data(path).get("declared_rates_hz") or "{}").get(f"/{IMAGE_TOPIC}")
    nominal = float(declared or max(round(measured), 1))
    return nominal if abs(measured / nominal - 1) < _RATE_SLACK else float(round(measured, 3))


class BagEpisodes(EpisodeFiles):
    """Bag directories as episodes; pictures are encoded into a temporary video when an episode is loaded."""

    format = "bags"

    def __init__(self, root: Path, paths: Sequence[Path]) -> None:
        super().__init__(root, paths)
        self.ids = [path.name for path in paths]
        self._videos = tempfile.TemporaryDirectory(prefix="vitra_bags_")

    def load(self, number: int) -> Recording:
        """Episode and pictures by number."""
        path = self.paths[number]
        content = read_bag(path)
        video = Path(self._videos.name) / f"{path.name}.mp4"
        content.pictures = self._write(path, content, video)
        episode = episode_from_bag(path, content)
        return Recording(episode, VideoClip(video, np.arange(len(episode))))

    def _write(self, path: Path, content: BagContent, video: Path) -> list[tuple[float, Any]]:
        """Encode the pictures that can be decoded; returns their times."""
        rate_hz = frame_rate_hz(path, np.array([stamp for stamp, _ in content.pictures]))
        pictures, kept = decoded(content.pictures), []
        first = next(pictures, None)
        if first is None:
            return []
        height, width = (side & ~1 for side in first[1].shape[:2])
        with VideoWriter(video, width, height, rate_hz, crf=14) as writer:
            for stamp_s, picture in chain([first], pictures):
                writer.add(picture[:height, :width])
                kept.append((stamp_s, None))
        return kept

    def content_hash(self) -> str:
        """SHA-256 over the bags' files."""
        files = [file for path in self.paths for file in sorted(path.iterdir()) if file.is_file()]
        return EpisodeFiles(self.root, files).content_hash()


def find_bags(path: Path) -> list[Path]:
    """The bag directories at or below a path, without unfinished (`*.partial`), discarded and replaced ones."""
    if (path / METADATA_NAME).is_file():
        return [path]
    found = (file.parent for file in path.glob(f"**/{METADATA_NAME}"))
    below = ((bag, bag.relative_to(path).parts) for bag in found)
    return sorted(bag for bag, parts in below if not any(p.endswith(".partial") or p in LEFT_OUT for p in parts))


def _wanted(topic: str) -> bool:
    return topic in _TOPICS or base_topic(topic) == IMAGE_TOPIC


def _take(content: BagContent, topic: str, message: Any) -> None:
    if topic == "tf_static":
        for transform in message.transforms:
            t, q = transform.transform.translation, transform.transform.rotation
            pose = make_pose([t.x, t.y, t.z], matrix_from_quaternion([q.x, q.y, q.z, q.w]))
            content.frames[transform.child_frame_id] = (transform.header.frame_id, pose)
    elif topic == INSTRUCTION_TOPIC:
        content.instruction = message.data or content.instruction
    elif topic == CAMERA_INFO_TOPIC:
        content.intrinsics = np.asarray(message.k, dtype=np.float64).reshape(3, 3)
        content.size_px = (message.width, message.height)
    elif topic.startswith(IMAGE_TOPIC):
        content.pictures.append((_stamp(message), message))
    else:
        names = _TOPICS[topic]
        values = np.asarray(getattr(message, "position_rad", getattr(message, "position", ())), dtype=np.float64)
        if hasattr(message, "name"):
            where = {name: i for i, name in enumerate(message.name)}
            values = values[[where[name] for name in names]]
        content.joints[topic].history.add(_stamp(message), values)


def _side(path: Path, content: BagContent, side: Side, times: Array, base_from_camera: Array) -> Any:
    arm, arm_fresh = content.joints[f"{side}_arm/joint_states"].at(times, ARM_JOINTS)
    hand, hand_fresh = content.joints[f"{side}_hand/joint_states"].at(times, HAND_JOINTS)
    arm_target, arm_commanded = content.joints[f"{side}_arm/command"].at(times, ARM_JOINTS)
    hand_target, hand_commanded = content.joints[f"{side}_hand/command"].at(times, HAND_JOINTS)
    model = ArmModel()
    arm_base_from_camera = compose_poses(
        invert_pose(_lookup(path, content, arm_base(side), BASE_FRAME)), base_from_camera
    )
    return make_side(
        arm_joint=arm,
        hand_joint=hand,
        arm_joint_target=np.where(arm_commanded[:, None], arm_target, arm),
        hand_joint_target=np.where(hand_commanded[:, None], hand_target, hand),
        base_from_ee=np.stack([model.fk(q) for q in arm]),
        ee_from_hand_mount=_lookup(path, content, hand_mount(side), ee(side)),
        base_from_camera=arm_base_from_camera,
        valid=arm_fresh & hand_fresh,
    )


def _lookup(path: Path, content: BagContent, child: str, ancestor: str) -> Array:
    """ancestor_from_child through the static frames."""
    pose, frame = np.eye(4), child
    while frame != ancestor:
        if frame not in content.frames:
            raise MissingKeyError(path, f"/tf_static: {ancestor} -> {child}", sorted(content.frames))
        frame, step = content.frames[frame]
        pose = step @ pose
    return pose


def _stamp(message: Any) -> float:
    """Seconds, rounded as the policy node rounds them."""
    stamp = message.header.stamp if hasattr(message, "header") else message.timestamp
    return float((int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)) * 1e-9)


_TOPICS: dict[str, tuple[str, ...]] = {
    "tf_static": (),
    INSTRUCTION_TOPIC: (),
    CAMERA_INFO_TOPIC: (),
    IMAGE_TOPIC: (),
    **{f"{side}_arm/{kind}": arm_joints(side) for side in SIDES for kind in ("joint_states", "command")},
    **{f"{side}_hand/{kind}": hand_joints(side) for side in SIDES for kind in ("joint_states", "command")},
}
"""Topic -> joint names in canonical order."""
