from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_policy.action_space import SIDES
from vitra_training.datasets.episode import HumanEpisode
from vitra_training.datasets.errors import BrokenFileError, MissingKeyError, WrongShapeError
from vitra_training.datasets.formats import vitra_1m
from vitra_training.datasets.formats.safe_pickle import load_npy_dict
from vitra_training.datasets.formats.vitra_1m_videos import find_video
from vitra_training.datasets.sources import EpisodeSource


def assert_same(a: HumanEpisode, b: HumanEpisode) -> None:
    """Every kept key, bit for bit."""
    for name in ("id", "dataset", "video_name", "anno_type", "text", "avg_speed", "total_transl_dist"):
        assert getattr(a, name) == getattr(b, name), name
    for name in ("video_decode_frame", "extrinsics", "intrinsics"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    for side in SIDES:
        for name in type(a.hands[side]).__slots__:
            x, y = getattr(a.hands[side], name), getattr(b.hands[side], name)
            assert x.dtype == y.dtype, name
            assert np.array_equal(x, y), name


def damaged(human: EpisodeSource, tmp_path: Path, change: Any) -> Path:
    path = vitra_1m.write_episode(human.load(0).episode, tmp_path)  # type: ignore[arg-type]
    content = load_npy_dict(path)
    change(content)
    np.save(path, content, allow_pickle=True)  # type: ignore[arg-type]
    return path


def test_writing_and_reading_is_lossless(human: EpisodeSource, tmp_path: Path) -> None:
    for number in range(len(human)):
        episode = human.load(number).episode
        assert isinstance(episode, HumanEpisode)
        assert_same(vitra_1m.read_episode(vitra_1m.write_episode(episode, tmp_path)), episode)


def test_a_missing_key_is_named(human: EpisodeSource, tmp_path: Path) -> None:
    with pytest.raises(MissingKeyError, match="'extrinsics' is missing"):
        vitra_1m.read_episode(damaged(human, tmp_path, lambda content: content.pop("extrinsics")))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(extrinsics=c["extrinsics"][:-1]),
        lambda c: c["right"].update(hand_pose=c["right"]["hand_pose"][:, :14]),
        lambda c: c["left"].update(joints_worldspace="none"),
        lambda c: c["left"].update(transl_worldspace=[[1, 2], [1, 2, 3]]),
        lambda c: c.update(video_decode_frame=[]),
        lambda c: c.update(anno_type="both"),
        lambda c: c["text"].update(left=[("no window",)], right=3),
        lambda c: c.update(right=None),
    ],
)
def test_a_wrong_shape_is_named(human: EpisodeSource, tmp_path: Path, change: Any) -> None:
    with pytest.raises(WrongShapeError):
        vitra_1m.read_episode(damaged(human, tmp_path, change))


def test_deprecated_keys_are_ignored(human: EpisodeSource, tmp_path: Path) -> None:
    path = damaged(human, tmp_path, lambda c: c.update(video_clip_id_segment=np.zeros(3), max_whatever=None))
    assert vitra_1m.read_episode(path).id == human.ids[0]


def test_the_index_lists_every_frame(tmp_path: Path) -> None:
    path = vitra_1m.write_index(tmp_path, {"a": 2, "b": 3})
    pairs, ids = vitra_1m.read_index(path)
    assert ids == ["a", "b"]
    assert pairs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2]]


def test_an_index_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "i.npz", index_frame_pair=np.array([object()]), index_to_episode_id=np.array(["a"]))
    with pytest.raises(BrokenFileError):
        vitra_1m.read_index(tmp_path / "i.npz")


def test_videos_are_found_in_published_folders_and_in_parts(human: EpisodeSource, tmp_path: Path) -> None:
    episode = replace(
        human.load(0).episode, video_name="clip", dataset="ego4d", video_decode_frame=np.arange(2005, 2010)
    )
    assert isinstance(episode, HumanEpisode)
    folder = tmp_path / "Video" / "Ego4D_root"
    folder.mkdir(parents=True)
    with pytest.raises(BrokenFileError, match="not found"):
        find_video([tmp_path], episode)
    (folder / "clip_part2.mp4").touch()
    assert find_video([tmp_path], episode) == folder / "clip_part*.mp4"
    (folder / "clip.webm").touch()
    assert find_video([tmp_path], episode) == folder / "clip.webm"
