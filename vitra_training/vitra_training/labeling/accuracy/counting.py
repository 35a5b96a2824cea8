"""Accuracy on a film of a hand that counts with its fingers, against the joints that came with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES
from vitra_training.datasets.video import VideoReader
from vitra_training.labeling.accuracy.measure import Measured, aligned_joint_error, median, share
from vitra_training.labeling.hands.frames import ClipImages
from vitra_training.labeling.hands.networks import HandNetworks
from vitra_training.labeling.hands.stage import HandsConfig, track_clip

Array = NDArray[np.float64]

_FINGERS = (5, 9, 13, 17)
"""Knuckles of the four fingers; the thumb bends another way."""
_STRAIGHT = 0.75


def counting_rows(video: Path, joints: Path, networks: HandNetworks, every: int = 3) -> list[Measured]:
    """Landmarks of the right hand in every n-th frame.

    Args:
        video: one bare right hand before a still camera.
        joints: (T, 21, 3) of every frame, of MediaPipe as well: this is agreement, not truth.
        networks: the hand networks.
        every: n; the hand is followed at the lower rate, too.
    """
    told = np.load(joints, allow_pickle=False).astype(np.float64)
    with VideoReader(video) as reader:
        numbers = range(0, min(len(reader), len(told)), every)
        clip = ClipImages((reader.rgb(n) for n in numbers), len(numbers))
        fps = reader.fps / every
    found = track_clip(clip, networks, HandsConfig(), fps)
    true, row = told[::every][: len(numbers)], SIDES.index("right")
    seen = np.flatnonzero(found.seen[row])
    shape = found.shape_m[row, seen].astype(np.float64)
    errors = [1e3 * aligned_joint_error(a, b) for a, b in zip(shape, true[seen], strict=True)]
    same = straight_fingers(shape) == straight_fingers(true[seen])
    of = f"frames, one of {every} of a film of {len(told)}"
    return [
        share("Finger counting: right hand seen", len(seen), len(numbers), of),
        median("Finger counting: joints after alignment (PA-MPJPE)", errors, "mm", of),
        share("Finger counting: finger straight or bent as told", int(same.sum()), same.size,
              "fingers of the frames with a hand (no independent frames)"),
    ]  # fmt: skip


def straight_fingers(joints: Array) -> NDArray[np.bool_]:
    """(T, 4) whether index, middle, ring and little finger are straight, of joints (T, 21, 3)."""
    told = []
    for knuckle in _FINGERS:
        bones = np.diff(joints[:, knuckle : knuckle + 4], axis=1)
        along = np.linalg.norm(joints[:, knuckle + 3] - joints[:, knuckle], axis=1)
        told.append(along / np.linalg.norm(bones, axis=2).sum(axis=1) > _STRAIGHT)
    return np.stack(told, axis=1)
