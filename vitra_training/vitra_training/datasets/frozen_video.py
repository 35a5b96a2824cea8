"""Whether the video of a robot's episode stands still while an arm moves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vitra_training.bags.limits import Limits
from vitra_training.datasets.episode import Array, IntArray, RobotEpisode, valid_frames
from vitra_training.datasets.joint_motion import VISIBLE_RAD, WINDOW_S, turns
from vitra_training.datasets.same_image import block_means, same_image
from vitra_training.datasets.video import VideoReader


def frozen_video(episode: RobotEpisode, frames: IntArray, video: VideoReader) -> Iterator[str]:
    """The same image for long while an arm is seen to move; frames in which no arm is valid do not count.

    Args:
        episode: Its arms.
        frames: (T,) number in the video of each of its frames.
        video: Decoded once, from one end of a motion to the other.

    Raises:
        FrameMissingError: a frame cannot be decoded.
    """
    moves = _visibly_moving(episode)
    if not len(moves):
        return
    limit, begin, shown = Limits().frozen_s * episode.fps, int(moves[0]), _means_of(video, frames[moves[0]])
    for frame in range(int(moves[0]) + 1, int(moves[-1]) + 2):
        ends = frame > moves[-1]
        content = shown if ends else _means_of(video, frames[frame])
        if not ends and same_image(content, shown):
            continue
        inside = moves[(moves >= begin) & (moves < frame)]
        if len(inside) and inside[-1] - inside[0] > limit:
            at_s, long_s = begin / episode.fps, (frame - begin) / episode.fps
            yield f"the same image for {long_s:.1f} s at {at_s:.1f} s while the robot moves"
        begin, shown = frame, content


def _means_of(video: VideoReader, frame: int) -> Array:
    """(rows, columns) means of the blocks of a frame.

    Args:
        video: Where it is.
        frame: Its number there.

    Raises:
        FrameMissingError: it cannot be decoded.
    """
    return block_means(video.frame(int(frame)).to_ndarray(format="gray"))


def _visibly_moving(episode: RobotEpisode) -> IntArray:
    """Frames in which an arm is seen to move, increasing."""
    times_s = np.arange(len(episode)) / episode.fps
    found = [
        np.flatnonzero(valid)[turns(times_s[valid], episode.sides[side].arm_joint[valid], WINDOW_S, VISIBLE_RAD)]
        for side, valid in valid_frames(episode).items()
        if valid.sum() > 1
    ]
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *found]))
