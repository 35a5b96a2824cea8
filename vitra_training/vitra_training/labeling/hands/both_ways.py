"""Tracks that run forwards are run backwards too, and pieces of one hand are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from vitra_training.datasets.video import Image
from vitra_training.labeling.hands.follow import FollowConfig, Follower, HandSource, Networks, Seen, Track

Get = Callable[[int], Image | None]


def track_both_ways(get: Get, frames: int, networks: Networks, config: FollowConfig, fps: float) -> list[Track]:
    """Tracks of all hands of a clip.

    Hands are found and followed forwards; from where each track begins, and from where one was lost and found again, it
    is followed backwards, so that what blur hid from one side is reached from the other.

    Args:
        get: the image of a frame, None where there is none; called in both orders.
        frames: of the clip.
        networks: what sees hands.
        config: thresholds.
        fps: frames per second.
    """
    tracks = Follower(networks, config, fps).follow((n, get(n)) for n in range(frames))
    for track in tracks:
        track.trim()
    extended = [track for track in tracks if track.seen]
    for track in list(extended):
        for first in (min(track.seen), *_after_gaps(track)):
            back = Follower(networks, config, fps)
            back.active = [Track({first: track.seen[first]})]
            pieces = back.follow(((n, get(n)) for n in _backwards(track, first)), search=False)
            for piece in pieces:
                piece.trim()
                for frame, seen in piece.seen.items():
                    known = track.seen.get(frame)
                    if known is None or (known.source is HandSource.BRIDGED and seen.source > known.source):
                        track.seen[frame] = seen
        track.seen = dict(sorted(track.seen.items()))
    return merge_same(extended)


def _backwards(track: Track, first: int) -> Iterator[int]:
    """Frames before `first` down to one in which the track was seen."""
    for frame in range(first - 1, -1, -1):
        yield frame
        known = track.seen.get(frame)
        if known is not None and known.source >= HandSource.TRACKED:
            return


def _after_gaps(track: Track) -> list[int]:
    frames = sorted(track.confirmed)
    return [after for before, after in zip(frames[:-1], frames[1:], strict=True) if after - before > 1]


def merge_same(tracks: list[Track]) -> list[Track]:
    """Unite tracks that lie on one hand where they overlap; the longer one keeps its frames."""
    kept: list[Track] = []
    for track in sorted(tracks, key=lambda t: -len(t.confirmed)):
        twin = next((other for other in kept if _same_hand(track, other)), None)
        if twin is None:
            kept.append(track)
            continue
        for frame, seen in track.seen.items():
            known = twin.seen.get(frame)
            if known is None or (known.source is HandSource.BRIDGED and seen.source > known.source):
                twin.seen[frame] = seen
        twin.seen = dict(sorted(twin.seen.items()))
    return kept


def _same_hand(a: Track, b: Track) -> bool:
    common = sorted(set(a.seen) & set(b.seen))
    if not common:
        return False
    near = [_distance(a.seen[f], b.seen[f]) < 0.4 for f in common]
    return float(np.mean(near)) > 0.5


def _distance(a: Seen, b: Seen) -> float:
    """Mean distance of landmarks in sizes of the hand."""
    return float(np.linalg.norm(a.points_px - b.points_px, axis=1).mean() / max(min(a.size_px, b.size_px), 1.0))
