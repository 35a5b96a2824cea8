"""The times and joints of a bag, in one pass, without decoding images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import QosDurability

from vitra_policy.bag_storage import open_bag
from vitra_policy.camera_messages.video import base_topic
from vitra_training.bags.columns import Column, Columns
from vitra_training.bags.image_forms import names_of
from vitra_training.bags.images import ImageWatch
from vitra_training.bags.own_account import custom_data
from vitra_training.bags.storage_kind import advice
from vitra_training.datasets.episode import Array
from vitra_training.datasets.errors import BrokenFileError, DiskError

CAMERA = "head_camera/color/image_raw"
MEASURED = ("arm/joint_states", "hand/joint_states")
"""How topics of measured joints end; `joint_states` alone is for people's tools, slower and of all joints together."""
_NO_HEADER = {"std_msgs/msg/String", "std_msgs/msg/Bool", "tf2_msgs/msg/TFMessage", "std_msgs/msg/Float32MultiArray"}
_SIZES = 50
_OVERLAP_NS = 10**9
"""The parts of a split recording follow each other, but a message may wait so long before it is written."""
LATCHED = (
    "tf_static", "instruction", "safety_state", "episode_state", "camera_info", "robot_description", "doctor/report"
)  # fmt: skip
"""Topics whose last message holds on until the next one, however long ago it came."""


@dataclass(slots=True)
class StreamTimes:
    """When the messages of one topic came and were made."""

    topic: str
    """Without namespace slash and image suffix."""
    type: str
    arrivals_ns: Column
    stamps_ns: Column
    """Empty for types without a header."""
    sizes: int = 0
    latched: bool = False
    """Each message holds until the next one, so none is missed in between."""

    @property
    def arrivals_s(self) -> Array:
        """(N,) since the epoch."""
        return np.asarray(self.arrivals_ns.read() * 1e-9)

    @property
    def stamps_s(self) -> Array:
        """(N,) since the epoch."""
        return np.asarray(self.stamps_ns.read() * 1e-9)


@dataclass(slots=True)
class JointSamples:
    """Positions of one `*/joint_states` topic, all as long as the first."""

    values: Column
    rows: Column
    """Numbers of the messages whose positions are kept."""
    width: int = 0
    count: int = 0

    def add(self, positions: Array) -> None:
        """Positions of the next message.

        Args:
            positions: (dof,) [rad].
        """
        self.width = self.width or len(positions)
        if self.width and len(positions) == self.width:
            self.values.append(*positions)
            self.rows.append(self.count)
        self.count += 1


@dataclass(slots=True)
class BagStreams:
    """A bag as its check sees it."""

    path: Path
    about: dict[str, str]
    streams: dict[str, StreamTimes] = field(default_factory=dict)
    joints: dict[str, JointSamples] = field(default_factory=dict)
    """Of each `*/joint_states`, in the order of their times."""
    columns: Columns = field(default_factory=Columns)
    """Where the numbers of all streams are."""
    image_hashes: Column = field(init=False)
    """Per camera message a number that stays as long as the image does; an earlier one where that comes back."""
    lost_images: int = 0
    """Images that cannot be decoded: damaged, or of a video in which one before them is missing."""
    image_sizes: list[tuple[float, tuple[int, int]]] = field(default_factory=list)
    """(arrival s, width and height px) of the first image and of some whose size is another than before."""
    unused_forms: dict[str, str] = field(default_factory=dict)
    """Topic -> camera that it shows, too, in a form that is not used."""
    is_video: bool = False
    """Whether each image builds on those before it."""
    instruction: str = ""
    stops: list[str] = field(default_factory=list)
    """Latched stops that happened while recording."""

    def __post_init__(self) -> None:
        self.image_hashes = self.columns.column("q")

    @property
    def _flowing(self) -> list[StreamTimes]:
        """Streams that tell when a recording begins and ends; what was latched may have come long before."""
        some = [stream for stream in self.streams.values() if stream.arrivals_ns]
        return [stream for stream in some if not stream.latched] or some

    @property
    def begin_ns(self) -> int:
        """First arrival of anything that flows, since the epoch."""
        return int(min((stream.arrivals_ns.first for stream in self._flowing), default=0))

    @property
    def begin_s(self) -> float:
        """First arrival of anything that flows."""
        return self.begin_ns * 1e-9

    @property
    def end_s(self) -> float:
        """Last arrival of anything that flows."""
        return max((stream.arrivals_ns.last for stream in self._flowing), default=0) * 1e-9

    @property
    def declared_hz(self) -> dict[str, float]:
        """Topic -> rate the recorder expected.

        Raises:
            BrokenFileError: The bag's metadata has no table of rates there.
        """
        return declared_rates_hz(self.path, self.about)

    @property
    def required(self) -> list[str]:
        """Topics the recorder was told to insist on, or the camera."""
        named = [name.lstrip("/") for name in self.about.get("required_topics", "").split()]
        return named or [CAMERA]


def declared_rates_hz(path: Path, about: Mapping[str, str]) -> dict[str, float]:
    """Topic, without its first slash -> rate the recorder expected.

    Args:
        path: Of the bag, for the error.
        about: Texts of its metadata.

    Raises:
        BrokenFileError: They hold no table of rates.
    """
    try:
        found = json.loads(about.get("declared_rates_hz") or "{}")
        rates = {str(name).lstrip("/"): float(rate) for name, rate in found.items()}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BrokenFileError(path, "bag", f"its 'declared_rates_hz' are no rates: {error}") from error
    if wrong := [name for name, rate in rates.items() if not 0.0 < rate < np.inf]:
        raise BrokenFileError(path, "bag", f"its 'declared_rates_hz' are no rates: {', '.join(wrong)}")
    return rates


def read_streams(path: Path) -> BagStreams:
    """Read a whole bag.

    Raises:
        BrokenFileError: it cannot be read to its end; `vitra-bag repair` may help.
        DiskError: there is no room for its numbers in the folder of temporary files.
    """
    bag, images = BagStreams(path, custom_data(path)), ImageWatch()
    try:
        with open_bag(path) as reader:
            names = names_of(reader.connections)
            bag.unused_forms = {name: base for t, name in names.items() if (base := base_topic(t)) != name}
            latest_ns = 0
            for connection, arrival_ns, raw in reader.messages():
                topic = names[connection.topic]
                stream = bag.streams.get(topic)
                if stream is None:
                    times = bag.columns.column("q"), bag.columns.column("q")
                    stream = bag.streams[topic] = StreamTimes(topic, connection.msgtype, *times)
                    stream.latched = _is_latched(topic, connection)
                if not stream.latched:  # which may be repeated in a new part with its old time
                    if arrival_ns < latest_ns - _OVERLAP_NS:
                        raise ValueError(
                            f"its files are not in the order of their times: {_back(latest_ns, arrival_ns)}"
                        )
                    latest_ns = max(latest_ns, arrival_ns)
                stream.arrivals_ns.append(arrival_ns)
                stream.sizes += len(raw)
                if connection.msgtype not in _NO_HEADER:
                    stream.stamps_ns.append(stamp_ns_of(raw))
                if topic == CAMERA:
                    bag.image_hashes.append(images.see(reader.deserialize(raw, connection.msgtype)))
                    _take_size(bag, images.size_px, arrival_ns * 1e-9)
                elif topic.endswith(MEASURED):
                    positions = reader.deserialize(raw, connection.msgtype).position
                    if topic not in bag.joints:
                        bag.joints[topic] = JointSamples(bag.columns.column("f"), bag.columns.column("q"))
                    bag.joints[topic].add(positions)
                elif topic in ("instruction", "safety_state"):
                    _take(bag, topic, reader.deserialize(raw, connection.msgtype))
    except DiskError:
        raise
    except Exception as cause:  # rosbags raises a different error for every way a bag can be broken
        raise BrokenFileError(path, "rosbag2 directory", f"{type(cause).__name__}: {cause}", advice(path)) from None
    bag.lost_images, bag.is_video = images.lost, images.is_video
    return bag


def _back(latest_ns: int, arrival_ns: int) -> str:
    return f"after one of {latest_ns * 1e-9:.3f} s comes a message of {arrival_ns * 1e-9:.3f} s"


def _is_latched(topic: str, connection: Any) -> bool:
    """Intrinsics are, where they are published so, or once only; most cameras say them with every image."""
    if not topic.endswith("camera_info"):
        return topic.endswith(LATCHED)
    profiles = connection.ext.offered_qos_profiles
    return connection.msgcount == 1 or any(one.durability is QosDurability.TRANSIENT_LOCAL for one in profiles)


def usual_period_s(times_s: Array) -> float:
    """Mean time between messages without pauses and losses; 0 for fewer than two.

    Not the median: stamps may lie on the grid of a coarser clock, as 35, 35, 30 ms for 30 Hz.

    Args:
        times_s: (n,) s.
    """
    periods = np.diff(np.sort(times_s))  # a clock may have been set back, which is an error of its own
    if not len(periods):
        return 0.0
    return float(np.mean(periods[periods <= 1.5 * np.median(periods)]))


def joint_track(bag: BagStreams, topic: str) -> tuple[Array, NDArray[np.float32]]:
    """Stamps (N,) s and positions (N, J) rad of a joint stream; samples of another length are left out."""
    stream, samples = bag.streams.get(topic), bag.joints.get(topic)
    if stream is None or samples is None or not samples.width:
        return np.zeros(0), np.zeros((0, 0), dtype=np.float32)
    return stream.stamps_s[samples.rows.read()], samples.values.read().reshape(-1, samples.width)


def _take(bag: BagStreams, topic: str, message: Any) -> None:
    if topic == "instruction":
        bag.instruction = message.data or bag.instruction
    elif message.state == 2 and (not bag.stops or bag.stops[-1] != message.stop_cause):
        bag.stops.append(message.stop_cause or "unknown")


def _take_size(bag: BagStreams, size_px: tuple[int, int], arrival_s: float) -> None:
    known = bag.image_sizes
    if size_px != (known[-1][1] if known else (0, 0)) and len(known) < _SIZES:
        known.append((arrival_s, size_px))


def stamp_ns_of(raw: bytes | memoryview) -> int:
    """Stamp of a serialised message that begins with a header or a time [ns]."""
    order = "little" if raw[1] & 1 else "big"
    seconds = int.from_bytes(raw[4:8], order, signed=True)  # type: ignore[arg-type]
    return seconds * 1_000_000_000 + int.from_bytes(raw[8:12], order)  # type: ignore[arg-type]
