"""Episodes in memory, free of any file format: human hands from video, and robot demonstrations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TextWindow:
    """What a hand does in the frames [start, end): a caption and other ways to say it."""

    caption: str
    start: int
    end: int
    rephrases: tuple[str, ...] = ()

    @property
    def variants(self) -> tuple[str, ...]:
        """The caption and its rephrases."""
        return (self.caption, *self.rephrases)

    def covers(self, frame: int) -> bool:
        """Whether the window holds at a frame."""
        return self.start <= frame < self.end


@dataclass(frozen=True, slots=True)
class VideoClip:
    """Where the images of an episode are: one frame number of a video file per episode frame."""

    path: Path
    frames: IntArray
    """(T,) frame numbers in the video, 0 first."""
    shared: bool = False
    """Whether other episodes are in the same file."""


@dataclass(frozen=True, slots=True)
class HumanHand:
    """One hand of a human episode, fields as in VITRA-1M; finger rotations are in right-hand convention."""

    beta: Array
    """(10,) MANO shape."""
    global_orient_camspace: Array
    """(T, 3, 3) wrist rotation in each frame's own camera."""
    global_orient_worldspace: Array
    """(T, 3, 3)."""
    hand_pose: Array
    """(T, 15, 3, 3) local joint rotations: index, middle, pinky, ring, thumb."""
    transl_worldspace: Array
    """(T, 3) wrist joint, metres."""
    kept_frames: NDArray[np.integer]
    """(T,) 1 where the hand was seen and trusted."""
    joints_camspace: NDArray[np.floating]
    """(T, 21, 3) metres."""
    joints_worldspace: NDArray[np.floating]
    """(T, 21, 3) metres."""


@dataclass(frozen=True, slots=True)
class HumanEpisode:
    """A captioned piece of human video with camera and hand poses (docs/data.md: VITRA-1M)."""

    id: str
    dataset: str
    video_name: str
    video_decode_frame: IntArray
    """(T,) frame numbers in the original video."""
    extrinsics: Array
    """(T, 4, 4) camera_from_world."""
    intrinsics: Array
    """(3, 3) of the original video, whose size is twice the principal point."""
    anno_type: Side
    """The hand that the episode was cut for."""
    hands: Mapping[Side, HumanHand]
    text: Mapping[Side, tuple[TextWindow, ...]]
    avg_speed: float = float("nan")
    total_rotvec_degree: float = float("nan")
    total_transl_dist: float = float("nan")

    def __len__(self) -> int:
        return len(self.video_decode_frame)


@dataclass(frozen=True, slots=True)
class RobotSide:
    """One arm with its hand in a robot episode; zeros and masks where the side is absent."""

    ee_urdf_to_hand_mount: Array
    """(4, 4) maps hand_mount to ee coordinates."""
    head_camera_to_arm_base: Array
    """(4, 4) maps camera to arm base coordinates."""
    arm_joint: Array
    """(T, 7) rad, measured."""
    hand_mount_pose: Array
    """(T, 6) xyz m and rotation vector rad, in arm base."""
    hand_mount_pose_in_cam: Array
    """(T, 6) the same in the head camera's optical frame."""
    hand_joint: Array
    """(T, 12) rad, measured, vendor order."""
    arm_joint_target: Array
    """(T, 7) rad, commanded."""
    hand_joint_target: Array
    """(T, 12) rad, commanded."""
    arm_mask: BoolArray
    """(T,)."""
    hand_mask: BoolArray
    """(T,)."""

    def frames_from(self, begin: int) -> RobotSide:
        """The same without the first frames."""
        fixed = ("ee_urdf_to_hand_mount", "head_camera_to_arm_base")
        names = [one.name for one in fields(self) if one.name not in fixed]
        return replace(self, **{name: getattr(self, name)[begin:] for name in names})


@dataclass(frozen=True, slots=True)
class RobotEpisode:
    """A teleoperated or simulated robot demonstration (docs/data.md: TeleData)."""

    id: str
    instruction: str
    fps: float
    intrinsics: Array
    """(3, 3) of the stored video."""
    sides: Mapping[Side, RobotSide]
    has_left: bool
    has_right: bool

    def __len__(self) -> int:
        return len(self.sides[Side.RIGHT].arm_mask)

    def has(self, side: Side) -> bool:
        """Whether that arm took part."""
        return self.has_left if side == "left" else self.has_right


Episode: TypeAlias = HumanEpisode | RobotEpisode


@dataclass(frozen=True, slots=True)
class Recording:
    """An episode together with its video."""

    episode: Episode
    video: VideoClip


def valid_frames(episode: Episode) -> dict[Side, BoolArray]:
    """Per hand (T,): frames in which its pose may be used."""
    if isinstance(episode, HumanEpisode):
        return {side: np.asarray(episode.hands[side].kept_frames) > 0 for side in SIDES}
    return {
        side: (part.arm_mask & part.hand_mask) if episode.has(side) else np.zeros(len(episode), dtype=bool)
        for side, part in episode.sides.items()
    }


def usable_frames(episode: Episode) -> BoolArray:
    """(T,) frames at which a sample can start: some hand is valid there and in the next frame."""
    usable = np.zeros(len(episode), dtype=bool)
    for valid in valid_frames(episode).values():
        usable[:-1] |= valid[:-1] & valid[1:]
    return usable
