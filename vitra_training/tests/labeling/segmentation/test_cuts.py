"""Cuts of known motions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitra_training.labeling.segmentation.cuts import SegmentationConfig, segment
from vitra_training.labeling.truth.session import CameraMotion, make_session


def motion(legs: int, fps: float, rng: np.random.Generator) -> tuple[np.ndarray, list[int]]:
    """Minimum-jerk legs with pauses; the cuts are the middles of the pauses."""
    place, path, cuts = rng.normal(0, 0.2, 3), [], []
    for leg in range(legs):
        way = rng.normal(0, 1, 3)
        there = place + way / np.linalg.norm(way) * rng.uniform(0.15, 0.4)
        s = np.arange(round(rng.uniform(0.7, 1.4) * fps)) / round(1.0 * fps)
        s = s / s[-1]
        eased = (s**3 * (10 - 15 * s + 6 * s * s))[:, None]
        path.append(place + eased * (there - place))
        if leg < legs - 1:
            pause = round(rng.uniform(0.1, 0.35) * fps)
            cuts.append(sum(map(len, path)) + pause // 2)
            path.append(np.repeat(there[None], pause, axis=0))
        place = there
    return np.concatenate(path), cuts


def score(found: list[int], true: list[int], tolerance: int) -> tuple[int, int, int]:
    """Matches, found, true; every cut is matched at most once."""
    free, hits = set(true), 0
    for cut in found:
        near = [t for t in free if abs(t - cut) <= tolerance]
        if near:
            free.remove(min(near, key=lambda t: abs(t - cut)))
            hits += 1
    return hits, len(found), len(true)


@pytest.mark.parametrize("fps", [12.0, 30.0, 60.0])
@pytest.mark.parametrize("noise_m", [0.0, 0.005, 0.010])
def test_true_hands_with_noise_are_cut_where_they_pause(fps: float, noise_m: float) -> None:
    rng = np.random.default_rng(7)
    total = np.zeros(3, dtype=int)
    for _ in range(40):
        path, cuts = motion(int(rng.integers(3, 9)), fps, rng)
        found = segment(path + rng.normal(0, noise_m, path.shape), fps)
        total += score(list(found.cuts), cuts, round(0.2 * fps))
    hits, found_count, true_count = total
    assert hits / true_count >= 0.95
    assert hits / found_count >= 0.95


@pytest.mark.parametrize("side", ["left", "right"])
def test_hands_that_reach_carry_and_let_go_are_cut_between(side: str) -> None:
    total = np.zeros(3, dtype=int)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        hand = make_session(600, 30.0, (side,), CameraMotion(), rng).hands[side]  # type: ignore[arg-type, index]
        noisy = hand.world_from_wrist[:, :3, 3] + rng.normal(0, 0.010, (600, 3))
        true = [leg.end for leg in hand.legs if leg.end < 590]
        total += score([cut for cut in segment(noisy, 30.0).cuts if cut < 590], true, 6)
    hits, found, true_count = total
    assert hits / true_count >= 0.95
    assert hits / found >= 0.95


@given(seed=st.integers(0, 10**6), frames=st.integers(0, 400))
def test_pieces_are_in_order_inside_the_path_and_neither_too_short_nor_too_long(seed: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    config = SegmentationConfig()
    path = np.cumsum(rng.normal(0, 0.01, (frames, 3)), axis=0)
    found = segment(path, 30.0, config)
    bounds = [0, *found.cuts, frames]
    lengths = np.diff(bounds)
    assert (lengths > 0).all() or frames == 0
    if found.cuts:
        assert lengths.min() >= min(round(config.shortest_s * 30), 10)
    assert lengths.max(initial=0) <= round(config.longest_s * 30)
    assert set(found.segments) <= set(zip(bounds[:-1], bounds[1:], strict=True))


def test_a_hand_that_rests_is_no_action() -> None:
    rng = np.random.default_rng(0)
    found = segment(rng.normal(0, 0.0005, (120, 3)), 30.0)
    assert found.segments == ()


def test_the_same_motion_gives_the_same_times_at_any_frame_rate() -> None:
    slow, cuts = motion(5, 30.0, np.random.default_rng(3))
    time = np.arange(len(slow)) / 30.0
    fine = np.arange(0, time[-1], 1 / 60.0)
    fast = np.stack([np.interp(fine, time, slow[:, k]) for k in range(3)], axis=1)
    a, b = segment(slow, 30.0).cuts, segment(fast, 60.0).cuts
    assert len(a) == len(b) == len(cuts)
    np.testing.assert_allclose(np.array(b) / 60, np.array(a) / 30, atol=0.07)
