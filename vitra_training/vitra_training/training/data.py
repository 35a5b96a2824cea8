"""Data sets as a run uses them: opened or synthesized, split, measured, mixed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitra_policy.statistics import HandKind, Statistics, mix
from vitra_training.baselines.annotations import Recut
from vitra_training.baselines.egodex import EgoDex
from vitra_training.baselines.gripper import GripperData
from vitra_training.datasets.episode import RobotEpisode
from vitra_training.datasets.errors import DatasetError, EmptyDatasetError, ForeignStatisticsError
from vitra_training.datasets.samples.motion import EmbodimentKind
from vitra_training.datasets.samples.sample import SampleOptions
from vitra_training.datasets.samples.stream import SampleStream, TrainingSet
from vitra_training.datasets.sources import EpisodeSource, open_to_learn
from vitra_training.datasets.statistics import StatisticsOptions, pool
from vitra_training.datasets.survey import Share, Survey, survey
from vitra_training.training.config import DataConfig, SourceFormat
from vitra_training.training.synthesize import synthesize

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


def open_training_data(
    config: DataConfig, seed: int, steps: int, cache: Path, say: Say, share: Share | None = None
) -> TrainingData:
    """Open, measure and split the data of a run; all processes of a team measure together.

    Args:
        config: what is trained on.
        seed: of order and augmentation.
        steps: actions per chunk.
        cache: folder of computed statistics.
        say: receives a line about each slow thing.
        share: what this process measures of it; None: all.

    Raises:
        DatasetError: nothing usable at a path.
        ForeignStatisticsError: the given statistics are of another kind of hand.
    """
    sources = [open_path(path, config) for path in config.paths]
    names = _unique_names(config.paths)
    kinds = [kind_of(source) for source in sources]
    weights = config.weights or (1.0,) * len(sources)
    say("surveying the data: what can be learned from, and its statistics (kept for the next run)")
    look = StatisticsOptions(augment=config.augment, frames_per_episode=config.statistics_frames)
    share = replace(share or Share(), workers=max(config.workers, 1))
    surveys = [survey(source, name, cache, look, share) for source, name in zip(sources, names, strict=True)]
    frames = [found.frames for found in surveys]
    for source, found in zip(sources, surveys, strict=True):
        source.broken |= found.left_out
        _say_what_is_left_out(found, say)
    measured = _measure(config, surveys, names, kinds, weights)
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
    for part in [*(found.content for found in surveys), *(json.dumps(m.to_dict()) for m in measured.values())]:
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
        RecordingsError: bags, which their conversion judges.
    """
    source: EpisodeSource
    if config.format is SourceFormat.EGODEX:
        source = EgoDex(path)
    elif config.format is SourceFormat.GRIPPER:
        source = GripperData(path)
    else:
        source = open_to_learn(path, config.video_root)
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
    surveys: Sequence[Survey],
    names: Sequence[str],
    kinds: Sequence[EmbodimentKind],
    weights: Sequence[float],
) -> dict[EmbodimentKind, Statistics]:
    """Statistics per kind of hand: the given ones, or those of the mixture."""
    if config.statistics is not None:
        given = Statistics.load(config.statistics)
        for kind in kinds:
            demand_kind(given, kind)
        return {kind: given for kind in kinds}
    measured: dict[EmbodimentKind, Statistics] = {}
    for kind in dict.fromkeys(kinds):
        chosen = [number for number, other in enumerate(kinds) if other == kind]
        shares = [weights[number] * len(surveys[number].frames) for number in chosen]
        combine = mix if config.reference_averaging else pool
        parts = [surveys[n].statistics for n in chosen]
        measured[kind] = combine(parts, shares, "+".join(names[n] for n in chosen))
    return measured


def _say_what_is_left_out(found: Survey, say: Say) -> None:
    name = found.statistics.dataset
    for episode, why in list(found.left_out.items())[:1]:
        say(f"{name}: {len(found.left_out)} episodes are left out, for example {episode}: {why}")
    doubts = [f"{count} {cause}" for cause, count in found.doubts.items() if count]
    if doubts:
        say(f"{name}: {', '.join(doubts)} are left out")


def synthesize_if_asked(config: DataConfig, say: Say) -> None:
    """Make synthetic data where they are asked for and not there; one process of a team does it."""
    if config.synthetic and not config.paths[0].exists():
        say(f"synthesizing {config.synthetic_episodes} episodes at {config.paths[0]}")
        synthesize(config.synthetic, config.paths[0], config.synthetic_episodes)


def _unique_names(paths: Sequence[Path]) -> list[str]:
    names: list[str] = []
    for path in paths:
        name = path.name or path.resolve().name
        names.append(name if name not in names else f"{name}-{len(names)}")
    return names
