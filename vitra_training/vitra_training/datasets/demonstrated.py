"""Whether a robot's episode shows what its words and commands say, as the check of a bag judges it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from vitra_policy.action_space import SIDES, Side
from vitra_training.datasets.episode import RobotEpisode, valid_frames
from vitra_training.datasets.findings import Check, Finding, Level
from vitra_training.datasets.following import following
from vitra_training.datasets.joint_motion import ARM_RAD, HAND_RAD, motion_span
from vitra_training.datasets.limits import Limits
from vitra_training.datasets.video_shape import VideoShape
from vitra_training.datasets.words_for_hands import words_for_hands


def _words(episode: RobotEpisode) -> Iterator[Finding]:
    if episode.instruction.strip():
        has = {side: episode.has(side) for side in SIDES}
        yield from words_for_hands(episode.instruction, has, _moved(episode))


def _commands(episode: RobotEpisode) -> Iterator[Finding]:
    times_s = np.arange(len(episode)) / episode.fps
    for side, valid in valid_frames(episode).items():
        part = episode.sides[side]
        for name, command, measured in (
            ("arm", part.arm_joint_target, part.arm_joint),
            ("hand", part.hand_joint_target, part.hand_joint),
        ):
            yield from following(f"{side}_{name}", command, measured, valid, times_s, Limits())


def _moved(episode: RobotEpisode) -> set[Side]:
    times_s = np.arange(len(episode)) / episode.fps
    return {
        side
        for side, valid in valid_frames(episode).items()
        for joints, least_rad in (
            (episode.sides[side].arm_joint, ARM_RAD),
            (episode.sides[side].hand_joint, HAND_RAD),
        )
        if motion_span(times_s[valid], joints[valid], least_rad) is not None
    }


def _of_level(
    find: Callable[[RobotEpisode], Iterator[Finding]], level: Level, episode: RobotEpisode, _: VideoShape
) -> Iterator[str]:
    if episode.fps > 0:  # others are named by their rate
        yield from (found.message for found in find(episode) if found.level is level)


DEMONSTRATED = tuple(
    Check(name, partial(_of_level, find, level), level)
    for name, find in (("instruction", _words), ("command", _commands))
    for level in (Level.ERROR, Level.WARNING)
)
"""The promises; a check of a bag judges the same by its streams."""
