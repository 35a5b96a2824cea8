"""What was heard of a running graph in a few seconds: streams, nodes, publishers, devices, one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES

COLOUR, COLOUR_INFO = "head_camera/color/image_raw", "head_camera/color/camera_info"
DEPTH = "head_camera/aligned_depth_to_color/image_raw"


@dataclass(frozen=True, slots=True)
class Stream:
    """One topic as it came in.

    Attributes:
        times_s: Arrivals on the monotonic clock.
        ages_s: Arrival minus stamp on the system clock, same order.
    """

    times_s: tuple[float, ...] = ()
    ages_s: tuple[float, ...] = ()

    @property
    def rate_hz(self) -> float:
        """Mean rate; 0 below two messages."""
        return (len(self.times_s) - 1) / (self.times_s[-1] - self.times_s[0]) if len(self.times_s) > 1 else 0.0

    def longest_gap_s(self) -> float:
        """Longest time between two messages; 0 below two."""
        return max((b - a for a, b in zip(self.times_s, self.times_s[1:], strict=False)), default=0.0)

    def median_age_s(self) -> float:
        """Median of arrival minus stamp; 0 without messages."""
        return float(np.median(self.ages_s)) if self.ages_s else 0.0


@dataclass(frozen=True, slots=True)
class Beat:
    """What a node last said of itself: its state (vitra_msgs/Heartbeat), the reason, its processes so far."""

    state: int
    detail: str
    processes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Images:
    """A few images of the head camera.

    Attributes:
        colour: (H, W, 3) uint8 RGB, the newest; None: none came, or none could be read.
        depth_mm: (H, W) uint16 along the optical axis in the same pixels; None: no depth.
        distinct: How many of the images differ from each other.
        count: How many there were.
        camera_matrix: K of camera_info, 3 x 3; None: none came.
        size_px: Width and height of camera_info.
    """

    colour: NDArray[np.uint8] | None = None
    depth_mm: NDArray[np.uint16] | None = None
    distinct: int = 0
    count: int = 0
    camera_matrix: NDArray[np.float64] | None = None
    size_px: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph as it was heard.

    Attributes:
        listened_s: For how long.
        streams: By topic, relative names.
        beats: By node name.
        publishers: Fully qualified names of the nodes that publish a topic that only one node may.
        devices: By device ("right_arm"): what its driver's diagnostics say.
        driver_faults: By device; empty texts: healthy.
        joints_rad: Newest joints by device.
        images: Of the head camera.
    """

    listened_s: float = 0.0
    streams: Mapping[str, Stream] = field(default_factory=dict)
    beats: Mapping[str, Beat] = field(default_factory=dict)
    publishers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    driver_faults: Mapping[str, str] = field(default_factory=dict)
    joints_rad: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    images: Images = Images()


def sides_of(arms: str) -> tuple[str, ...]:
    """Sides that `arms` (left, right, both) names."""
    return tuple(side.value for side in SIDES if arms in (side.value, "both"))


def devices_of(arms: str) -> tuple[str, ...]:
    """Devices of these arms with their hands."""
    return tuple(f"{side}_{part}" for side in sides_of(arms) for part in ("arm", "hand"))


def expected_rates_hz(arms: str, camera_hz: float = 30.0) -> dict[str, float]:
    """Nominal rates of what must come in before arming."""
    rates = {COLOUR: camera_hz, COLOUR_INFO: camera_hz, "permit": 50.0}
    for side in sides_of(arms):
        rates |= {f"{side}_arm/joint_states": 200.0, f"{side}_hand/joint_states": 100.0}
    return rates | {f"{device}/driver_state": 10.0 for device in devices_of(arms)}


def single_source_topics(arms: str) -> tuple[str, ...]:
    """Topics that only one node may publish."""
    commands = [f"{device}/command" for device in devices_of(arms)]
    return ("permit", "safety_state", "hand_action_chunk", "robot_chunk", *commands)
