"""The hand stage: both hands of a clip, by the estimator that was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from vitra_training.labeling.adapters.hawor import track_with_hawor
from vitra_training.labeling.adapters.tool import HAWOR, WILOR, Tool, ToolConfig
from vitra_training.labeling.adapters.wilor import track_with_wilor
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.camera.focal import assumed_focal, known_focal
from vitra_training.labeling.engines.stage import Inputs
from vitra_training.labeling.hands.both_ways import track_both_ways
from vitra_training.labeling.hands.follow import FollowConfig, Networks
from vitra_training.labeling.hands.frames import ClipImages
from vitra_training.labeling.hands.identity import choose_sides
from vitra_training.labeling.hands.networks import HandNetworks, region_of_points
from vitra_training.labeling.hands.sightings import Track
from vitra_training.labeling.hands.tracks import HandTracks, as_tracks
from vitra_training.labeling.ingest.stage import IngestedVideo, images

TRACKER = "mediapipe-0.10.21 tracked"
_MIRRORED_LOOKS = 6


class HandsBy(StrEnum):
    """Who finds hands."""

    MEDIAPIPE = "mediapipe"
    """MediaPipe's networks, followed over time, on a CPU."""
    HAWOR = "hawor"
    """HaWoR, as in the paper."""
    WILOR = "wilor"
    """WiLoR, image by image."""


@dataclass(frozen=True, slots=True)
class HandsConfig:
    """How hands are found."""

    by: HandsBy = HandsBy.MEDIAPIPE
    tool: ToolConfig = field(default_factory=ToolConfig)
    """Where HaWoR or WiLoR is installed."""

    follow: FollowConfig = field(default_factory=FollowConfig)
    """Thresholds of the tracker."""
    longest_bridge_s: float = 0.7
    """Gaps up to this length are bridged, with growing uncertainty."""

    @property
    def asked(self) -> tuple[tuple[Tool, ToolConfig], ...]:
        """The outside estimator that is asked, and where it is."""
        if self.by is HandsBy.MEDIAPIPE:
            return ()
        return ((HAWOR if self.by is HandsBy.HAWOR else WILOR, self.tool),)


def track_hands(inputs: Inputs, config: HandsConfig) -> HandTracks:
    """Hands of one clip.

    Raises:
        MissingModelError: what the estimator needs is not here.
        EstimatorFailedError: it gave nothing.
    """
    folder = inputs.one("ingest")
    video = load(IngestedVideo, folder)
    start, end = map(int, video.clips[inputs.item.clip])
    clip = ClipImages(images(video, folder, start, end), end - start)
    if config.by is HandsBy.MEDIAPIPE:
        return track_clip(clip, _networks(), config, video.fps)
    focal = known_focal(video, None) or assumed_focal(video)
    track = track_with_hawor if config.by is HandsBy.HAWOR else track_with_wilor
    return track(clip, focal.px, config.tool)


def track_clip(clip: ClipImages, networks: Networks, config: HandsConfig, fps: float) -> HandTracks:
    """Hands in the images of a clip by two networks, followed over time in both directions.

    Args:
        clip: Images of a clip.
        networks: Palms and landmarks.
        config: Thresholds.
        fps: Rate of the clip.
    """
    tracks = track_both_ways(clip, len(clip), networks, config.follow, fps)
    mirror = {n: mirror_share(track, clip, networks) for n, track in enumerate(tracks)}
    sides = choose_sides(tracks, mirror, clip.shape[1], clip.shape[0])
    return as_tracks(sides, len(clip), fps, config.longest_bridge_s, TRACKER)


def mirror_share(track: Track, clip: ClipImages, networks: Networks) -> float:
    """How often the network's answer about the side turns with the mirror image, over the best frames of a track.

    Args:
        track: A hand.
        clip: Images of the clip.
        networks: Palms and landmarks.
    """
    frames = sorted(track.confirmed, key=lambda f: -track.seen[f].presence)[:_MIRRORED_LOOKS]
    turned = []
    for frame in frames:
        image = clip(frame)
        if image is None:
            continue
        seen = track.seen[frame]
        other = networks.landmarks(image, region_of_points(seen.points_px), True)
        turned.append((other.right > 0.5) != (seen.right > 0.5))
    return sum(turned) / len(turned) if turned else 0.5


@cache
def _networks() -> HandNetworks:
    return HandNetworks()
