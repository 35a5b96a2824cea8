"""Episodes as plain tables: arrays with one row per frame, and everything else as JSON, exactly and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_training.datasets.episode import Episode, HumanEpisode, HumanHand, RobotEpisode, RobotSide, TextWindow
from vitra_training.datasets.errors import MissingKeyError

Kind = Literal["human", "robot"]

_HUMAN_FRAMES = (
    "global_orient_camspace",
    "global_orient_worldspace",
    "hand_pose",
    "transl_worldspace",
    "kept_frames",
    "joints_camspace",
    "joints_worldspace",
)
_ROBOT_FRAMES = (
    "arm_joint",
    "hand_mount_pose",
    "hand_mount_pose_in_cam",
    "hand_joint",
    "arm_joint_target",
    "hand_joint_target",
    "arm_mask",
    "hand_mask",
)


@dataclass(frozen=True, slots=True)
class Record:
    """One episode as tables."""

    kind: Kind
    id: str
    meta: str
    """JSON of all that is not per frame; numbers survive exactly."""
    frames: Mapping[str, NDArray[Any]]
    """Name -> (T, ...)."""


def to_record(episode: Episode) -> Record:
    """The tables of an episode."""
    return _human_record(episode) if isinstance(episode, HumanEpisode) else _robot_record(episode)


def from_record(record: Record) -> Episode:
    """The episode of its tables.

    Raises:
        MissingKeyError: the tables are of another version.
    """
    try:
        meta = json.loads(record.meta)
        return _human_episode(record, meta) if record.kind == "human" else _robot_episode(record, meta)
    except KeyError as cause:
        raise MissingKeyError(f"episode {record.id}", str(cause.args[0]), sorted(record.frames)) from None


def _human_record(episode: HumanEpisode) -> Record:
    frames: dict[str, NDArray[Any]] = {
        "video_decode_frame": episode.video_decode_frame,
        "extrinsics": episode.extrinsics,
    }
    for side in SIDES:
        frames |= {f"{side}/{key}": np.asarray(getattr(episode.hands[side], key)) for key in _HUMAN_FRAMES}
    meta = {
        "dataset": episode.dataset,
        "video_name": episode.video_name,
        "anno_type": str(episode.anno_type),
        "intrinsics": episode.intrinsics.tolist(),
        "beta": {side: episode.hands[side].beta.tolist() for side in SIDES},
        "text": {s: [[w.caption, w.start, w.end, list(w.rephrases)] for w in episode.text[s]] for s in SIDES},
        "avg_speed": episode.avg_speed,
        "total_rotvec_degree": episode.total_rotvec_degree,
        "total_transl_dist": episode.total_transl_dist,
    }
    return Record("human", episode.id, json.dumps(meta, ensure_ascii=False), frames)


def _human_episode(record: Record, meta: dict[str, Any]) -> HumanEpisode:
    frames = record.frames
    return HumanEpisode(
        id=record.id,
        dataset=meta["dataset"],
        video_name=meta["video_name"],
        video_decode_frame=frames["video_decode_frame"],
        extrinsics=frames["extrinsics"],
        intrinsics=np.array(meta["intrinsics"], dtype=np.float64),
        anno_type=Side(meta["anno_type"]),
        hands={
            side: HumanHand(
                beta=np.array(meta["beta"][side], dtype=np.float64),
                **{key: frames[f"{side}/{key}"] for key in _HUMAN_FRAMES},
            )
            for side in SIDES
        },
        text={s: tuple(TextWindow(c, a, b, tuple(others)) for c, a, b, others in meta["text"][s]) for s in SIDES},
        avg_speed=meta["avg_speed"],
        total_rotvec_degree=meta["total_rotvec_degree"],
        total_transl_dist=meta["total_transl_dist"],
    )


def _robot_record(episode: RobotEpisode) -> Record:
    frames = {f"{side}/{key}": getattr(episode.sides[side], key) for side in SIDES for key in _ROBOT_FRAMES}
    meta = {
        "instruction": episode.instruction,
        "fps": episode.fps,
        "intrinsics": episode.intrinsics.tolist(),
        "has_left": episode.has_left,
        "has_right": episode.has_right,
        "ee_urdf_to_hand_mount": {s: episode.sides[s].ee_urdf_to_hand_mount.tolist() for s in SIDES},
        "head_camera_to_arm_base": {s: episode.sides[s].head_camera_to_arm_base.tolist() for s in SIDES},
    }
    return Record("robot", episode.id, json.dumps(meta, ensure_ascii=False), frames)


def _robot_episode(record: Record, meta: dict[str, Any]) -> RobotEpisode:
    return RobotEpisode(
        id=record.id,
        instruction=meta["instruction"],
        fps=meta["fps"],
        intrinsics=np.array(meta["intrinsics"], dtype=np.float64),
        has_left=meta["has_left"],
        has_right=meta["has_right"],
        sides={
            side: RobotSide(
                ee_urdf_to_hand_mount=np.array(meta["ee_urdf_to_hand_mount"][side], dtype=np.float64),
                head_camera_to_arm_base=np.array(meta["head_camera_to_arm_base"][side], dtype=np.float64),
                **{key: record.frames[f"{side}/{key}"] for key in _ROBOT_FRAMES},
            )
            for side in SIDES
        },
    )
