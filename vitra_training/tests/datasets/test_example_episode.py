"""The one real episode we have; every test here has a sibling on generated data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitra_policy.action_space import HAND
from vitra_policy.transforms import integrate_wrist, make_pose, matrix_from_euler_xyz, rotation_angle
from vitra_training.datasets.convert import Format, convert
from vitra_training.datasets.episode import HumanEpisode
from vitra_training.datasets.formats.safe_pickle import load_npy_dict
from vitra_training.datasets.preview import write_preview
from vitra_training.datasets.samples.motion import motion_of
from vitra_training.datasets.samples.sample import cut_chunk
from vitra_training.datasets.samples.view import full_view
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.validate import validate_episode
from vitra_training.datasets.video import VideoReader


@pytest.fixture(scope="module")
def example(shared_dir: Path) -> EpisodeSource:
    return open_source(shared_dir / "data" / "vitra_example")


def test_the_example_reads_and_keeps_every_promise(example: EpisodeSource) -> None:
    report = validate_episode(example, 0)
    assert (report.frames, report.usable_frames, report.findings) == (25, 24, ())


def test_the_example_previews(example: EpisodeSource, tmp_path: Path) -> None:
    path = write_preview(example.load(0), tmp_path / "preview.mp4")
    with VideoReader(path) as video:
        assert len(video) == 25


@pytest.mark.parametrize("frame", [0, 10, 24])
def test_its_chunks_integrate_back_to_the_annotated_wrist(example: EpisodeSource, frame: int) -> None:
    episode = example.load(0).episode
    assert isinstance(episode, HumanEpisode)
    motion = motion_of(episode, 480, 368)
    chunk = cut_chunk(motion, frame, full_view(motion.camera))
    state = chunk.state[HAND["right"]]
    steps = int(chunk.step_valid["right"].sum())
    assert steps == min(16, 24 - frame)
    observed = make_pose(state[:3], matrix_from_euler_xyz(state[3:6]))
    hand, pose = episode.hands["right"], episode.extrinsics[frame]
    annotated = pose @ make_pose(hand.transl_worldspace, hand.global_orient_worldspace)
    assert np.abs(observed[:3, 3] - hand.joints_camspace[frame, 0]).max() < 1e-4
    assert np.degrees(rotation_angle(observed[:3, :3] @ hand.global_orient_camspace[frame].T)) < 0.05
    reached = integrate_wrist(observed, chunk.actions[:steps, HAND["right"]][:, :6])
    expected = annotated[frame + 1 : frame + 1 + steps]
    assert np.abs(reached[:, :3, 3] - expected[:, :3, 3]).max(initial=0) < 1e-4
    gap = reached[:, :3, :3] @ np.swapaxes(expected[:, :3, :3], 1, 2)
    assert np.degrees(rotation_angle(gap)).max(initial=0) < 0.05


def test_its_kept_keys_survive_the_store_and_back(example: EpisodeSource, tmp_path: Path) -> None:
    convert(example, tmp_path / "store", Format.CANONICAL)
    convert(open_source(tmp_path / "store"), tmp_path / "back", Format.VITRA1M)
    before = load_npy_dict(example.paths[0])  # type: ignore[attr-defined]
    after = load_npy_dict(tmp_path / "back" / f"{example.ids[0]}.npy")
    for key, value in after.items():
        if key in ("left", "right"):
            for name, array in value.items():
                assert np.array_equal(array, before[key][name]), name
                assert array.dtype == before[key][name].dtype, name
        else:
            assert np.array_equal(value, before[key]), key
    deprecated = {"video_clip_id_segment"}
    assert set(before) - set(after) == deprecated
