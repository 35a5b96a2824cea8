"""Which track is the left hand and which the right one, over a whole clip; and hands of other people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_training.labeling.hands.sightings import HandSource, Seen, Track

Array = NDArray[np.float64]

_NETWORK_LIMIT = 1.5
"""A single frame's vote: the network's confidence of 0.99 is wrong too often to count as such."""
_VOTES = 4.0
"""Frames of a track see the same hand from the same side: however many, they are worth a few independent votes."""
_ARM = 1.6
_PLACE = 1.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """For a track's side, as logarithms of the odds of right against left."""

    network: float
    """What the landmark network says, where it says the opposite of the mirror image."""
    arm: float
    """Towards which side of the image the forearm leaves."""
    place: float
    """On which side of the image the hand is, or of the other hand."""

    @property
    def right(self) -> float:
        """Of all together."""
        return self.network + self.arm + self.place


@dataclass(frozen=True, slots=True)
class Sides:
    """The tracks of the wearer's hands."""

    hands: Mapping[Side, Mapping[int, Seen]]
    """Side -> frame -> what was seen."""
    certainty: Mapping[Side, float]
    """0.5 (a guess) to 1: share of the odds that the side is as said."""
    bystanders: int
    """Tracks left out because their arm comes from elsewhere."""


def choose_sides(tracks: list[Track], mirror: Mapping[int, float], width_px: int, height_px: int) -> Sides:
    """Give each side the tracks that belong to it; no side has two hands at once.

    Args:
        tracks: of a clip.
        mirror: track number -> how often the network turns its answer for the mirror image, 0 to 1 (0.5 unknown).
        width_px: of the images.
        height_px: of the images.
    """
    own = [n for n, track in enumerate(tracks) if not is_bystander(track, height_px)]
    odds = {n: side_evidence(tracks[n], mirror.get(n, 0.5), tracks, own, width_px).right for n in own}
    chosen: dict[Side, list[int]] = {side: [] for side in SIDES}
    for n in sorted(own, key=lambda n: -len(tracks[n].confirmed) * (1 + abs(odds[n]))):
        total = odds[n] + _continuity(n, chosen, tracks)
        wanted = Side.RIGHT if total > 0 else Side.LEFT
        other = wanted.other
        for side in (wanted, other) if abs(total) < 2.5 or not _clear(n, chosen[wanted], tracks) else (wanted,):
            if _clear(n, chosen[side], tracks):
                chosen[side].append(n)
                break
    hands: dict[Side, dict[int, Seen]] = {side: {} for side in SIDES}
    certainty: dict[Side, float] = {}
    for side in SIDES:
        sign = 1.0 if side == "right" else -1.0
        sure = []
        for n in sorted(chosen[side], key=lambda n: len(tracks[n].confirmed)):
            hands[side].update(tracks[n].seen)
            sure += [1 / (1 + np.exp(-sign * odds[n]))] * len(tracks[n].confirmed)
        hands[side] = dict(sorted(hands[side].items()))
        certainty[side] = float(np.clip(np.mean(sure), 0.5, 1.0)) if sure else 0.5
    _separate(hands[Side.LEFT], hands[Side.RIGHT])
    return Sides(hands, certainty, len(tracks) - len(own))


def side_evidence(track: Track, mirror: float, tracks: list[Track], own: list[int], width_px: int) -> Evidence:
    """What speaks for right (positive) and left (negative).

    Args:
        track: the track.
        mirror: share of frames in which the network's answer turns with the mirror image; an answer that does not turn
            says nothing of the hand.
        tracks: all tracks of the clip.
        own: numbers of those that are the wearer's.
        width_px: of the images.
    """
    seen = [track.seen[frame] for frame in track.confirmed]
    told = np.array([one.right for one in seen if one.right != 0.5])
    votes = np.clip(np.log(np.clip(told, 1e-3, 1 - 1e-3) / np.clip(1 - told, 1e-3, 1)), -_NETWORK_LIMIT, _NETWORK_LIMIT)
    network = float(votes.mean()) * min(_VOTES, len(votes)) * mirror if len(votes) else 0.0
    # From the knuckles over the wrist the forearm goes on towards the elbow.
    arms = np.array([one.points_px[0] - one.points_px[9] for one in seen])
    across = float(np.median(arms[:, 0] / np.maximum(np.linalg.norm(arms, axis=1), 1.0)))
    x = np.array([one.centre_px[0] for one in seen])
    beside = [x[k] - tracks[n].seen[f].centre_px[0] for n in own if tracks[n] is not track
              for k, f in enumerate(track.confirmed) if f in tracks[n].seen]  # fmt: skip
    if beside:
        place = float(np.clip(np.median(beside) / (0.15 * width_px), -1.5, 1.5))
    else:
        place = float(np.clip((np.median(x) / width_px - 0.5) / 0.25, -1, 1))
    return Evidence(network, _ARM * across, _PLACE * place)


def is_bystander(track: Track, height_px: int) -> bool:
    """Whether the arm comes from the upper part of the image, as another person's does and the wearer's cannot."""
    seen = [track.seen[frame] for frame in track.confirmed]
    arms = np.array([one.points_px[0] - one.points_px[9] for one in seen])
    down = float(np.median(arms[:, 1] / np.maximum(np.linalg.norm(arms, axis=1), 1.0)))
    low = float(np.median([one.points_px[:, 1].max() for one in seen])) / height_px
    return down < -0.6 and low < 0.75


def _separate(left: dict[int, Seen], right: dict[int, Seen]) -> None:
    """Where both lie on one hand, only the one that was seen, or seen better, stays."""
    for frame in set(left) & set(right):
        a, b = left[frame], right[frame]
        apart = float(np.linalg.norm(a.points_px - b.points_px, axis=1).mean())
        if apart < 0.4 * min(a.size_px, b.size_px):
            worse = (
                left
                if (a.source >= HandSource.TRACKED, a.presence) < (b.source >= HandSource.TRACKED, b.presence)
                else right
            )
            del worse[frame]


def _clear(n: int, others: list[int], tracks: list[Track]) -> bool:
    """Whether a track shares no more than a few frames with those of a side."""
    mine = {f for f, s in tracks[n].seen.items() if s.source >= HandSource.TRACKED}
    shared = sum(len(mine & {f for f, s in tracks[k].seen.items() if s.source >= HandSource.TRACKED}) for k in others)
    return shared <= 0.1 * len(mine)


def _continuity(n: int, chosen: Mapping[Side, list[int]], tracks: list[Track]) -> float:
    """A track that begins where one of a side ended a moment ago is probably the same hand."""
    best = 0.0
    for side, sign in ((Side.LEFT, -1.0), (Side.RIGHT, 1.0)):
        for other in chosen[side]:
            a, b = (
                (tracks[other], tracks[n])
                if min(tracks[other].seen) < min(tracks[n].seen)
                else (tracks[n], tracks[other])
            )
            gap = min(b.seen) - max(a.seen)
            if 0 < gap <= 15:
                first, last = b.seen[min(b.seen)], a.seen[max(a.seen)]
                away = float(np.linalg.norm(first.centre_px - last.centre_px)) / last.size_px
                if away < 1.0 + 0.15 * gap:
                    best += sign * 2.0
    return best
