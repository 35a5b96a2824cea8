"""Both hands over a clip as arrays: landmarks with source, confidence and uncertainty of every frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES
from vitra_training.labeling.hands.identity import Sides
from vitra_training.labeling.hands.sightings import HandSource, Seen

Array = NDArray[np.float64]

SIGMA_SHARE = 0.035
"""Standard deviation of a landmark of a sharp, certain hand, in sizes of the hand (docs/labeling/accuracy.md)."""
_UNCERTAIN_SHARE = 0.15
_BLUR_LIMIT = 4.0
_EXPOSURE = 0.25
"""Of a hand's motion between frames, this share is added for motion blur."""
_BRIDGE_SHARE = 0.12
"""A hand that is not seen wanders by this share of its size, times the root of the frames."""
_BRIDGED_CONFIDENCE = 0.3


@dataclass(frozen=True, slots=True)
class EstimatedPose:
    """Wrists and fingers of an estimator that knows hands in three dimensions; the first axis is left, right."""

    focal_px: float
    """Of the camera that the estimator assumed: distances are right only for it."""
    camera_from_wrist: Array
    """(2, T, 4, 4)."""
    fingers_rad: Array
    """(2, T, 45) Euler xyz, right-hand convention."""


@dataclass(frozen=True, slots=True)
class HandTracks:
    """Landmarks of both hands; the first axis is left, right as in `SIDES`."""

    landmarks_px: NDArray[np.float32]
    """(2, T, 21, 2) wrist, thumb .. little finger; zero where there is none."""
    shape_m: NDArray[np.float32]
    """(2, T, 21, 3) the network's hand shape along camera axes; its scale is a guess."""
    source: NDArray[np.uint8]
    """(2, T) `HandSource`."""
    confidence: Array
    """(2, T) 0 to 1; bridged frames have little."""
    sigma_px: Array
    """(2, T) standard deviation of a landmark; infinite where there is none."""
    side_certainty: Array
    """(2,) 0.5 to 1: how sure it is that this hand is the left, the right one."""
    bystanders: int
    """Tracks of other people's hands that were left out."""
    tracker: str
    """Which estimator made this, with its version."""
    pose: EstimatedPose | None = None
    """None: a skeleton is fitted to the landmarks."""

    def __len__(self) -> int:
        return int(self.source.shape[1])

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(2, T) whether the hand was really seen in that frame."""
        return self.source >= HandSource.TRACKED


def as_tracks(sides: Sides, frames: int, fps: float, longest_bridge_s: float, tracker: str) -> HandTracks:
    """Arrays of what was followed; gaps up to a length are bridged.

    Args:
        sides: tracks of both hands.
        frames: of the clip.
        fps: frames per second.
        longest_bridge_s: gaps longer than this stay empty.
        tracker: name and version of the estimator.
    """
    shape = (len(SIDES), frames)
    points, shapes = np.zeros((*shape, 21, 2), np.float32), np.zeros((*shape, 21, 3), np.float32)
    source, confidence = np.zeros(shape, np.uint8), np.zeros(shape)
    sigma = np.full(shape, np.inf)
    longest = max(round(longest_bridge_s * fps), 0)
    for row, side in enumerate(SIDES):
        hand = bridged(sides.hands[side], longest)
        sharp = [one.sharpness for one in hand.values() if one.source >= HandSource.TRACKED]
        typical = float(np.median(sharp)) if sharp else 1.0
        for frame, seen in hand.items():
            points[row, frame], shapes[row, frame] = seen.points_px, seen.shape_m
            source[row, frame] = seen.source
            blur = float(np.clip(np.sqrt(typical / max(seen.sharpness, 1e-3)), 1.0, _BLUR_LIMIT))
            confidence[row, frame], sigma[row, frame] = _trust(seen, blur)
    certainty = np.array([sides.certainty[side] for side in SIDES])
    return HandTracks(points, shapes, source, confidence, sigma, certainty, sides.bystanders, tracker)


def bridged(hand: Mapping[int, Seen], longest: int) -> dict[int, Seen]:
    """Gaps between two sightings filled on the straight way between them, where no flow filled them already."""
    filled = dict(hand)
    seen = sorted(frame for frame, one in hand.items() if one.source >= HandSource.TRACKED)
    for before, after in zip(seen[:-1], seen[1:], strict=True):
        gap = after - before - 1
        if gap == 0:
            continue
        a, b = hand[before], hand[after]
        for frame in range(before + 1, after):
            if gap > longest:
                filled.pop(frame, None)
                continue
            share = (frame - before) / (gap + 1)
            straight = a.points_px + share * (b.points_px - a.points_px)
            carried = hand.get(frame)
            if carried is not None and abs(carried.centre_px - straight.mean(axis=0)).max() < 3 * a.size_px:
                # Flow from the earlier side errs more and more: it gives way to the straight line near the later side.
                straight = (1 - share) * carried.points_px + share * straight
            shape = a.shape_m + share * (b.shape_m - a.shape_m)
            away = min(frame - before, after - frame)
            speed = float(np.linalg.norm(b.centre_px - a.centre_px)) / (gap + 1)
            filled[frame] = Seen(
                straight, shape, 0.0, 0.5, min(a.sharpness, b.sharpness), HandSource.BRIDGED, away, speed
            )
    first, last = (seen[0], seen[-1]) if seen else (0, -1)
    return {frame: filled[frame] for frame in sorted(filled) if first <= frame <= last}


def _trust(seen: Seen, blur: float) -> tuple[float, float]:
    """Confidence and standard deviation (px) of one frame."""
    share = SIGMA_SHARE * blur + _UNCERTAIN_SHARE * (1 - seen.presence) ** 2
    sigma = float(np.hypot(share * seen.size_px, _EXPOSURE * seen.speed_px / np.sqrt(12)))
    if seen.source is HandSource.BRIDGED:
        sigma = float(np.hypot(sigma, _BRIDGE_SHARE * seen.size_px * np.sqrt(seen.unseen)))
        return _BRIDGED_CONFIDENCE / (1 + 0.25 * seen.unseen), sigma
    return float(seen.presence / (1 + 0.25 * (blur - 1))), sigma
