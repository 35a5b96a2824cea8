from __future__ import annotations

import pickle
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from vitra_policy.statistics import Statistics
from vitra_training.datasets.errors import EmptyDatasetError, TooManyBadSamplesError
from vitra_training.datasets.samples.loader import Batch, Loader, LoaderOptions
from vitra_training.datasets.samples.sample import Framing, SampleOptions
from vitra_training.datasets.samples.stream import SampleStream, TrainingSet
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.statistics import StatisticsOptions, compute_statistics


@pytest.fixture(scope="module")
def numbers(store: EpisodeSource) -> Statistics:
    return compute_statistics(store, "human", StatisticsOptions())[0]


@pytest.fixture(scope="module")
def robot_numbers(robot: EpisodeSource) -> Statistics:
    return compute_statistics(robot, "robot", StatisticsOptions())[0]


@pytest.fixture
def stream(store: EpisodeSource, robot: EpisodeSource, numbers: Statistics, robot_numbers: Statistics) -> SampleStream:
    sets = [TrainingSet("human", store, numbers), TrainingSet("robot", robot, robot_numbers, weight=4.0)]
    return SampleStream(sets, seed=3)


def batches(stream: SampleStream, options: LoaderOptions, count: int, start: int = 0) -> list[Batch]:
    return list(islice(Loader(stream, options, start), count))


def same(a: Batch, b: Batch) -> None:
    for name in Batch.__slots__:
        x, y = getattr(a, name), getattr(b, name)
        assert torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y, name


def test_a_batch_has_the_shapes_of_the_network(stream: SampleStream) -> None:
    batch = batches(stream, LoaderOptions(batch_size=6, workers=0), 1)[0]
    assert batch.images.shape == (6, 224, 224, 3)
    assert batch.images.dtype == torch.uint8
    assert batch.state.shape == batch.state_mask.shape == (6, 212)
    assert batch.actions.shape == batch.action_mask.shape == (6, 16, 192)
    assert batch.fov_rad.shape == (6, 2)
    assert batch.state_mask.dtype == batch.action_mask.dtype == torch.bool
    assert all(text.startswith("Left hand: ") for text in batch.instructions)
    assert batch.is_robot.tolist() == [key.dataset == "robot" for key in batch.keys]
    assert torch.isfinite(batch.actions).all()
    assert batch.images.float().std() > 1


def test_worker_processes_deliver_the_same_samples_in_the_same_order(stream: SampleStream) -> None:
    alone = batches(stream, LoaderOptions(batch_size=4, workers=0), 4)
    for a, b in zip(alone, batches(stream, LoaderOptions(batch_size=4, workers=2), 4), strict=True):
        same(a, b)


def test_resuming_continues_at_the_exact_sample(stream: SampleStream) -> None:
    loader = Loader(stream, LoaderOptions(batch_size=4, workers=0))
    iterator = iter(loader)
    for _ in range(3):
        next(iterator)
    place = loader.place
    assert place == 12
    rest = [next(iterator) for _ in range(2)]
    copy: SampleStream = pickle.loads(pickle.dumps(stream))
    for a, b in zip(rest, batches(copy, LoaderOptions(batch_size=4, workers=0), 2, start=place), strict=True):
        same(a, b)


def test_ranks_share_the_places_of_a_global_batch(stream: SampleStream) -> None:
    whole = batches(stream, LoaderOptions(batch_size=4, workers=0), 2)
    ranks = [batches(stream, LoaderOptions(batch_size=2, workers=0, rank=r, world_size=2), 2) for r in range(2)]
    for step in range(2):
        keys = [key for rank in ranks for key in rank[step].keys]  # noqa: SIM118
        assert keys == whole[step].keys
        assert torch.equal(torch.cat([rank[step].actions for rank in ranks]), whole[step].actions)


def test_seeds_change_order_and_augmentation(store: EpisodeSource, numbers: Statistics) -> None:
    a, b = (SampleStream([TrainingSet("h", store, numbers)], seed) for seed in (0, 1))
    assert [a[n].key for n in range(8)] != [b[n].key for n in range(8)]


def test_an_epoch_never_shows_the_same_augmentation_twice(store: EpisodeSource, numbers: Statistics) -> None:
    frames = store.frame_index()[:1]
    stream = SampleStream([TrainingSet("h", store, numbers, frames=frames)], 0)
    first, second = stream[0], stream[1]
    assert first.key == second.key
    assert not np.array_equal(first.image, second.image)


def test_the_state_is_hidden_now_and_then(store: EpisodeSource, numbers: Statistics) -> None:
    stream = SampleStream([TrainingSet("h", store, numbers, options=SampleOptions(state_mask_probability=0.5))], 0)
    hidden = [not stream[n].numbers.state_mask.any() for n in range(60)]
    assert 0.3 < np.mean(hidden) < 0.7


def test_without_augmentation_images_are_the_live_robots(store: EpisodeSource, numbers: Statistics) -> None:
    from vitra_policy.image import pixel_values
    from vitra_training.datasets.video import VideoReader

    part = TrainingSet("h", store, numbers, options=SampleOptions(augment=False))
    sample = SampleStream([part], 0)[0]
    assert sample.framing is Framing.PLAIN
    recording = store.load(store.ids.index(sample.key.episode))
    with VideoReader(recording.video.path) as video:
        live = pixel_values(video.rgb(int(recording.video.frames[sample.key.frame])), 224)
    assert np.array_equal(pixel_values(sample.image, 224), live)


def test_a_broken_episode_is_replaced_counted_and_named(human_dir: Path, tmp_path: Path, numbers: Statistics) -> None:
    import shutil

    shutil.copytree(human_dir, tmp_path / "data")
    source = open_source(tmp_path / "data")
    frames = source.frame_index()
    source.paths[0].write_bytes(b"rubbish")  # type: ignore[attr-defined]
    loader = Loader(SampleStream([TrainingSet("h", source, numbers, frames=frames)], 0), LoaderOptions(8, workers=0))
    list(islice(loader, 6))
    report = loader.report.as_dict()
    assert report["samples"] == {"h": 48}
    assert len(report["replaced"]) == 1
    cause = report["replaced"][0]
    assert (cause["dataset"], cause["cause"]) == ("h", "BrokenFileError")
    assert cause["count"] > 0
    assert "npy" in cause["example"]


def test_episodes_that_cannot_be_indexed_are_reported(human_dir: Path, tmp_path: Path, numbers: Statistics) -> None:
    import shutil

    shutil.copytree(human_dir, tmp_path / "data")
    source = open_source(tmp_path / "data")
    source.paths[0].write_bytes(b"rubbish")  # type: ignore[attr-defined]
    loader = Loader(SampleStream([TrainingSet("h", source, numbers)], 0), LoaderOptions(8, workers=0))
    next(iter(loader))
    assert list(loader.report.as_dict()["left_out"]["h"]) == [source.ids[0]]
    assert loader.report.as_dict()["replaced"] == []


def test_a_data_set_that_is_all_broken_stops_training(human_dir: Path, tmp_path: Path, numbers: Statistics) -> None:
    import shutil

    shutil.copytree(human_dir, tmp_path / "data")
    source = open_source(tmp_path / "data")
    stream = SampleStream([TrainingSet("h", source, numbers)], 0)
    for path in (tmp_path / "data" / "Video").iterdir():
        path.write_bytes(b"")
    with pytest.raises(TooManyBadSamplesError, match="16 samples in a row"):
        stream[0]


def test_a_data_set_without_frames_is_refused(store: EpisodeSource, numbers: Statistics) -> None:
    with pytest.raises(EmptyDatasetError):
        SampleStream([TrainingSet("h", store, numbers, frames=np.zeros((0, 2), dtype=np.int64))], 0)
