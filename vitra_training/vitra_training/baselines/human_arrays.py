"""Human episodes from wrist poses and finger rotations, for readers of data that have nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_policy.hand.skeleton import HandSkeleton
from vitra_policy.transforms import euler_xyz_from_matrix, transform_points
from vitra_training.datasets.episode import Array, HumanEpisode, HumanHand, TextWindow


@dataclass(frozen=True, slots=True)
class HandTrack:
    """One hand over an episode."""

    world_from_wrist: Array
    """(T, 4, 4)."""
    rotations: Array
    """(T, 15, 3, 3) local joint rotations, right-hand convention."""
    valid: NDArray[np.bool_]
    """(T,)."""


@dataclass(frozen=True, slots=True)
class EpisodeSourceName:
    """Where an episode comes from."""

    name: str
    """Its id."""
    dataset: str
    video_name: str


@dataclass(frozen=True, slots=True, eq=False)
class Filmed:
    """How it was filmed."""

    camera_from_world: Array
    """(T, 4, 4)."""
    intrinsics: Array
    """(3, 3) pixels."""


def human_episode(
    source: EpisodeSourceName,
    filmed: Filmed,
    tracks: Mapping[Side, HandTrack],
    captions: Mapping[Side, tuple[str, ...]],
    skeleton: HandSkeleton,
) -> HumanEpisode:
    """An episode whose other labels follow from these.

    Args:
        source: Where it comes from.
        filmed: The camera.
        tracks: Of the hands that were seen.
        captions: And rephrases, of each hand; they hold from the start to the end.
        skeleton: Shape of the hands.
    """
    camera_from_world = filmed.camera_from_world
    length = len(camera_from_world)
    hands = {
        side: _labels(tracks[side], camera_from_world, side, skeleton) if side in tracks else _absent(length)
        for side in SIDES
    }
    main = max(SIDES, key=lambda side: int(hands[side].kept_frames.sum()))
    return HumanEpisode(
        id=source.name,
        dataset=source.dataset,
        video_name=source.video_name,
        video_decode_frame=np.arange(length),
        extrinsics=camera_from_world,
        intrinsics=filmed.intrinsics,
        anno_type=main,
        hands=hands,
        text={
            side: (TextWindow(words[0], 0, length, words[1:]),) if (words := captions.get(side, ())) else ()
            for side in SIDES
        },
    )


def _labels(track: HandTrack, camera_from_world: Array, side: Side, skeleton: HandSkeleton) -> HumanHand:
    wrist = track.world_from_wrist
    fingers = euler_xyz_from_matrix(track.rotations).reshape(len(wrist), 45)
    joints = skeleton.posed_keypoints(wrist, fingers, side)
    return HumanHand(
        beta=np.zeros(10),
        global_orient_camspace=camera_from_world[:, :3, :3] @ wrist[:, :3, :3],
        global_orient_worldspace=wrist[:, :3, :3],
        hand_pose=track.rotations,
        transl_worldspace=wrist[:, :3, 3],
        kept_frames=track.valid.astype(np.int64),
        joints_camspace=transform_points(camera_from_world, joints),
        joints_worldspace=joints,
    )


def _absent(length: int) -> HumanHand:
    still, points = np.tile(np.eye(3), (length, 1, 1)), np.zeros((length, 21, 3))
    fingers, no = np.tile(np.eye(3), (length, 15, 1, 1)), np.zeros(length, dtype=np.int64)
    return HumanHand(np.zeros(10), still, still, fingers, points[:, 0], no, points, points)
