"""Whether the video of a robot's episode stands still while the robot moves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vitra_training.datasets.episode import Array, IntArray, RobotEpisode, valid_frames
from vitra_training.datasets.frozen import CODED, frozen
from vitra_training.datasets.joint_motion import excursions_rad
from vitra_training.datasets.limits import Limits
from vitra_training.datasets.same_image import block_means, same_image
from vitra_training.datasets.video import VideoReader


def frozen_video(episode: RobotEpisode, frames: IntArray, video: VideoReader) -> Iterator[str]:
    """The same image for long while an arm or hand turns far; frames in which it is not valid do not count.

    Args:
        episode: Its joints.
        frames: (T,) number in the video of each of its frames.
        video: Decoded once, and only where anything turns far enough.

    Raises:
        FrameMissingError: a frame cannot be decoded.
    """
    if not episode.fps > 0:
        return  # named by its rate
    limits, tracks = Limits(), _tracks(episode)
    whole = [(0.0, len(episode) / episode.fps)]
    if all(excursions_rad(times_s, joints, whole)[0] <= limits.frozen_arm_rad for times_s, joints, _ in tracks):
        return
    begin, shown, same_s = 0, _means_of(video, frames[0]), []
    for frame in range(1, len(episode)):
        content = _means_of(video, frames[frame])
        if not same_image(content, shown):
            same_s.append((begin / episode.fps, (frame - 1) / episode.fps))
            begin, shown = frame, content
    same_s.append((begin / episode.fps, (len(episode) - 1) / episode.fps))
    yield from (message + CODED for message in frozen(same_s, tracks, 0.0, limits))


def _means_of(video: VideoReader, frame: int) -> Array:
    """(rows, columns) means of the blocks of a frame.

    Args:
        video: Where it is.
        frame: Its number there.

    Raises:
        FrameMissingError: it cannot be decoded.
    """
    return block_means(video.frame(int(frame)).to_ndarray(format="gray"))


def _tracks(episode: RobotEpisode) -> list[tuple[Array, Array, bool]]:
    """Of each side's arm and hand the times (N,) s and joints (N, J) rad of its valid frames."""
    times_s = np.arange(len(episode)) / episode.fps
    return [
        (times_s[valid], joints[valid], is_arm)
        for side, valid in valid_frames(episode).items()
        for joints, is_arm in ((episode.sides[side].arm_joint, True), (episode.sides[side].hand_joint, False))
    ]
