"""Episodes as training reads them, out of a video's labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitra_policy.action_space import SIDES, Side
from vitra_policy.transforms import invert_pose, matrix_from_euler_xyz, rotation_angle, transform_points
from vitra_training.datasets.episode import HumanEpisode, HumanHand, Recording, TextWindow, VideoClip
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.captions.stage import CaptionedAction, Captions, meaningful
from vitra_training.labeling.ingest.stage import IngestedVideo, video_file
from vitra_training.labeling.quality.stage import Judgement, Judgements
from vitra_training.labeling.world.stage import WorldHands

_LEAST_OVERLAP = 0.5
"""Another hand's action belongs to an episode when at least this share of it lies inside."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """An episode with everything that is known about how good it is."""

    recording: Recording
    accepted: bool
    reasons: tuple[str, ...]
    """Why it is not accepted."""
    executable: float
    provenance: dict[str, Any]
    """Sources and confidences, as JSON."""


def episodes_of(dataset: str, name: str, folders: dict[str, Path]) -> list[Labelled]:
    """All episodes of a video, accepted or not, in order of time.

    Args:
        dataset: its name in episode ids; without underscores.
        name: of the video.
        folders: stage -> folder of its result for this video.
    """
    video, world = load(IngestedVideo, folders["ingest"]), load(WorldHands, folders["world"])
    captions, judged = load(Captions, folders["captions"]).actions, load(Judgements, folders["quality"]).actions
    order = sorted(range(len(captions)), key=lambda n: (captions[n].action.start, captions[n].action.side))
    path = video_file(video, folders["ingest"])
    made = []
    for number, index in enumerate(order):
        episode = _episode(f"{dataset}_{name}_ep_{number:06d}", dataset, name, world, captions[index], captions)
        frames = np.arange(captions[index].action.start, captions[index].action.end)
        clip = Recording(episode, VideoClip(path, frames))
        made.append(_judged(clip, world, video, captions[index], judged[index]))
    return made


def _episode(
    id: str, dataset: str, name: str, world: WorldHands, main: CaptionedAction, captions: tuple[CaptionedAction, ...]
) -> HumanEpisode:
    action = main.action
    here = slice(action.start, action.end)
    pose = world.camera_from_world[here]
    world_from_camera = invert_pose(pose)
    turns = world_from_camera[1:, :3, :3] @ np.swapaxes(world_from_camera[:-1, :3, :3], 1, 2)
    row = SIDES.index(action.side)
    steps = np.linalg.norm(np.diff(world.world_from_wrist[row, here, :3, 3], axis=0), axis=1)
    return HumanEpisode(
        id=id,
        dataset=dataset,
        video_name=name,
        video_decode_frame=np.arange(action.start, action.end),
        extrinsics=pose,
        intrinsics=world.intrinsics,
        anno_type=action.side,
        hands={side: _hand(world, side, here) for side in SIDES},
        text={side: _text(side, main, captions) for side in SIDES},
        avg_speed=float(steps.mean()) if len(steps) else 0.0,
        total_rotvec_degree=float(np.degrees(rotation_angle(turns)).sum()),
        total_transl_dist=float(np.linalg.norm(np.diff(world_from_camera[:, :3, 3], axis=0), axis=1).sum()),
    )


def _hand(world: WorldHands, side: Side, here: slice) -> HumanHand:
    row = SIDES.index(side)
    pose, wrist, valid = world.camera_from_world[here], world.world_from_wrist[row, here], world.valid[row, here]
    points = world.keypoints_m[row, here]
    frames = len(pose)
    return HumanHand(
        beta=np.zeros(10),
        global_orient_camspace=pose[:, :3, :3] @ wrist[:, :3, :3],
        global_orient_worldspace=wrist[:, :3, :3],
        hand_pose=matrix_from_euler_xyz(world.fingers_rad[row, here].reshape(frames, 15, 3)),
        transl_worldspace=wrist[:, :3, 3],
        kept_frames=valid.astype(np.int64),
        joints_camspace=np.where(valid[:, None, None], transform_points(pose, points), 0.0),
        joints_worldspace=points,
    )


def _text(side: Side, main: CaptionedAction, captions: tuple[CaptionedAction, ...]) -> tuple[TextWindow, ...]:
    start, end = main.action.start, main.action.end
    windows = []
    for other in captions:
        if other.action.side != side or not meaningful(other):
            continue
        a, b = max(other.action.start, start), min(other.action.end, end)
        if b - a >= _LEAST_OVERLAP * (other.action.end - other.action.start) or other is main:
            windows.append(TextWindow(other.caption, a - start, b - start, other.rephrases))
    return tuple(sorted(windows, key=lambda window: window.start))


def _judged(
    clip: Recording, world: WorldHands, video: IngestedVideo, captioned: CaptionedAction, judged: Judgement
) -> Labelled:
    reasons = list(judged.faults)
    if not meaningful(captioned):
        reasons.append("no caption: " + (captioned.problem or "no meaningful action"))
    action = captioned.action
    row, here = SIDES.index(action.side), slice(action.start, action.end)
    robot = judged.robot
    provenance = {
        "hand": {
            "source": world.tracker,
            "confidence": world.confidence[row, here].round(3).tolist(),
            "seen": world.seen[row, here].astype(int).tolist(),
            "sigma_m": np.minimum(world.sigma_m[row, here], 9.0).round(4).tolist(),
            "side_certainty": round(float(world.side_certainty[row]), 3),
        },
        "camera": {"source": world.camera_source, "focal_source": world.focal_source},
        "scale": {"source": world.scale_source, "sigma_share": min(float(world.scale_sigma_share), 9.0)},
        "caption": {"source": captioned.source},
        "robot": {
            "executable": robot.share, "reach": robot.reach, "fingers": robot.fingers, "clear": robot.clear,
            "shift_m": robot.shift_m,
        },
        "reasons": reasons,
        "source_video": str(video.source),
        "source_frames": video.source_frames[here].tolist(),
    }  # fmt: skip
    return Labelled(clip, not reasons, tuple(reasons), robot.share, provenance)
