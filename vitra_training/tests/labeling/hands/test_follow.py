"""Following made-up hands: a stand-in for the networks sees discs where hands are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from vitra_training.labeling.hands.both_ways import _backwards, track_both_ways, whole_hands
from vitra_training.labeling.hands.follow import FollowConfig
from vitra_training.labeling.hands.identity import choose_sides, is_bystander
from vitra_training.labeling.hands.networks import Landmarks, Palm, Region
from vitra_training.labeling.hands.sightings import HandSource, Seen, Track
from vitra_training.labeling.hands.tracks import HandTracks, as_tracks

SIZE = (480, 640)
HAND_PX = 90.0
# Fingers up, thumb side to +x for a left hand seen from the back: wrist at the bottom.
SHAPE = np.array(
    [[0, 0.5]]
    + [[0.2 + 0.08 * k, 0.3 - 0.12 * k] for k in range(4)]
    + [[0.18, 0.0], [0.2, -0.2], [0.2, -0.35], [0.2, -0.5]]
    + [[0.05, 0.0], [0.05, -0.2], [0.05, -0.35], [0.05, -0.5]]
    + [[-0.08, 0.02], [-0.08, -0.2], [-0.08, -0.32], [-0.08, -0.42]]
    + [[-0.2, 0.05], [-0.22, -0.1], [-0.22, -0.2], [-0.22, -0.3]]
)


@dataclass
class Made:
    """One made-up hand: where it is in each frame, when it can be seen, and by which of the networks."""

    at: np.ndarray
    right: float
    lean: float = 0.0
    upside_down: bool = False
    visible: np.ndarray = field(default_factory=lambda: np.zeros(0))
    found: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def points(self, frame: int) -> np.ndarray:
        shape = SHAPE * [1, -1] if self.upside_down else SHAPE.copy()
        shape[0, 0] += self.lean
        return self.at[frame] + HAND_PX * shape


class Eyes:
    """Sees made-up hands in images whose first pixel is their number."""

    def __init__(self, hands: list[Made]) -> None:
        self.hands, self.looks, self.asked, self.presence = hands, 0, 0, 0.95

    def palms(self, image: np.ndarray, least: float, area: tuple[np.ndarray, float] | None = None) -> list[Palm]:
        self.asked += 1
        frame, found = number(image), []
        for hand in self.hands:
            near = area is None or np.abs(hand.at[frame] - area[0]).max() < area[1] / 2
            score = 0.9 if area is not None else 0.6
            if near and hand.visible[frame] and (hand.found[frame] or area is not None) and score >= least:
                found.append(Palm(score, hand.at[frame], HAND_PX / 2, Region(hand.at[frame], 2 * HAND_PX, 0.0)))
        return found

    def landmarks(self, image: np.ndarray, region: Region, mirrored: bool = False) -> Landmarks:
        self.looks += 1
        frame = number(image)
        for hand in self.hands:
            if hand.visible[frame] and np.linalg.norm(hand.at[frame] - region.centre_px) < 0.5 * HAND_PX:
                right = 1 - hand.right if mirrored else hand.right
                return Landmarks(hand.points(frame), np.zeros((21, 3)), self.presence, right, 100.0)
        blank = region.centre_px + HAND_PX * SHAPE
        return Landmarks(blank, np.zeros((21, 3)), 0.02, 0.5, 100.0)


def number(image: np.ndarray) -> int:
    return int(image[0, 0, 0]) * 256 + int(image[0, 0, 1])


def image(frame: int) -> np.ndarray:
    made = np.zeros((*SIZE, 3), dtype=np.uint8)
    made[0, 0] = frame // 256, frame % 256, 0
    return made


def hand(start: tuple[float, float], step: tuple[float, float], frames: int, right: float, **more: object) -> Made:
    at = np.array(start) + np.arange(frames)[:, None] * np.array(step)
    made = Made(at, right, **more)  # type: ignore[arg-type]
    made.visible, made.found = np.ones(frames, dtype=bool), np.ones(frames, dtype=bool)
    return made


def tracked(hands: list[Made], frames: int, lost: frozenset[int] = frozenset()) -> tuple[list[Track], HandTracks]:
    eyes = Eyes(hands)
    tracks = track_both_ways(lambda n: None if n in lost else image(n), frames, eyes, FollowConfig(), 30.0)
    sides = choose_sides(tracks, {n: 1.0 for n in range(len(tracks))}, SIZE[1], SIZE[0])
    return tracks, as_tracks(sides, frames, 30.0, 0.7, "made up")


def test_two_hands_are_told_apart_and_followed() -> None:
    _, got = tracked([hand((200, 300), (2, 0), 60, 0.1), hand((450, 300), (0, -2), 60, 0.9)], 60)
    for row, start, step in ((0, (200, 300), (2, 0)), (1, (450, 300), (0, -2))):
        assert got.seen[row].all()
        middle = got.landmarks_px[row].mean(axis=1)
        expected = np.array(start) + np.arange(60)[:, None] * step + HAND_PX * SHAPE.mean(axis=0)
        np.testing.assert_allclose(middle, expected, atol=1e-3)


def test_hands_that_cross_keep_their_names() -> None:
    """The networks say the wrong side half of the time; the tracks do not."""
    left, right = hand((150, 250), (5, 0), 70, 0.3), hand((500, 350), (-5, 0), 70, 0.7)
    _, got = tracked([left, right], 70)
    assert np.abs(got.landmarks_px[0].mean(axis=1) - left.at).max() < HAND_PX
    assert np.abs(got.landmarks_px[1].mean(axis=1) - right.at).max() < HAND_PX


def test_a_hand_found_late_is_followed_backwards() -> None:
    late = hand((300, 300), (1, 1), 50, 0.9)
    late.found[:35] = False  # the detector sees nothing in the whole image before frame 35
    _, got = tracked([late], 50)
    assert got.seen[1].all()


def test_a_gap_is_bridged_and_marked_with_less_confidence_the_longer_it_lasts() -> None:
    gone = hand((300, 300), (3, 0), 60, 0.9)
    gone.visible[20:32] = False
    _, got = tracked([gone], 60)
    assert (got.source[1, 20:32] == HandSource.BRIDGED).all()
    assert got.seen[1, :20].all()
    assert got.seen[1, 32:].all()
    assert np.abs(got.landmarks_px[1, 20:32].mean(axis=1) - gone.at[20:32]).max() < HAND_PX
    sigma, confidence = got.sigma_px[1], got.confidence[1]
    assert (np.diff(sigma[20:26]) > 0).all()
    assert (np.diff(sigma[26:32]) < 0).all()
    assert confidence[20:32].max() < 0.5 * confidence[got.seen[1]].min()


def test_a_long_gap_stays_empty() -> None:
    gone = hand((300, 300), (0, 0), 90, 0.9)
    gone.visible[20:70] = False
    _, got = tracked([gone], 90)
    assert (got.source[1, 20:70] == HandSource.NONE).all()
    assert (got.landmarks_px[1, 20:70] == 0).all()


def test_nothing_is_invented_where_there_is_no_hand() -> None:
    nobody = hand((300, 300), (0, 0), 40, 0.9)
    nobody.visible[:] = False
    tracks, got = tracked([nobody], 40)
    assert not tracks
    assert (got.source == HandSource.NONE).all()


def test_missing_images_are_gaps_like_others() -> None:
    _, got = tracked([hand((300, 300), (1, 0), 40, 0.9)], 40, lost=frozenset({10, 11, 12}))
    assert (got.source[1, 10:13] == HandSource.BRIDGED).all()
    assert got.seen[1, [9, 13]].all()


@pytest.mark.parametrize("right", [0.05, 0.95])
def test_the_hand_of_a_person_opposite_is_left_out(right: float) -> None:
    other = hand((300, 120), (0, 0), 40, right, upside_down=True)
    own = hand((420, 380), (0, 0), 40, 0.9)
    tracks, got = tracked([other, own], 40)
    assert sorted(is_bystander(track, SIZE[0]) for track in tracks) == [False, True]
    assert got.bystanders == 1
    assert (got.source[0] == HandSource.NONE).all()
    assert got.seen[1].all()


def test_an_answer_that_does_not_turn_with_the_mirror_image_counts_nothing() -> None:
    """The network calls a left hand right, and its mirror image too: arm and place decide."""
    wrong = hand((180, 350), (0, 0), 30, 0.97, lean=-0.3)
    tracks, _ = tracked([wrong], 30)
    believed = choose_sides(tracks, {0: 1.0}, SIZE[1], SIZE[0])
    doubted = choose_sides(tracks, {0: 0.0}, SIZE[1], SIZE[0])
    assert believed.hands["right"]
    assert doubted.hands["left"]


def test_the_detector_is_asked_in_every_twelfth_frame_and_about_a_doubtful_hand_in_every_third() -> None:
    asked = []
    for presence in (0.95, 0.7):
        eyes = Eyes([hand((300, 300), (1, 0), 48, 0.9), hand((100, 300), (1, 0), 48, 0.1)])
        eyes.presence = presence
        tracks = track_both_ways(image, 48, eyes, FollowConfig(), 30.0)
        assert [len(track.confirmed) for track in tracks] == [48, 48]
        asked.append(eyes.asked)
    assert asked[0] <= 2 * 48 / 12 + 2
    assert 2 * 48 / 4 < asked[1] <= 2 * 48 / 3 + 2


def sightings(frames: range, at: tuple[float, float]) -> dict[int, Seen]:
    return {
        f: Seen(np.array(at) + HAND_PX * SHAPE, np.zeros((21, 3)), 0.9, 0.5, 1.0, HandSource.TRACKED) for f in frames
    }


def test_a_track_that_goes_over_to_another_hand_is_cut_there() -> None:
    there, here = (200.0, 300.0), (450.0, 300.0)
    strays = Track({**sightings(range(30), here), **sightings(range(30, 60), there)})
    stays = Track(sightings(range(50), there))
    pieces = whole_hands([strays, stays])
    assert [(min(p.seen), max(p.seen)) for p in pieces] == [(0, 29), (30, 59), (0, 29), (30, 49)]
    both = whole_hands([Track(sightings(range(30), here)), stays])
    assert [len(p.seen) for p in both] == [30, 50]


def test_a_hand_found_again_after_long_is_a_new_piece_and_after_a_moment_is_not() -> None:
    at = (200.0, 300.0)
    moment = Track({**sightings(range(20), at), **sightings(range(23, 40), at)})
    long = Track({**sightings(range(20), at), **sightings(range(30, 40), at)})
    assert len(whole_hands([moment])) == 1
    assert [len(p.seen) for p in whole_hands([long])] == [20, 10]


@pytest.mark.parametrize(("apart_px", "looks"), [(5.0, 5), (150.0, 40)])
def test_a_track_is_not_followed_back_for_long_where_another_one_has_its_hand(apart_px: float, looks: int) -> None:
    seen = sightings(range(60), (200.0, 300.0))
    late, other = Track({40: seen[40]}), Track(sightings(range(40), (200.0 + apart_px, 300.0)))
    back = Track({40: seen[40]})
    way = _backwards(late, [other], back, 40)
    for frame in way:
        back.seen[frame] = seen[frame]
    assert len(back.seen) - 1 == looks
