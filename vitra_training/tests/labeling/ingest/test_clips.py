"""Cutting into overlapping clips and putting them together again."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_policy.transforms import invert_pose, make_pose, matrix_from_rotvec
from vitra_training.labeling.ingest.clips import blend_weights, cut_clips
from vitra_training.labeling.ingest.recombine import join_paths, join_rows


@given(frames=st.integers(1, 5000), fps=st.sampled_from([12.0, 25.0, 29.97, 30.0]), overlap=st.floats(0.0, 5.0))
def test_clips_cover_every_frame_and_are_never_longer_than_asked(frames: int, fps: float, overlap: float) -> None:
    clips = cut_clips(frames, fps, 10.0, overlap)
    length = min(round(10 * fps), frames)
    assert clips[0, 0] == 0
    assert clips[-1, 1] == frames
    assert (np.diff(clips, axis=1) == length).all()  # no short remainder either
    assert (clips[1:, 0] <= clips[:-1, 1]).all()
    assert (np.diff(clips[:, 0]) > 0).all()
    total = np.zeros(frames)
    for (start, end), weight in zip(clips, blend_weights(clips, frames), strict=True):
        assert (weight > 0).all()
        total[start:end] += weight
    np.testing.assert_allclose(total, 1.0)


def smooth_path(frames: int, rng: np.random.Generator) -> np.ndarray:
    time = np.linspace(0, frames / 30, frames)[:, None]
    wave = lambda size: sum(  # noqa: E731
        rng.normal(0, size, 3) * np.sin(2 * np.pi * f * time + rng.uniform(0, 6, 3)) for f in (0.2, 0.5, 1.1)
    )
    return make_pose(wave(0.3), matrix_from_rotvec(wave(0.4)))


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), frames=st.integers(30, 900), metric=st.booleans())
def test_a_chunked_camera_path_equals_the_whole_one(seed: int, frames: int, metric: bool) -> None:
    rng = np.random.default_rng(seed)
    whole = smooth_path(frames, rng)  # world_from_camera
    clips = cut_clips(frames, 30.0, 5.0, 1.0)
    paths = {}
    for clip, (start, end) in enumerate(clips):
        size = 1.0 if metric else float(rng.uniform(0.3, 3.0))
        other = make_pose(rng.normal(0, 2, 3), matrix_from_rotvec(rng.normal(0, 1, 3)))  # a world of its own
        part = whole[start:end].copy()
        part[:, :3, 3] *= size
        paths[clip] = invert_pose(other @ part)
    joined = join_paths(paths, clips, frames, metric)
    assert joined.known.all()
    assert (joined.world_of == 0).all()
    first = invert_pose(joined.camera_from_world)
    size = (
        1.0
        if metric
        else np.linalg.norm(first[-1, :3, 3] - first[0, :3, 3])
        / max(np.linalg.norm(whole[-1, :3, 3] - whole[0, :3, 3]), 1e-12)
    )
    relative = invert_pose(first[0]) @ first
    relative[:, :3, 3] /= size
    expected = invert_pose(whole[0]) @ whole
    assert np.abs(relative - expected).max() < 1e-3


def test_a_missing_clip_without_overlap_starts_a_world_of_its_own() -> None:
    rng = np.random.default_rng(0)
    whole = smooth_path(450, rng)
    clips = cut_clips(450, 30.0, 5.0, 0.5)
    paths = {n: invert_pose(whole[start:end]) for n, (start, end) in enumerate(clips) if n != 1}
    joined = join_paths(paths, clips, 450)
    assert not joined.known[clips[0, 1] : clips[2, 0]].any()
    assert joined.world_of[0] == 0
    assert joined.world_of[clips[2, 0]] == 1


@given(seed=st.integers(0, 10**6), frames=st.integers(10, 600))
def test_chunked_rows_equal_the_whole_ones_where_any_clip_knows_them(seed: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    whole = rng.normal(0, 1, (frames, 21, 2))
    clips = cut_clips(frames, 30.0, 4.0, 1.0)
    confidence = {n: (rng.random(end - start) > 0.3) * 0.8 for n, (start, end) in enumerate(clips)}
    rows = {n: np.where(confidence[n][:, None, None] > 0, whole[s:e], np.nan) for n, (s, e) in enumerate(clips)}
    values, trust = join_rows(rows, clips, frames, confidence)
    seen = np.zeros(frames, dtype=bool)
    for n, (start, end) in enumerate(clips):
        seen[start:end] |= confidence[n] > 0
    np.testing.assert_allclose(values[seen], whole[seen], atol=1e-9)
    assert (trust[seen] > 0.79).all()
    assert (trust[~seen] == 0).all()
    assert (values[~seen] == 0).all()
