"""Statistics of data sets: streaming, exact when merged, cached by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import HAND, SIDES, Side
from vitra_policy.hand.xhand_map import xhand_vector_from_hand
from vitra_policy.statistics import HandStatistics, Moments, Statistics
from vitra_training.datasets.episode import usable_frames
from vitra_training.datasets.errors import DatasetError, EmptyDatasetError
from vitra_training.datasets.samples.motion import motion_of
from vitra_training.datasets.samples.sample import SampleOptions, choose_view, cut_chunk
from vitra_training.datasets.sources import EpisodeSource
from vitra_training.datasets.video import VideoReader

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

_VERSION = 1  # raise when the numbers change for the same data
_EPISODES_PER_JOB = 16


@dataclass(frozen=True, slots=True)
class StatisticsOptions:
    """What statistics are computed over."""

    augment: bool = True
    """Over random views and flips, as training sees the data; off: over the frames as they are."""
    seed: int = 0
    """Of the random views."""
    frames_per_episode: int | None = None
    """Evenly spaced frames of an episode that are used; None for all."""


@dataclass(slots=True)
class RunningMoments:
    """Count, mean and sum of squared deviations, updated in one pass and merged exactly (Chan et al., 1983)."""

    count: int = 0
    mean: Array = field(default_factory=lambda: np.zeros(0))
    squares: Array = field(default_factory=lambda: np.zeros(0))

    def add(self, rows: Array) -> None:
        """Include samples (N, D)."""
        if len(rows):
            mean = rows.mean(axis=0)
            self.merge(RunningMoments(len(rows), mean, ((rows - mean) ** 2).sum(axis=0)))

    def merge(self, other: RunningMoments) -> None:
        """Include all samples that another object has seen."""
        if not other.count:
            return
        if not self.count:
            self.count, self.mean, self.squares = other.count, other.mean.copy(), other.squares.copy()
            return
        total = self.count + other.count
        gap = other.mean - self.mean
        self.mean = self.mean + gap * (other.count / total)
        self.squares = self.squares + other.squares + gap**2 * (self.count * other.count / total)
        self.count = total

    @property
    def moments(self) -> Moments:
        """Mean and population standard deviation."""
        return Moments(self.mean, np.sqrt(self.squares / max(self.count, 1)))


@dataclass(slots=True)
class StatisticsCount:
    """Running moments of both hands, and what was left out."""

    state: dict[Side, RunningMoments] = field(default_factory=lambda: {side: RunningMoments() for side in SIDES})
    action: dict[Side, RunningMoments] = field(default_factory=lambda: {side: RunningMoments() for side in SIDES})
    episodes: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    """Episode id -> why."""

    def merge(self, other: StatisticsCount) -> None:
        """Include another count."""
        for side in SIDES:
            self.state[side].merge(other.state[side])
            self.action[side].merge(other.action[side])
        self.episodes += other.episodes
        self.skipped |= other.skipped


def compute_statistics(
    source: EpisodeSource,
    name: str,
    options: StatisticsOptions | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[Statistics, StatisticsCount]:
    """Statistics over the valid frames of a data set, one action step each; broken episodes are skipped and named.

    Raises:
        EmptyDatasetError: no valid frame at all.
    """
    options = options or StatisticsOptions()
    jobs = [range(n, min(n + _EPISODES_PER_JOB, len(source))) for n in range(0, len(source), _EPISODES_PER_JOB)]
    count = StatisticsCount()
    for done, part in enumerate(_run(source, jobs, options, workers), start=1):
        count.merge(part)
        if progress:
            progress(jobs[done - 1].stop, len(source))
    hands = {
        side: HandStatistics(count.state[side].moments, count.action[side].moments)
        for side in SIDES
        if count.action[side].count
    }
    if not hands:
        raise EmptyDatasetError(str(source.root), f"{len(count.skipped)} of {len(source)} episodes are broken.")
    return Statistics(name, hands, count.episodes), count


def cached_statistics(
    source: EpisodeSource, name: str, cache: Path, options: StatisticsOptions | None = None, workers: int = 1
) -> Statistics:
    """Statistics from the cache folder, computed when the data or the options changed."""
    options = options or StatisticsOptions()
    key = json.dumps([_VERSION, source.content_hash(), asdict(options)], sort_keys=True)
    path = cache / f"{name}_{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    if path.is_file():
        return Statistics.load(path)
    statistics, _ = compute_statistics(source, name, options, workers)
    cache.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    statistics.save(partial)
    partial.replace(path)
    return statistics


def pool(parts: Sequence[Statistics], weights: Sequence[float], name: str) -> Statistics:
    """Statistics of a mixture as of one data set: exact pooled variance, which also counts how far means lie apart.

    `vitra_policy.statistics.mix` is the reference's way (it averages the deviations).
    """

    def pooled(side: Side, what: str) -> Moments:
        chosen = [(getattr(p.hands[side], what), w) for p, w in zip(parts, weights, strict=True) if side in p.hands]
        shares = np.array([w for _, w in chosen], dtype=np.float64)[:, None] / sum(w for _, w in chosen)
        means, deviations = np.stack([m.mean for m, _ in chosen]), np.stack([m.std for m, _ in chosen])
        mean = (shares * means).sum(axis=0)
        variance = (shares * (deviations**2 + (means - mean) ** 2)).sum(axis=0)
        return Moments(mean, np.sqrt(variance))

    sides = [side for side in SIDES if any(side in part.hands for part in parts)]
    return Statistics(name, {side: HandStatistics(pooled(side, "state"), pooled(side, "action")) for side in sides})


def _run(
    source: EpisodeSource, jobs: Sequence[range], options: StatisticsOptions, workers: int
) -> Iterable[StatisticsCount]:
    if workers <= 1:
        yield from (_count(source, job, options) for job in jobs)
        return
    with ProcessPoolExecutor(workers) as pool_of_workers:
        yield from pool_of_workers.map(_count, [source] * len(jobs), jobs, [options] * len(jobs))


def _count(source: EpisodeSource, numbers: range, options: StatisticsOptions) -> StatisticsCount:
    count = StatisticsCount()
    for number in numbers:
        try:
            count.merge(_count_episode(source, number, options))
        except DatasetError as error:
            count.skipped[source.ids[number]] = str(error)
    return count


def _count_episode(source: EpisodeSource, number: int, options: StatisticsOptions) -> StatisticsCount:
    recording = source.load(number)
    with VideoReader(recording.video.path) as video:
        motion = motion_of(recording.episode, video.width, video.height)
    frames = np.flatnonzero(usable_frames(recording.episode))
    if options.frames_per_episode is not None and len(frames) > options.frames_per_episode:
        frames = frames[np.linspace(0, len(frames) - 1, options.frames_per_episode).round().astype(int)]
    rng = np.random.default_rng([options.seed, number])
    sample_options = SampleOptions(augment=options.augment)
    rows: dict[tuple[str, Side], list[Array]] = {(what, side): [] for what in ("state", "action") for side in SIDES}
    for frame in map(int, frames):
        view, _ = choose_view(motion, frame, rng, sample_options)
        chunk = cut_chunk(motion, frame, view, steps=1)
        for side in SIDES:
            if not chunk.step_valid[side][0]:
                continue
            state, action = chunk.state[HAND[side]], chunk.actions[0, HAND[side]]
            if motion.kind == "robot":
                state, action = xhand_vector_from_hand(state), xhand_vector_from_hand(action)
            else:
                state = np.concatenate([state, chunk.beta[side]])
            rows["state", side].append(state)
            rows["action", side].append(action)
    count = StatisticsCount(episodes=1)
    for side in SIDES:
        if rows["action", side]:
            count.state[side].add(np.stack(rows["state", side]))
            count.action[side].add(np.stack(rows["action", side]))
    return count
