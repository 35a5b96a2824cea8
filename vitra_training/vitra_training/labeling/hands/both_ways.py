"""Tracks that run forwards are run backwards too, are cut where they changed hands, and are put together by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from vitra_training.datasets.video import Image
from vitra_training.labeling.hands.follow import FollowConfig, Follower, Networks
from vitra_training.labeling.hands.sightings import HandSource, Seen, Track

Get = Callable[[int], Image | None]
_SAME = 0.4
"""Mean distance of landmarks, in sizes of the hand, below which two tracks lie on one hand."""
_LOST = 5
"""Frames without a sighting after which a hand that turns up may be the other one."""
_LEAST_PIECE = 3
"""Sightings that a piece of a cut track must have."""
_TOGETHER = 5
"""Frames over which a track must lie on another one before it is followed no further."""


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
    for track in extended:
        others = [other for other in extended if other is not track]
        for first in (min(track.seen), *_after_gaps(track)):
            back = Follower(networks, config, fps)
            back.active = [Track({first: track.seen[first]})]
            way = _backwards(track, others, back.active[0], first)
            pieces = back.follow(((n, get(n)) for n in way), search=False)
            for piece in pieces:
                piece.trim()
                _fill(track, piece)
        track.seen = dict(sorted(track.seen.items()))
    return merge_same(whole_hands(extended))


def _backwards(track: Track, others: list[Track], back: Track, first: int) -> Iterator[int]:
    """Frames before `first` down to one in which the track was seen, or another one has been the same hand for long.

    Args:
        track: What is extended.
        others: Tracks whose hand it may be.
        back: What follows it backwards, as far as it is.
        first: Frame to begin before.
    """
    together = 0
    for frame in range(first - 1, -1, -1):
        known = track.seen.get(frame)
        if known is not None and known.source >= HandSource.TRACKED:
            return
        yield frame
        seen = back.seen.get(frame)
        together = together + 1 if seen is not None and any(_coincide(seen, o.seen.get(frame)) for o in others) else 0
        if together >= _TOGETHER:
            return


def _coincide(a: Seen, b: Seen | None) -> bool:
    """Whether both were really seen and lie on one hand."""
    return b is not None and min(a.source, b.source) >= HandSource.TRACKED and _distance(a, b) < _SAME


def _fill(track: Track, piece: Track) -> None:
    """Add what a track does not know, and what was seen where it only was bridged."""
    for frame, seen in piece.seen.items():
        known = track.seen.get(frame)
        if known is None or (known.source is HandSource.BRIDGED and seen.source > known.source):
            track.seen[frame] = seen


def _after_gaps(track: Track) -> list[int]:
    frames = sorted(track.confirmed)
    return [after for before, after in zip(frames[:-1], frames[1:], strict=True) if after - before > 1]


def whole_hands(tracks: list[Track]) -> list[Track]:
    """Tracks cut where they may have gone over to another hand; each piece is one hand.

    That is where two tracks that were apart come to lie on one hand, or part again, and where a hand that was lost for
    long was found again: beside it is often the other one.

    Args:
        tracks: As they were followed.
    """
    cuts: list[set[int]] = [set() for _ in tracks]
    for n, track in enumerate(tracks):
        frames = sorted(track.confirmed)
        cuts[n] |= {b for a, b in zip(frames[:-1], frames[1:], strict=True) if b - a > _LOST}
        for k in range(n):
            turns = _meetings(track, tracks[k])
            cuts[n] |= turns
            cuts[k] |= turns
    return [piece for track, at in zip(tracks, cuts, strict=True) for piece in _pieces(track, sorted(at))]


def _meetings(a: Track, b: Track) -> set[int]:
    """Frames at which two tracks begin to lie on one hand, or to lie on two."""
    both = sorted(set(a.confirmed) & set(b.confirmed))
    same = [_distance(a.seen[f], b.seen[f]) < _SAME for f in both]
    if not min(sum(same), len(same) - sum(same)) >= _LEAST_PIECE:
        return set()
    return {frame for frame, before, now in zip(both[1:], same[:-1], same[1:], strict=True) if before != now}


def _pieces(track: Track, cuts: list[int]) -> list[Track]:
    bounds = [min(track.seen), *cuts, max(track.seen) + 1]
    pieces = [Track({f: s for f, s in track.seen.items() if a <= f < b})
              for a, b in zip(bounds[:-1], bounds[1:], strict=True)]  # fmt: skip
    return [piece for piece in pieces if len(piece.confirmed) >= (_LEAST_PIECE if cuts else 1)]


def merge_same(tracks: list[Track]) -> list[Track]:
    """Unite tracks that lie on one hand where they overlap; the longer one keeps its frames."""
    kept: list[Track] = []
    for track in sorted(tracks, key=lambda t: -len(t.confirmed)):
        twin = next((other for other in kept if _same_hand(track, other)), None)
        if twin is None:
            kept.append(track)
            continue
        _fill(twin, track)
        twin.seen = dict(sorted(twin.seen.items()))
    return kept


def _same_hand(a: Track, b: Track) -> bool:
    common = sorted(set(a.seen) & set(b.seen))
    if not common:
        return False
    near = [_distance(a.seen[f], b.seen[f]) < _SAME for f in common]
    return float(np.mean(near)) > 0.5


def _distance(a: Seen, b: Seen) -> float:
    """Mean distance of landmarks in sizes of the hand."""
    return float(np.linalg.norm(a.points_px - b.points_px, axis=1).mean() / max(min(a.size_px, b.size_px), 1.0))
