"""Data sets as a run uses them: opened or invented, split, measured, mixed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitra_policy.statistics import HandKind, Statistics, mix
from vitra_training.baselines.annotations import Recut
from vitra_training.baselines.egodex import EgoDex
from vitra_training.baselines.gripper import GripperData
from vitra_training.datasets.episode import IntArray, RobotEpisode
from vitra_training.datasets.errors import DatasetError, EmptyDatasetError, ForeignStatisticsError
from vitra_training.datasets.samples.motion import EmbodimentKind
from vitra_training.datasets.samples.sample import SampleOptions
from vitra_training.datasets.samples.stream import SampleStream, TrainingSet
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.statistics import StatisticsOptions, cached_statistics, pool
from vitra_training.training.config import DataConfig, SourceFormat
from vitra_training.training.synthesize import invent

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a run reads."""

    train: SampleStream
    held_out: SampleStream | None
    """Without augmentation; None when nothing is held out."""
    statistics: Statistics
    """Those of the robot where there is robot data, else of the hands; they go with the checkpoint."""
    by_set: dict[str, Statistics]
    """What each data set is normalised with."""
    content: str
    """Hash of data, split and statistics; a run resumes on the same only."""


def open_training_data(config: DataConfig, seed: int, steps: int, cache: Path, say: Say) -> TrainingData:
    """Open, measure and split the data of a run.

    Args:
        config: what is trained on.
        seed: of order and augmentation.
        steps: actions per chunk.
        cache: folder of computed statistics.
        say: receives a line about each slow thing.

    Raises:
        DatasetError: nothing usable at a path.
        ForeignStatisticsError: the given statistics are of another kind of hand.
    """
    if config.synthetic and not config.paths[0].exists():
        say(f"inventing {config.synthetic_episodes} episodes at {config.paths[0]}")
        invent(config.synthetic, config.paths[0], config.synthetic_episodes)
    sources = [open_path(path, config) for path in config.paths]
    names = _unique_names(config.paths)
    kinds = [kind_of(source) for source in sources]
    weights = config.weights or (1.0,) * len(sources)
    frames = [source.frame_index() for source in sources]
    for source, rows in zip(sources, frames, strict=True):
        if not len(rows):
            raise EmptyDatasetError(str(source.root))
    measured = _measure(config, sources, names, kinds, weights, frames, cache, say)
    options = SampleOptions(steps=steps, augment=config.augment, flip_robot=config.flip_robot)
    plain = SampleOptions(steps=steps, augment=False)
    train, held = [], []
    for name, source, kind, weight, rows in zip(names, sources, kinds, weights, frames, strict=True):
        kept = held_out_episodes(source.ids, config.holdout)
        chosen = kept[rows[:, 0]]
        train.append(TrainingSet(name, source, measured[kind], weight, options, rows[~chosen]))
        if chosen.any():
            held.append(TrainingSet(name, source, measured[kind], weight, plain, rows[chosen]))
    digest = hashlib.sha256()
    for part in [*(s.content_hash() for s in sources), *(json.dumps(m.to_dict()) for m in measured.values())]:
        digest.update(part.encode())
    return TrainingData(
        train=SampleStream(train, seed),
        held_out=SampleStream(held, seed) if held else None,
        statistics=measured.get("robot") or measured["human"],
        by_set={name: measured[kind] for name, kind in zip(names, kinds, strict=True)},
        content=digest.hexdigest(),
    )


def open_path(path: Path, config: DataConfig) -> EpisodeSource:
    """The episodes at a path, read and cut as configured.

    Raises:
        UnknownFormatError: nothing of the kind.
    """
    source: EpisodeSource
    if config.format is SourceFormat.EGODEX:
        source = EgoDex(path)
    elif config.format is SourceFormat.GRIPPER:
        source = GripperData(path)
    else:
        source = open_source(path, config.video_root)
    return Recut(source, config.annotations) if config.annotations else source


def kind_of(source: EpisodeSource) -> EmbodimentKind:
    """Whether a data set shows human hands or robots, from its first readable episode.

    Raises:
        EmptyDatasetError: no episode can be read.
    """
    last: object = ""
    for number in range(len(source)):
        try:
            return "robot" if isinstance(source.load(number).episode, RobotEpisode) else "human"
        except DatasetError as error:
            last = error
    raise EmptyDatasetError(str(source.root), str(last))


def demand_kind(statistics: Statistics, kind: EmbodimentKind) -> None:
    """Refuse statistics of human hands for a robot and the other way round.

    Raises:
        ForeignStatisticsError: they do not fit.
    """
    if (kind == "robot") != (statistics.kind is HandKind.XHAND):
        raise ForeignStatisticsError(statistics.dataset, statistics.kind.value, kind)


def held_out_episodes(ids: Sequence[str], share: float) -> np.ndarray:
    """(episodes,) bool: kept for evaluation, by a hash of the id, so that growing data sets keep their split.

    At least one episode is held out and at least one is not, where there are two and a share is asked for.
    """
    draws = np.array([int.from_bytes(hashlib.blake2b(i.encode(), digest_size=6).digest(), "big") / 2**48 for i in ids])
    kept = draws < share
    if share > 0 and len(ids) > 1:
        kept[np.argmin(draws)] = True
        kept[np.argmax(draws)] = False
    return kept


def _measure(
    config: DataConfig,
    sources: Sequence[EpisodeSource],
    names: Sequence[str],
    kinds: Sequence[EmbodimentKind],
    weights: Sequence[float],
    frames: Sequence[IntArray],
    cache: Path,
    say: Say,
) -> dict[EmbodimentKind, Statistics]:
    """Statistics per kind of hand: the given ones, or those of the mixture."""
    if config.statistics is not None:
        given = Statistics.load(config.statistics)
        for kind in kinds:
            demand_kind(given, kind)
        return {kind: given for kind in kinds}
    say("measuring statistics (kept for the next run)")
    options = StatisticsOptions(augment=config.augment, frames_per_episode=config.statistics_frames)
    parts = [
        cached_statistics(source, name, cache, options, max(config.workers, 1))
        for source, name in zip(sources, names, strict=True)
    ]
    measured: dict[EmbodimentKind, Statistics] = {}
    for kind in dict.fromkeys(kinds):
        chosen = [number for number, other in enumerate(kinds) if other == kind]
        shares = [weights[number] * len(frames[number]) for number in chosen]
        combine = mix if config.reference_averaging else pool
        measured[kind] = combine([parts[n] for n in chosen], shares, "+".join(names[n] for n in chosen))
    return measured


def _unique_names(paths: Sequence[Path]) -> list[str]:
    names: list[str] = []
    for path in paths:
        name = path.name or path.resolve().name
        names.append(name if name not in names else f"{name}-{len(names)}")
    return names
