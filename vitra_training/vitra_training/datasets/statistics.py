"""Statistics of data sets: streaming and exact when merged; the same pass notes which frames can be learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import HAND, SIDES, TRANSLATION, Side
from vitra_policy.child_processes import end_with_parent
from vitra_policy.command_options import check_whole_numbers
from vitra_policy.hand.xhand_map import xhand_vector_from_hand
from vitra_policy.statistics import HandStatistics, Moments, Statistics
from vitra_training.datasets.episode import IntArray
from vitra_training.datasets.errors import DatasetError, EmptyDatasetError, NoValidHandError
from vitra_training.datasets.samples.motion import checked_motion, doubts_of, learnable_frames
from vitra_training.datasets.samples.sample import SampleOptions, choose_view, cut_chunk
from vitra_training.datasets.sources import EpisodeSource
from vitra_training.datasets.video import VideoReader

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

_EPISODES_PER_JOB = 16
_LEAST_POSITION_M, _LEAST_ANGLE_RAD = 1e-4, 1e-3
"""What hardly moves in the data deviates by this much, lest network numbers explode where it does on the robot."""


@dataclass(frozen=True, slots=True)
class StatisticsOptions:
    """What statistics are computed over."""

    augment: bool = True
    """Over random views and flips, as training sees the data; off: over the frames as they are."""
    seed: int = 0
    """Of the random views."""
    frames_per_episode: int | None = None
    """Evenly spaced frames of an episode that are used; None for all."""

    def __post_init__(self) -> None:
        check_whole_numbers(self, {"frames_per_episode": 1, "seed": 0})


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
    doubts: Counter[str] = field(default_factory=Counter)
    """Cause -> frames or steps that are left out although their labels trust them."""
    frames: list[IntArray] = field(default_factory=list)
    """(N, 2) episode and frame at which samples can start, in pieces."""

    def merge(self, other: StatisticsCount) -> None:
        """Include another count."""
        for side in SIDES:
            self.state[side].merge(other.state[side])
            self.action[side].merge(other.action[side])
        self.episodes += other.episodes
        self.skipped |= other.skipped
        self.doubts.update(other.doubts)
        self.frames += other.frames

    @property
    def frame_index(self) -> IntArray:
        """(N, 2) every (episode, frame) at which a sample can start."""
        return np.concatenate([np.zeros((0, 2), dtype=np.int64), *self.frames])

    def statistics(self, name: str) -> Statistics:
        """What was counted, with a floor under the deviations.

        Raises:
            EmptyDatasetError: no valid frame at all.
        """
        hands = {
            side: HandStatistics(_floored(self.state[side].moments), _floored(self.action[side].moments))
            for side in SIDES
            if self.action[side].count
        }
        if not hands:
            first = next((f" The first: {why}" for why in self.skipped.values()), "")
            raise EmptyDatasetError(name, f"{len(self.skipped)} episodes are left out.{first}")
        return Statistics(name, hands, self.episodes)


def compute_statistics(
    source: EpisodeSource,
    name: str,
    options: StatisticsOptions | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[Statistics, StatisticsCount]:
    """Statistics over the valid frames of a data set, one action step each; broken episodes are skipped and named.

    Args:
        source: The episodes.
        name: Of the data set.
        options: What counts.
        workers: Processes.
        progress: Hears episodes done and their number.

    Raises:
        EmptyDatasetError: no valid frame at all.
    """
    options = options or StatisticsOptions()
    jobs = [range(n, min(n + _EPISODES_PER_JOB, len(source))) for n in range(0, len(source), _EPISODES_PER_JOB)]
    count = StatisticsCount()
    for done, part in enumerate(count_jobs(source, jobs, options, workers), start=1):
        count.merge(part)
        if progress:
            progress(jobs[done - 1].stop, len(source))
    return count.statistics(name), count


def pool(parts: Sequence[Statistics], weights: Sequence[float], name: str) -> Statistics:
    """Statistics of a mixture as of one data set: exact pooled variance, which also counts how far means lie apart.

    `vitra_policy.statistics.mix` is the reference's way (it averages the deviations).

    Args:
        parts: Of each data set.
        weights: Share of each.
        name: Of the mixture.
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


def count_jobs(
    source: EpisodeSource, jobs: Sequence[range], options: StatisticsOptions, workers: int
) -> Iterable[StatisticsCount]:
    """The count of each job, a range of episodes, in order; with several workers each in a process of its own.

    Args:
        source: The episodes.
        jobs: Ranges of their numbers.
        options: What counts.
        workers: Processes.
    """
    if workers <= 1:
        yield from (_count(source, job, options) for job in jobs)
        return
    with ProcessPoolExecutor(workers, initializer=_take_source, initargs=(source, options)) as pool_of_workers:
        yield from pool_of_workers.map(_count_here, jobs)


_here: dict[str, tuple[EpisodeSource, StatisticsOptions]] = {}


def _take_source(source: EpisodeSource, options: StatisticsOptions) -> None:
    """Once per worker: the paths of a million episodes are not sent with every job."""
    end_with_parent()
    _here["source"] = source, options


def _count_here(numbers: range) -> StatisticsCount:
    source, options = _here["source"]
    return _count(source, numbers, options)


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
        motion = checked_motion(recording, video)
    learnable = frames = np.flatnonzero(learnable_frames(motion))
    if not len(frames):
        raise NoValidHandError(recording.episode.id)
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
    index = np.stack([np.full(len(learnable), number), learnable], axis=1)
    count = StatisticsCount(episodes=1, doubts=Counter(doubts_of(motion, recording.episode)), frames=[index])
    for side in SIDES:
        if rows["action", side]:
            count.state[side].add(np.stack(rows["state", side]))
            count.action[side].add(np.stack(rows["action", side]))
    return count


def _floored(moments: Moments) -> Moments:
    floor = np.full(len(moments.std), _LEAST_ANGLE_RAD)
    floor[TRANSLATION] = _LEAST_POSITION_M
    return Moments(moments.mean, np.maximum(moments.std, floor))
