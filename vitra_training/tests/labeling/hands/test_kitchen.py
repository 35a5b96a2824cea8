"""The real kitchen clip: strong head motion, blur, hands cut by the frame's edge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitra_training.datasets.video import VideoReader
from vitra_training.labeling.errors import MissingModelError
from vitra_training.labeling.hands.frames import ClipImages
from vitra_training.labeling.hands.networks import HandNetworks
from vitra_training.labeling.hands.sightings import HandSource
from vitra_training.labeling.hands.stage import HandsConfig, track_clip
from vitra_training.labeling.hands.tracks import HandTracks

# Where the visible part of each hand is (px of 1920 x 1080), marked by eye in every sixth frame.
LEFT = {
    0: (941, 878), 6: (958, 732), 12: (977, 771), 18: (989, 752), 24: (989, 767), 30: (993, 752), 36: (981, 799),
    42: (989, 854), 48: (1044, 886), 54: (1365, 910), 60: (1483, 1009), 66: (1301, 1021), 72: (1119, 1017),
    78: (981, 1017), 84: (937, 965), 90: (930, 878), 96: (870, 775), 102: (894, 680), 108: (985, 643),
    114: (1231, 727), 120: (1212, 863),
}  # fmt: skip
RIGHT = {
    0: (1463, 752), 6: (1305, 475), 12: (1215, 396), 18: (1286, 463), 24: (1325, 661), 30: (1361, 748),
    36: (1365, 775), 42: (1396, 854), 48: (1420, 985), 78: (1523, 1017), 84: (1412, 918), 90: (1365, 815),
    96: (1305, 728), 102: (1321, 680), 108: (1451, 727), 114: (1745, 974),
}  # fmt: skip
BLURRED = (slice(50, 59), slice(110, 121))  # by eye: the head turns, edges are smeared
SHARP = slice(12, 40)


@pytest.fixture(scope="module")
def tracks(shared_dir: Path) -> HandTracks:
    try:
        networks = HandNetworks()
    except MissingModelError as error:
        pytest.skip(str(error))
    with VideoReader(shared_dir / "data/hands/video/hawor_kitchen_plate.mp4") as video:
        clip = ClipImages((video.rgb(n) for n in range(len(video))), len(video))
    return track_clip(clip, networks, HandsConfig(), 30.0)


def distance(tracks: HandTracks, row: int, frame: int, truth: tuple[float, float]) -> float:
    if tracks.source[row, frame] == HandSource.NONE:
        return np.inf
    centre = tracks.landmarks_px[row, frame, [0, 5, 9, 13, 17]].mean(axis=0)
    return float(np.linalg.norm(centre - truth))


@pytest.mark.slow
def test_hands_are_followed_through_blur_and_the_frames_edge(tracks: HandTracks) -> None:
    left = {f: distance(tracks, 0, f, at) < 150 for f, at in LEFT.items()}
    right = {f: distance(tracks, 1, f, at) < 150 for f, at in RIGHT.items()}
    assert sum(left[f] or right.get(f, False) for f in LEFT) >= 19
    assert sum(left[f] and right.get(f, False) for f in LEFT) >= 14


@pytest.mark.slow
def test_left_and_right_are_never_exchanged(tracks: HandTracks) -> None:
    for frame in RIGHT:
        for row, mine, other in ((0, LEFT, RIGHT), (1, RIGHT, LEFT)):
            if tracks.source[row, frame] != HandSource.NONE:
                assert distance(tracks, row, frame, mine[frame]) < distance(tracks, row, frame, other[frame])


@pytest.mark.slow
def test_blur_raises_the_uncertainty_and_bridged_frames_say_so(tracks: HandTracks) -> None:
    sigma = tracks.sigma_px[0]
    for stretch in BLURRED:
        assert np.median(sigma[stretch]) > 2 * np.median(sigma[SHARP])
    bridged = tracks.source == HandSource.BRIDGED
    assert (tracks.confidence[bridged] <= 0.3).all()
    assert (tracks.confidence[tracks.seen] > 0).all()
    assert (tracks.sigma_px[tracks.source == HandSource.NONE] == np.inf).all()
