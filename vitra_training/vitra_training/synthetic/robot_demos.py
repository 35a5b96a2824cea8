"""Synthetic robot demonstrations: the synthetic hands before a still camera, moved by an arm that can do the motion.

Hand poses are forward kinematics of arm joints, as TeleData promises; the images show a human hand, which is where
they differ from a robot's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np

from vitra_description.calibration import Calibration, default_calibration
from vitra_description.kinematics import ArmModel
from vitra_policy.action_space import SIDES, Side
from vitra_policy.child_processes import end_with_parent
from vitra_policy.hand.xhand_map import xhand_from_mano
from vitra_policy.prompt import format_instruction
from vitra_policy.transforms import euler_xyz_from_matrix, invert_pose, make_pose
from vitra_training.datasets.episode import HumanEpisode, RobotEpisode, RobotSide
from vitra_training.datasets.errors import ConversionError
from vitra_training.datasets.formats import teledata
from vitra_training.datasets.formats.new_folder import Layout, NewFolder
from vitra_training.datasets.video import VideoWriter
from vitra_training.synthetic.arm_paths import find_arm_path
from vitra_training.synthetic.generate import SyntheticOptions, make_episode

_LAYOUT = Layout("synthetic demonstrations", re.compile(r"robot_\d+\.(h5|mp4|partial|partial\.mp4)"))
_SLOWNESS = 1.5
_ATTEMPTS, _NEXT_ATTEMPT = 20, 1_000_000


def generate_robot_demos(
    root: Path, options: SyntheticOptions, progress: Callable[[int, int], None] | None = None
) -> int:
    """Write TeleData episodes into a new folder; returns how many.

    Args:
        root: The new folder.
        options: How many, how long, how large.
        progress: Hears episodes done and their number.

    Raises:
        TargetTakenError: something is in the folder that no interrupted run left.
    """
    folder = NewFolder(root, _LAYOUT)
    folder.take()
    slow = replace(options, still_camera=True, both_hands=0.0, idle_hand=0.0, slowness=options.slowness * _SLOWNESS)
    for done, _ in enumerate(_run(root, slow), start=1):
        if progress:
            progress(done, options.episodes)
    folder.complete()
    return options.episodes


def robot_episode(human: HumanEpisode, fps: float, calibration: Calibration, seed: int) -> RobotEpisode | None:
    """The demonstration of a robot whose hand moves as the human's main hand does; None where no arm can.

    Args:
        human: filmed by a camera at rest.
        fps: frames per second.
        calibration: how hands sit on the arms; where the arm stands is chosen for the motion.
        seed: of that choice.
    """
    side = human.anno_type
    moving = _moving(human, side, fps, calibration, seed)
    if moving is None:
        return None
    words: dict[Side, str | None] = {Side.LEFT: None, Side.RIGHT: None, side: human.text[side][0].caption}
    return RobotEpisode(
        id=human.id.replace("synthetic", "robot", 1),
        instruction=format_instruction(words[Side.LEFT], words[Side.RIGHT]),
        fps=fps,
        intrinsics=human.intrinsics,
        sides={s: moving if s == side else teledata.absent_side(len(human)) for s in SIDES},
        has_left=side == "left",
        has_right=side == "right",
    )


def _moving(human: HumanEpisode, side: Side, fps: float, calibration: Calibration, seed: int) -> RobotSide | None:
    hand, length = human.hands[side], len(human)
    world_from_wrist = make_pose(hand.transl_worldspace, hand.global_orient_worldspace)
    extrinsics = calibration.side(side)
    path = find_arm_path(world_from_wrist, side, extrinsics, fps, np.random.default_rng(seed))
    if path is None:
        return None
    arm, joints = ArmModel(), path.joints_rad
    fingers = xhand_from_mano(euler_xyz_from_matrix(hand.hand_pose).reshape(length, 45))
    return teledata.make_side(
        base_from_ee=np.stack([arm.fk(q) for q in joints]),
        ee_from_hand_mount=extrinsics.ee_from_hand_mount,
        base_from_camera=path.base_from_world @ invert_pose(human.extrinsics[0]),
        valid=np.asarray(hand.kept_frames) > 0,
        joints=teledata.SideJoints(
            arm_joint=joints, hand_joint=fingers, arm_joint_target=_next(joints), hand_joint_target=_next(fingers)
        ),
    )


def _next(joints: np.ndarray) -> np.ndarray:
    """What is commanded in a frame: the joints of the next one."""
    return np.concatenate([joints[1:], joints[-1:]])


def _run(root: Path, options: SyntheticOptions) -> Iterator[None]:
    if options.workers <= 1:
        for number in range(options.episodes):
            _write_demo(root, options, number)
            yield
        return
    with ProcessPoolExecutor(options.workers, initializer=end_with_parent) as pool:
        yield from pool.map(_write_demo, repeat(root), repeat(options), range(options.episodes))


def _write_demo(root: Path, options: SyntheticOptions, number: int) -> None:
    """One demonstration; a motion that no arm can do is replaced by another one.

    Raises:
        ConversionError: twenty motions in a row were beyond the arm.
    """
    cv2.setNumThreads(1)
    calibration = default_calibration()
    for attempt in range(_ATTEMPTS):
        drawn = number + attempt * _NEXT_ATTEMPT
        human, images = make_episode(drawn, 0, f"video{number:06d}", options)
        episode = robot_episode(human, options.fps, calibration, drawn)
        if episode is None:
            continue
        episode = replace(episode, id=f"robot_{number:06d}")
        with VideoWriter(root / f"{episode.id}.mp4", options.width_px, options.height_px, options.fps) as video:
            for image in images:
                video.add(image)
        teledata.write_episode(episode, root)
        return
    raise ConversionError(f"robot_{number:06d}", "synthetic demonstration", f"no arm path in {_ATTEMPTS} motions")
