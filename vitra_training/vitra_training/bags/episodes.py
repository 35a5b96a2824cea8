"""Our recorded bags as robot episodes: camera frames set the time, everything else is the last value before each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_description.kinematics import ArmModel
from vitra_description.names import BASE_FRAME, CAMERA_FRAME, arm_base, ee, hand_mount
from vitra_policy.action_space import SIDES, Side
from vitra_policy.transforms import compose_poses, invert_pose
from vitra_training.bags.content import (
    CAMERA_INFO_TOPIC,
    IMAGE_TOPIC,
    BagContent,
    image_times,
    images,
    read_bag,
)
from vitra_training.bags.errors import NobodyJudgedError, NoImagesError
from vitra_training.bags.find import PARTIAL, unique_names
from vitra_training.bags.frames import lookup
from vitra_training.bags.own_account import SAVED, UNJUDGED, custom_data, outcome_of
from vitra_training.bags.streams import declared_rates_hz, usual_period_s
from vitra_training.bags.timeline import Timeline, timeline
from vitra_training.datasets.episode import Array, Recording, RobotEpisode, RobotSide, VideoClip
from vitra_training.datasets.errors import MissingKeyError
from vitra_training.datasets.formats.teledata import SideJoints, absent_side, make_side
from vitra_training.datasets.scratch_folder import ScratchFolder
from vitra_training.datasets.sources import EpisodeFiles
from vitra_training.datasets.video import VideoWriter

_RATE_SLACK = 0.03
"""Share by which a rate may miss the declared one and still be it; the check warns from there on."""


def episode_from_bag(path: Path, content: BagContent, seen: NDArray[np.bool_], name: str = "") -> RobotEpisode:
    """TeleData-like episode of a bag: poses by forward kinematics and the calibration in `/tf_static`.

    Args:
        path: the bag.
        content: its streams, at evenly spaced times; their arrays become the episode's.
        seen: (T,) times of which there is an image; both hands are masked at the others.
        name: id of the episode; default the bag's name.

    Raises:
        MissingKeyError: no camera info, no hand with its arm, or a calibration frame is absent.
    """
    if content.intrinsics is None:
        raise MissingKeyError(path, CAMERA_INFO_TOPIC, content.heard)
    present = {side: content.has(side) for side in SIDES}
    if not any(present.values()):
        raise MissingKeyError(path, "right_arm/joint_states and right_hand/joint_states", content.heard)
    base_from_camera = lookup(path, content.frames, CAMERA_FRAME, BASE_FRAME)
    sides = {
        side: _side(path, content, side, seen, base_from_camera) if present[side] else absent_side(len(seen))
        for side in SIDES
    }
    return RobotEpisode(
        id=name or path.name,
        instruction=content.instruction,
        fps=frame_rate_hz(path, content.times_s[seen]),
        intrinsics=content.intrinsics,
        sides=sides,
        has_left=present[Side.LEFT],
        has_right=present[Side.RIGHT],
    )


def frames_from(episode: RobotEpisode, begin: int) -> RobotEpisode:
    """The same without its first frames."""
    return replace(episode, sides={side: part.frames_from(begin) for side, part in episode.sides.items()})


def frame_rate_hz(path: Path, times_s: Array) -> float:
    """Frames per second of a bag's images: the declared (else a whole) rate where it fits, else as measured.

    Lost images do not count, and neither does that times are those of a coarser clock.
    """
    period_s = usual_period_s(times_s)
    measured = 1 / period_s if period_s > 0 else 30.0
    declared = declared_rates_hz(path, custom_data(path)).get(IMAGE_TOPIC)
    nominal = float(declared or max(round(measured), 1))
    return nominal if abs(measured / nominal - 1) < _RATE_SLACK else float(round(measured, 3))


class BagEpisodes(EpisodeFiles):
    """Bag directories as episodes; images are encoded into a temporary video when an episode is loaded."""

    format = "bags"

    def __init__(self, root: Path, paths: Sequence[Path]) -> None:
        super().__init__(root, paths)
        self.ids = unique_names(root, self.paths)
        self._videos = ScratchFolder("vitra_bags_")

    def load(self, number: int) -> Recording:
        """Episode and images by number.

        Frames before the first sample of every hand that takes part are left out. An image that is lost or damaged
        is the one before it again, with both hands masked, so that time stays what it was.

        Raises:
            MissingKeyError: the bag holds no image.
        """
        path = self.paths[number]
        times_s = image_times(path)
        if not len(times_s):
            raise MissingKeyError(path, IMAGE_TOPIC, "no image")
        slots = timeline(path, times_s)
        content = read_bag(path, slots.times_s)
        begin = first_known(content)
        fps = frame_rate_hz(path, times_s)
        begin, seen = self._write(path, slots, begin, self._video(number), fps)
        episode = frames_from(episode_from_bag(path, content, seen, self.ids[number]), begin)
        return Recording(episode, VideoClip(self._video(number), np.arange(len(episode))))

    def release(self, number: int) -> None:
        """Remove the temporary video of an episode that nobody needs any more."""
        self._video(number).unlink(missing_ok=True)

    def _video(self, number: int) -> Path:
        return self._videos.path / f"{number:06d}.mp4"

    def _write(self, path: Path, slots: Timeline, begin: int, video: Path, fps: float) -> tuple[int, NDArray[np.bool_]]:
        """Encode the images of the slots from one on; returns the first with an image, and which have one."""
        seen = slots.seen
        slot_of = np.full(int(slots.images.max()) + 1, -1)
        slot_of[slots.images[seen]] = np.flatnonzero(seen)
        writer: VideoWriter | None = None
        last, written, first = None, 0, begin
        try:
            for number, (_, image) in enumerate(images(path)):
                slot = int(slot_of[number]) if number < len(slot_of) else -1
                if slot < 0:
                    continue
                if image is None or (last is not None and image.shape != last.shape):
                    seen[slot] = False
                    continue
                if slot < begin:
                    continue
                if writer is None:
                    height, width = (side & ~1 for side in image.shape[:2])
                    writer, first = VideoWriter(video, width, height, fps, crf=14), slot
                for _ in range(slot - first - written):
                    writer.add(last[:height, :width])  # type: ignore[index]
                    written += 1
                writer.add(image[:height, :width])
                last, written = image, written + 1
            if writer is None or last is None:
                raise NoImagesError(path, f"{len(slots.images)} were recorded.")
            for _ in range(len(seen) - first - written):
                writer.add(last[:height, :width])
            writer.close()
        except BaseException:
            if writer is not None:
                writer.abort()
            raise
        seen[:first] = False
        return first, seen

    def content_hash(self) -> str:
        """SHA-256 over the bags' files."""
        digest = hashlib.sha256()
        for path in self.paths:
            for file in sorted(path.iterdir()):
                digest.update(os.fsencode(file.name))
                with file.open("rb") as stream:
                    while block := stream.read(1 << 20):
                        digest.update(block)
        return digest.hexdigest()


def bag_episodes(root: Path, bags: Sequence[Path]) -> BagEpisodes:
    """The bags of a folder that an operator saved; the others are named among the broken ones. One bag is taken as is.

    Raises:
        NobodyJudgedError: none was saved.
    """
    outcomes = {bag: SAVED if bag == root else _outcome_of(bag) for bag in bags}
    wanted = [bag for bag in bags if outcomes[bag] == SAVED]
    if not wanted:
        raise NobodyJudgedError(root, len(bags))
    source, names = BagEpisodes(root, wanted), dict(zip(bags, unique_names(root, bags), strict=True))
    source.ids = [names[bag] for bag in wanted]  # as everything else names them that looks at all bags
    source.broken |= {names[bag]: outcome for bag, outcome in outcomes.items() if outcome != SAVED}
    return source


def _outcome_of(bag: Path) -> str:
    return f"{UNJUDGED}, the recording was cut off" if bag.name.endswith(PARTIAL) else outcome_of(bag)


def first_known(content: BagContent) -> int:
    """First slot at which every hand that takes part, and its arm, had been heard of."""
    parts = [f"{side}_{part}/joint_states" for side in SIDES if content.has(side) for part in ("arm", "hand")]
    known = np.all([content.joints[topic].known for topic in parts], axis=0) if parts else np.ones(1, dtype=bool)
    return int(np.argmax(known)) if known.any() else len(content.times_s)


def _side(path: Path, content: BagContent, side: Side, seen: NDArray[np.bool_], base_from_camera: Array) -> RobotSide:
    arm, hand = content.joints[f"{side}_arm/joint_states"], content.joints[f"{side}_hand/joint_states"]
    arm_target, hand_target = content.joints[f"{side}_arm/command"], content.joints[f"{side}_hand/command"]
    model, base_from_ee = ArmModel(), np.empty((len(seen), 4, 4))
    for frame, q in enumerate(arm.values):
        base_from_ee[frame] = model.fk(q)
    for target, measured in ((arm_target, arm), (hand_target, hand)):  # in place: they are nobody else's
        np.copyto(target.values, measured.values, where=~target.fresh[:, None])
    arm_base_from_camera = compose_poses(
        invert_pose(lookup(path, content.frames, arm_base(side), BASE_FRAME)), base_from_camera
    )
    return make_side(
        base_from_ee=base_from_ee,
        ee_from_hand_mount=lookup(path, content.frames, hand_mount(side), ee(side)),
        base_from_camera=arm_base_from_camera,
        valid=arm.fresh & hand.fresh & seen,
        joints=SideJoints(
            arm_joint=arm.values,
            hand_joint=hand.values,
            arm_joint_target=arm_target.values,
            hand_joint_target=hand_target.values,
        ),
    )
