"""Following hands from image to image: last place and motion, looked at again at higher resolution."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.video import Image
from vitra_training.labeling.camera.flow import followed
from vitra_training.labeling.hands.networks import Landmarks, Palm, Region, region_of_points
from vitra_training.labeling.hands.sightings import HandSource, Seen, Track

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FollowConfig:
    """How hands are followed."""

    find_score: float = 0.5
    """Detector score at which a new hand is looked at."""
    refind_score: float = 0.3
    """Detector score near a hand that was there before."""
    new_presence: float = 0.65
    """Presence at which a new hand is believed."""
    presence: float = 0.5
    """Presence at which a followed hand is believed."""
    sure_presence: float = 0.85
    """Presence above which no second look is taken."""
    search_every: int = 4
    """Frames between searches of the whole image."""
    verify_every: int = 12
    """Frames after which a followed hand must be found by the detector, too."""
    doubt_every: int = 3
    """Frames between two looks by the detector at a hand that is followed, but not surely."""
    coast_s: float = 0.6
    """How long a hand that is not seen is carried on."""


class Networks(Protocol):
    """The two networks (a test brings its own)."""

    def palms(self, image: Image, least: float, area: tuple[Array, float] | None = None) -> list[Palm]:
        """Palms in an image or a square of it.

        Args:
            image: (H, W, 3).
            least: Smallest score.
            area: Centre (2,) and side of the square, pixels; None: everywhere.
        """

    def landmarks(self, image: Image, region: Region, mirrored: bool = False) -> Landmarks:
        """Landmarks in a region.

        Args:
            image: (H, W, 3).
            region: A turned square.
            mirrored: Show the network the mirror image.
        """


class Follower:
    """Follows up to two hands (and gives more than two tracks where they break) through images in either order.

    Args:
        networks: what sees hands.
        config: thresholds.
        fps: frames per second, for times.
    """

    def __init__(self, networks: Networks, config: FollowConfig, fps: float) -> None:
        self._networks, self._config = networks, config
        self._coast = max(round(config.coast_s * fps), 1)
        self._previous: NDArray[np.uint8] | None = None
        self._since_search = 10**6
        self.active: list[Track] = []
        self.ended: list[Track] = []

    def follow(self, images: Iterable[tuple[int, Image | None]], search: bool = True) -> list[Track]:
        """All tracks over some frames; None stands for an image that is not there.

        Args:
            images: frame number and image, in the order of following.
            search: look for new hands; otherwise only those in `active` are followed, until all are lost.
        """
        for frame, image in images:
            self._step(frame, image, search)
            if not search and not self.active:
                break
        return [*self.ended, *self.active]

    def _step(self, frame: int, image: Image | None, search: bool) -> None:
        if image is None:
            for track in list(self.active):
                self._miss(track, frame, track.velocity_px * 0)
            self._previous = None
            return
        grey = _small_grey(image)
        found: list[tuple[Track, Seen | None]] = []
        for track in self.active:
            found.append((track, self._look(track, image, grey)))
        self._separate(found)
        for track, seen in found:
            if seen is None:
                self._miss(track, frame, self._flow(track, grey, image.shape[1]))
            else:
                self._hit(track, frame, seen)
        self._previous = grey
        self._since_search += 1
        due = 1 if not any(t.misses == 0 for t in self.active) else self._config.search_every * len(self.active) or 1
        if search and len([t for t in self.active if t.misses == 0]) < 2 and self._since_search >= due:
            self._since_search = 0
            self._search(frame, image)

    def _look(self, track: Track, image: Image, grey: NDArray[np.uint8]) -> Seen | None:
        """The hand of a track in this image, if it is there."""
        c, last = self._config, _last(track)
        expected = last.centre_px + track.velocity_px
        candidates: list[tuple[float, Seen]] = []
        region = _region(last).moved(track.velocity_px)
        here = self._networks.landmarks(image, region)
        if here.presence >= c.presence:
            if np.linalg.norm(here.centre_px - expected) > 0.2 * last.size_px:
                here = self._networks.landmarks(image, here.region)
            candidates += self._judge(here, HandSource.TRACKED, last, expected, track.misses)
        track.unasked += 1
        if self._asks_detector(track, candidates[0][1] if candidates else None):
            track.unasked = 0
            # Near where a hand was seen; farther away, too, where it is not found.
            sides = (3.0,) if candidates else (3.0, 5.0) if track.misses == 0 else ((3.0, 5.0)[track.misses % 2],)
            for side in sides:
                for palm in self._networks.palms(image, c.refind_score, (expected, side * last.size_px))[:2]:
                    candidates += self._second(palm, image, last, expected, track.misses)
                if any(seen.source is HandSource.DETECTED for _, seen in candidates):
                    track.unverified = 0
                    break
        if not candidates:
            return None
        return max(candidates, key=lambda entry: entry[0])[1]

    def _asks_detector(self, track: Track, here: Seen | None) -> bool:
        """Whether the detector must look for a hand that the landmark network saw, or did not."""
        c = self._config
        if here is None:
            return True
        doubtful = here.presence < c.sure_presence or track.unverified >= c.verify_every
        return doubtful and (track.misses > 0 or track.unasked >= c.doubt_every)

    def _second(self, palm: Palm, image: Image, last: Seen, expected: Array, misses: int) -> list[tuple[float, Seen]]:
        """The hand of a palm that the detector found."""
        hand = self._networks.landmarks(image, palm.region)
        if hand.presence >= 0.5 * self._config.presence:
            hand = self._networks.landmarks(image, hand.region)
        if hand.presence < self._config.presence:
            return []
        return self._judge(hand, HandSource.DETECTED, last, expected, misses)

    def _judge(
        self, hand: Landmarks, source: HandSource, last: Seen, expected: Array, misses: int
    ) -> list[tuple[float, Seen]]:
        """The hand with a score, unless it cannot be the same one."""
        seen = _as_seen(hand, source, last)
        reach = (0.9 + 0.25 * misses) * last.size_px
        away = float(np.linalg.norm(seen.centre_px - expected))
        ratio = seen.size_px / max(last.size_px, 1.0)
        allowed = 1.8 + 0.1 * misses
        if away > reach or not 1 / allowed < ratio < allowed:
            return []
        return [(seen.presence - 0.3 * away / reach - 0.2 * abs(np.log(ratio)), seen)]

    def _separate(self, found: list[tuple[Track, Seen | None]]) -> None:
        """Two tracks that claim one hand: the one that moved less keeps it."""
        for i in range(len(found)):
            for j in range(i + 1, len(found)):
                a, b = found[i][1], found[j][1]
                if a is None or b is None:
                    continue
                if np.linalg.norm(a.points_px - b.points_px, axis=1).mean() < 0.3 * min(a.size_px, b.size_px):
                    odds = [self._surprise(track, seen) for track, seen in (found[i], found[j]) if seen]
                    loser = i if odds[0] > odds[1] else j
                    found[loser] = (found[loser][0], None)

    def _surprise(self, track: Track, seen: Seen) -> float:
        last = _last(track)
        away = np.linalg.norm(seen.points_px - last.points_px - track.velocity_px, axis=1).mean()
        return float(away / last.size_px) + 0.2 * track.misses

    def _hit(self, track: Track, frame: int, seen: Seen) -> None:
        if track.misses == 0:
            track.velocity_px = 0.5 * track.velocity_px + 0.5 * (seen.centre_px - _last(track).centre_px)
        else:
            track.velocity_px = np.zeros(2)
        track.unverified = 0 if seen.source is HandSource.DETECTED else track.unverified + 1
        track.misses = 0
        track.add(frame, seen)

    def _miss(self, track: Track, frame: int, shift_px: Array) -> None:
        last = _last(track)
        track.misses += 1
        track.velocity_px = shift_px
        if track.misses > self._coast:
            self.active.remove(track)
            track.trim()
            self.ended.append(track)
            return
        track.add(
            frame,
            Seen(last.points_px + shift_px, last.shape_m, 0.0, 0.5, last.sharpness, HandSource.BRIDGED, track.misses,
                 float(np.linalg.norm(shift_px))),
        )  # fmt: skip

    def _flow(self, track: Track, grey: NDArray[np.uint8], width_px: int) -> Array:
        """Median motion of the image under the hand, pixels of the whole image."""
        if self._previous is None or self._previous.shape != grey.shape:
            return track.velocity_px
        scale, last = width_px / grey.shape[1], _last(track)
        grid = np.linspace(-0.5, 0.5, 7) * last.size_px
        points = last.centre_px + np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
        start = (points / scale).astype(np.float32).reshape(-1, 1, 2)
        inside = ((start >= 0) & (start < np.array(grey.shape[::-1]))).all(axis=(1, 2))
        if inside.sum() < 5:
            return track.velocity_px * 0.5
        start = start[inside]
        end, good = followed(self._previous, grey, start, window_px=21, tolerance_px=1.5)
        if good.sum() < 5:
            return track.velocity_px * 0.8
        shift: Array = np.median((end - start)[good, 0].astype(np.float64), axis=0) * scale
        return shift

    def _search(self, frame: int, image: Image) -> None:
        """Look for hands that no track has."""
        for palm in self._networks.palms(image, self._config.find_score):
            if any(_covers(_last(track), palm.centre_px) for track in self.active):
                continue
            hand = self._networks.landmarks(image, palm.region)
            if hand.presence >= 0.5 * self._config.presence:
                hand = self._networks.landmarks(image, hand.region)
            if hand.presence < self._config.new_presence or any(
                _covers(_last(track), hand.centre_px) for track in self.active
            ):
                continue
            self.active.append(Track({frame: _as_seen(hand, HandSource.DETECTED, None)}))


def _last(track: Track) -> Seen:
    return next(reversed(track.seen.values()))


def _region(seen: Seen) -> Region:
    return region_of_points(seen.points_px)


def _covers(seen: Seen, point_px: Array) -> bool:
    return bool(np.linalg.norm(seen.centre_px - point_px) < 0.6 * seen.size_px)


def _as_seen(hand: Landmarks, source: HandSource, last: Seen | None) -> Seen:
    speed = 0.0 if last is None else float(np.linalg.norm(hand.centre_px - last.centre_px))
    return Seen(hand.points_px, hand.shape_m, hand.presence, hand.right, hand.sharpness, source, 0, speed)


def _small_grey(image: Image) -> NDArray[np.uint8]:
    scale = 320 / max(image.shape[:2])
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
