"""Synthetic robot demonstrations: the synthetic hands before a still camera, labelled as XHands in TeleData files.

They exercise fine-tuning end to end without a simulator. Only what training reads is filled in: hand poses and XHand
joints. Arm joints are zeros, so `vitra-data validate` will not confirm the arm's kinematics.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from vitra_policy.action_space import SIDES, Side
from vitra_policy.hand.xhand_map import xhand_from_mano
from vitra_policy.prompt import format_instruction
from vitra_policy.transforms import euler_xyz_from_matrix, make_pose
from vitra_training.datasets.convert import Format, open_sink
from vitra_training.datasets.episode import HumanEpisode, Recording, RobotEpisode, RobotSide
from vitra_training.datasets.sources import open_source
from vitra_training.datasets.teledata import absent_side, vector_from_pose
from vitra_training.synthetic.generate import SyntheticOptions, generate


def generate_robot_demos(
    root: Path, options: SyntheticOptions, progress: Callable[[int, int], None] | None = None
) -> int:
    """Write TeleData episodes into a new folder; returns how many."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        generate(Path(folder) / "human", replace(options, still_camera=True, both_hands=0.0, idle_hand=0.0), progress)
        source = open_source(Path(folder) / "human")
        with open_sink(root, Format.TELEDATA) as sink:
            for number in range(len(source)):
                recording = source.load(number)
                if isinstance(recording.episode, HumanEpisode):
                    sink.add(Recording(robot_episode(recording.episode, options.fps), recording.video))
    return len(source)


def robot_episode(human: HumanEpisode, fps: float) -> RobotEpisode:
    """The demonstration of a robot whose hand moves as the human's main hand does.

    Args:
        human: filmed by a camera at rest.
        fps: frames per second.
    """
    side = human.anno_type
    window = human.text[side][0]
    words: dict[Side, str | None] = {"left": None, "right": None, side: window.caption}
    return RobotEpisode(
        id=human.id.replace("synthetic", "robot", 1),
        instruction=format_instruction(words["left"], words["right"]),
        fps=fps,
        intrinsics=human.intrinsics,
        sides={s: _moving(human, s) if s == side else absent_side(len(human)) for s in SIDES},
        has_left=side == "left",
        has_right=side == "right",
    )


def _moving(human: HumanEpisode, side: Side) -> RobotSide:
    hand, length = human.hands[side], len(human)
    joints = xhand_from_mano(euler_xyz_from_matrix(hand.hand_pose).reshape(length, 45))
    camera_from_hand = human.extrinsics @ make_pose(hand.transl_worldspace, hand.global_orient_worldspace)
    pose, valid = vector_from_pose(camera_from_hand), np.asarray(hand.kept_frames) > 0
    targets = np.concatenate([joints[1:], joints[-1:]])
    arm = np.zeros((length, 7))
    return RobotSide(np.eye(4), np.eye(4), arm, pose, pose.copy(), joints, arm.copy(), targets, valid, valid.copy())
