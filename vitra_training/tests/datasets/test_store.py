from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitra_training.datasets.convert import Format, convert
from vitra_training.datasets.episode import Recording, usable_frames
from vitra_training.datasets.errors import BrokenFileError, ConversionError
from vitra_training.datasets.formats.store import STORE_NAME, StoreOptions, StoreWriter
from vitra_training.datasets.formats.store_reader import CanonicalStore
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.video import VideoReader


def same_tables(a: object, b: object) -> None:
    from vitra_training.datasets.formats.record import to_record

    x, y = to_record(a), to_record(b)  # type: ignore[arg-type]
    assert (x.kind, x.id, x.meta) == (y.kind, y.id, y.meta)
    assert x.frames.keys() == y.frames.keys()
    for name in x.frames:
        assert x.frames[name].dtype == y.frames[name].dtype
        assert np.array_equal(x.frames[name], y.frames[name])


def test_human_and_robot_episodes_come_back_exactly(human: EpisodeSource, robot: EpisodeSource, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s") as writer:
        for source in (human, robot):
            for number in range(len(source)):
                writer.add(source.load(number))
    store = open_source(tmp_path / "s")
    expected = [source.load(n).episode for source in (human, robot) for n in range(len(source))]
    assert list(store.ids) == [episode.id for episode in expected]
    for number, episode in enumerate(expected):
        same_tables(store.load(number).episode, episode)


def test_vitra_1m_survives_the_store_and_back(store: EpisodeSource, human: EpisodeSource, tmp_path: Path) -> None:
    report = convert(store, tmp_path / "back", Format.VITRA1M)
    assert report.converted == len(human)
    from vitra_training.datasets.formats.vitra_1m import read_episode

    for number, name in enumerate(human.ids):
        same_tables(read_episode(tmp_path / "back" / f"{name}.npy"), human.load(number).episode)


def test_images_are_those_of_the_episode(store: EpisodeSource, human: EpisodeSource) -> None:
    for number in (0, len(human) - 1):
        a, b = store.load(number).video, human.load(number).video
        with VideoReader(a.path) as ours, VideoReader(b.path) as theirs:
            for row in (0, 7, len(a.frames) - 1):
                x, y = ours.rgb(int(a.frames[row])), theirs.rgb(int(b.frames[row]))
                assert np.abs(x.astype(int) - y.astype(int)).mean() < 6
                other = theirs.rgb(int(b.frames[(row + 15) % len(b.frames)]))
                assert np.abs(x.astype(int) - other.astype(int)).mean() > np.abs(x.astype(int) - y.astype(int)).mean()


def test_small_row_groups_and_shards_change_nothing(human: EpisodeSource, tmp_path: Path) -> None:
    convert(human, tmp_path / "s", Format.CANONICAL, StoreOptions(frames_per_shard=60, frames_per_group=10))
    store = CanonicalStore(tmp_path / "s")
    assert len(store.summary["shards"]) > 2
    for number in reversed(range(len(human))):
        same_tables(store.load(number).episode, human.load(number).episode)
    assert np.array_equal(store.frame_index(), human.frame_index())


def test_episodes_of_one_video_share_its_images(human: EpisodeSource, tmp_path: Path) -> None:
    recording = human.load(0)
    again = Recording(replace(recording.episode, id="again"), recording.video)
    with StoreWriter(tmp_path / "s") as writer:
        writer.add(recording)
        writer.add(again)
    store = CanonicalStore(tmp_path / "s")
    with VideoReader(store.load(1).video.path) as video:
        assert len(video) == len(recording.episode)


def test_large_images_are_shrunk(human: EpisodeSource, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s", StoreOptions(short_side_max=64)) as writer:
        writer.add(human.load(0))
    with VideoReader(CanonicalStore(tmp_path / "s").load(0).video.path) as video:
        assert (video.width, video.height) == (86, 64)


def test_the_frame_index_lists_usable_frames(store: EpisodeSource) -> None:
    index = store.frame_index()
    for number in range(len(store)):
        expected = np.flatnonzero(usable_frames(store.load(number).episode))
        assert index[index[:, 0] == number, 1].tolist() == expected.tolist()


def test_an_interrupted_store_is_not_a_store(human: EpisodeSource, tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "s")
    writer.add(human.load(0))
    with pytest.raises(BrokenFileError, match="store"):
        CanonicalStore(tmp_path / "s")
    writer.close()
    assert len(CanonicalStore(tmp_path / "s")) == 1


def test_a_store_is_not_written_over_anything(store_dir: Path) -> None:
    with pytest.raises(ConversionError, match="not empty"):
        StoreWriter(store_dir)


def test_a_damaged_shard_is_named(human: EpisodeSource, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s") as writer:
        writer.add(human.load(0))
    shard = tmp_path / "s" / "frames" / "shard-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(BrokenFileError, match="shard-00000"):
        CanonicalStore(tmp_path / "s").load(0)


def test_the_content_hash_follows_the_content(human: EpisodeSource, store: EpisodeSource, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s") as writer:
        writer.add(human.load(0))
    assert CanonicalStore(tmp_path / "s").content_hash() != store.content_hash()
    assert CanonicalStore(store.root).content_hash() == store.content_hash()


def test_a_store_travels_to_other_processes(store: EpisodeSource) -> None:
    store.load(0)
    copy = pickle.loads(pickle.dumps(store))
    same_tables(copy.load(1).episode, store.load(1).episode)


def test_another_version_is_refused(human: EpisodeSource, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s") as writer:
        writer.add(human.load(0))
    path = tmp_path / "s" / STORE_NAME
    path.write_text(path.read_text().replace('"version": "2"', '"version": "9"'))
    with pytest.raises(BrokenFileError, match="version 2"):
        CanonicalStore(tmp_path / "s")
