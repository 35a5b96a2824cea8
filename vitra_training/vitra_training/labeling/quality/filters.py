"""Which episodes are fit to learn from; an episode that is not keeps every reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES
from vitra_training.datasets.camera import Camera
from vitra_training.labeling.segmentation.stage import Action
from vitra_training.labeling.world.stage import WorldHands

Array = NDArray[np.float64]


class Fault(StrEnum):
    """What can be wrong with an episode."""

    SHORT = "too short"
    LONG = "too long"
    UNSEEN = "hand too seldom seen"
    JUMP = "wrist jumps"
    TURN = "wrist turns too fast"
    REACH = "beyond an arm's reach"
    CAMERA_JUMP = "camera jumps"
    CAMERA_UNKNOWN = "camera path unknown"
    OUTSIDE = "hand outside the image"
    SIDE = "left or right uncertain"
    UNCERTAIN = "position uncertain"


@dataclass(frozen=True, slots=True)
class QualityConfig:
    """Limits of a good episode."""

    shortest_s: float = 0.4
    longest_s: float = 10.0
    seen_share: float = 0.5
    """Frames in which the hand was really seen."""
    wrist_m: float = 0.30
    """Largest step of the wrist from frame to frame at 30 frames/s (EgoSmith's limit)."""
    wrist_rad: float = 0.6
    """Largest turn of the wrist from frame to frame at 30 frames/s."""
    reach_m: float = 1.2
    """Farthest a wrist is from the head."""
    camera_m: float = 0.20
    """Largest step of the camera from frame to frame at 30 frames/s (EgoSmith's limit)."""
    inside_share: float = 0.5
    """Key points inside the image, on average."""
    side_certainty: float = 0.6
    sigma_m: float = 0.08
    """Median uncertainty of the wrist."""


def faults(world: WorldHands, action: Action, camera: Camera, config: QualityConfig) -> tuple[Fault, ...]:
    """Everything that speaks against an episode.

    Args:
        world: of the video.
        action: the episode.
        camera: of the video's own resolution.
        config: limits.
    """
    row, here = SIDES.index(action.side), slice(action.start, action.end)
    length_s = (action.end - action.start) / world.fps
    step = 30.0 / world.fps
    wrist, pose = world.world_from_wrist[row, here], world.camera_from_world[here]
    centre = -np.einsum("tji,tj->ti", pose[:, :3, :3], pose[:, :3, 3])
    steps = np.linalg.norm(np.diff(wrist[:, :3, 3], axis=0), axis=1)
    turns = np.arccos(np.clip((np.einsum("tij,tij->t", wrist[1:, :3, :3], wrist[:-1, :3, :3]) - 1) / 2, -1, 1))
    camera_steps = np.linalg.norm(np.diff(centre, axis=0), axis=1)
    seen = np.einsum("tij,tkj->tki", pose[:, :3, :3], world.keypoints_m[row, here]) + pose[:, None, :3, 3]
    found = {
        Fault.SHORT: length_s < config.shortest_s,
        Fault.LONG: length_s > config.longest_s,
        Fault.UNSEEN: world.seen[row, here].mean() < config.seen_share,
        Fault.JUMP: steps.max(initial=0.0) > config.wrist_m / step,
        Fault.TURN: turns.max(initial=0.0) > config.wrist_rad / step,
        Fault.REACH: np.linalg.norm(wrist[:, :3, 3] - centre, axis=1).max() > config.reach_m,
        Fault.CAMERA_JUMP: camera_steps.max(initial=0.0) > config.camera_m / step,
        Fault.CAMERA_UNKNOWN: not world.camera_known[here].all(),
        Fault.OUTSIDE: camera.sees(seen).mean() < config.inside_share,
        Fault.SIDE: world.side_certainty[row] < config.side_certainty,
        Fault.UNCERTAIN: float(np.median(world.sigma_m[row, here])) > config.sigma_m,
    }
    return tuple(fault for fault, wrong in found.items() if wrong)
