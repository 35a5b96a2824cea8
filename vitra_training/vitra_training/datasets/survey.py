"""One pass over a data set, shared among training processes: frames to learn from, statistics, what is left out.

    CACHE/NAME-KEY/part-00000.npz   what one process found in a range of episodes, appears whole
    CACHE/NAME-KEY.npz              all of it

A process that finds a part already there goes on to the next, so a pass that was cut short is taken up again, and
nobody waits behind a barrier: whoever is ready looks for the parts of the others, as long as these make progress.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitra_policy.action_space import SIDES
from vitra_policy.statistics import Statistics
from vitra_training.datasets.episode import IntArray
from vitra_training.datasets.errors import BrokenFileError, SurveyStalledError
from vitra_training.datasets.sources import EpisodeSource, digest_of, stamp_of
from vitra_training.datasets.statistics import RunningMoments, StatisticsCount, StatisticsOptions, count_jobs

Progress = Callable[[int, int], None]

_VERSION = 1  # raise when the result changes for the same data
_PARTS_MAX, _EPISODES_MIN = 4096, 16
_LOOK_AGAIN_S = 0.2
STALLED_S = 1800.0
"""So long may all other processes find nothing; a part is a few minutes of work at most."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which parts this process makes."""

    rank: int = 0
    world_size: int = 1
    workers: int = 1
    """Processes of its own."""
    stalled_s: float = STALLED_S
    """The others' parts are waited for so long after the last one came."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a data set holds."""

    statistics: Statistics
    frames: IntArray
    """(N, 2) every (episode, frame) at which a sample can start."""
    left_out: dict[str, str]
    """Episode id -> why nothing of it is used."""
    doubts: dict[str, int]
    """Cause -> frames or steps that are not used although their labels trust them."""
    content: str
    """SHA-256 of the data."""


def survey(
    source: EpisodeSource,
    name: str,
    cache: Path,
    options: StatisticsOptions | None = None,
    share: Share | None = None,
    progress: Progress | None = None,
) -> Survey:
    """The survey of a data set from the cache, made by all processes together when data or options changed.

    Args:
        source: The episodes.
        name: Of the data set.
        cache: Folder of surveys.
        options: What counts.
        share: What this process makes of it; None: all.
        progress: Hears episodes done and their number.

    Raises:
        EmptyDatasetError: no frame can be learned from.
        SurveyStalledError: other processes do not deliver their parts.
    """
    options, share = options or StatisticsOptions(), share or Share()
    key = json.dumps([_VERSION, stamp_of(source), asdict(options)], sort_keys=True)
    folder = cache / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    whole = folder.with_suffix(".npz")
    if not whole.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        jobs = _jobs(len(source))
        parts = [folder / f"part-{number:05d}.npz" for number in range(len(jobs))]
        _make_parts(source, jobs, parts, options, share, progress)
        _await(parts, whole, share.stalled_s, progress)
        if share.rank == 0:
            _write(whole, *_merged(parts))
    elif share.rank == 0:
        shutil.rmtree(folder, ignore_errors=True)
    if share.rank != 0:
        _await([whole], whole, share.stalled_s, None)
    count, digest = _read(whole)
    return Survey(count.statistics(name), count.frame_index, count.skipped, dict(count.doubts), digest)


def _jobs(episodes: int) -> list[range]:
    size = max(_EPISODES_MIN, -(-episodes // _PARTS_MAX))
    return [range(first, min(first + size, episodes)) for first in range(0, episodes, size)]


def _make_parts(
    source: EpisodeSource,
    jobs: list[range],
    parts: list[Path],
    options: StatisticsOptions,
    share: Share,
    progress: Progress | None,
) -> None:
    mine = [n for n in range(share.rank, len(jobs), share.world_size) if not parts[n].is_file()]
    counts = count_jobs(source, [jobs[n] for n in mine], options, min(share.workers, max(len(mine), 1)))
    for done, (number, count) in enumerate(zip(mine, counts, strict=True), start=1):
        _write(parts[number], count, digest_of(source, jobs[number]))
        if progress:
            progress(done, len(mine))


def _await(parts: list[Path], whole: Path, stalled_s: float, progress: Progress | None) -> None:
    missing, since_s = len(parts) + 1, time.monotonic()
    while not whole.is_file():
        there = sum(part.is_file() for part in parts)
        if there == len(parts):
            return
        if len(parts) - there < missing:
            missing, since_s = len(parts) - there, time.monotonic()
        elif time.monotonic() - since_s > stalled_s:
            raise SurveyStalledError(parts[0].parent, missing, len(parts), stalled_s)
        if progress:
            progress(there, len(parts))
        time.sleep(_LOOK_AGAIN_S)


def _merged(parts: list[Path]) -> tuple[StatisticsCount, str]:
    total, digest = StatisticsCount(), hashlib.sha256()
    for part in parts:
        count, content = _read(part)
        total.merge(count)
        digest.update(content.encode())
    return total, digest.hexdigest()


def _write(path: Path, count: StatisticsCount, digest: str) -> None:
    said = {"episodes": count.episodes, "skipped": count.skipped, "doubts": dict(count.doubts), "digest": digest}
    arrays: dict[str, Any] = {}
    for side in SIDES:
        for what, moments in (("state", count.state[side]), ("action", count.action[side])):
            arrays |= {f"{side}_{what}_mean": moments.mean, f"{side}_{what}_squares": moments.squares}
            said[f"{side}_{what}_count"] = moments.count
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, said=np.array(json.dumps(said)), frames=count.frame_index.astype(np.int32), **arrays)
    partial.replace(path)


def _read(path: Path) -> tuple[StatisticsCount, str]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file.items())
        said = json.loads(str(arrays["said"]))
        count = StatisticsCount(
            episodes=said["episodes"],
            skipped=said["skipped"],
            doubts=Counter(said["doubts"]),
            frames=[arrays["frames"].astype(np.int64)],
        )
        for side in SIDES:
            for what, place in (("state", count.state), ("action", count.action)):
                mean, squares = arrays[f"{side}_{what}_mean"], arrays[f"{side}_{what}_squares"]
                place[side] = RunningMoments(said[f"{side}_{what}_count"], mean, squares)
    except Exception as cause:  # zip, header and key errors alike mean the same to a user
        raise BrokenFileError(path, "survey (delete it, and it is made anew)", cause) from None
    return count, str(said["digest"])
