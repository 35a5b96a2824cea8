"""Everything a run gives: episodes in three formats, what is known about each, previews and statistics."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vitra_training.datasets.errors import DatasetError
from vitra_training.datasets.formats.egosmith import EgoSmithWriter
from vitra_training.datasets.formats.store import StoreWriter
from vitra_training.datasets.formats.vitra_1m import write_episode, write_index
from vitra_training.datasets.preview import write_preview
from vitra_training.labeling.assemble.episodes import Labelled, episodes_of

_PREVIEWS = 6


@dataclass(slots=True)
class Assembled:
    """What was written."""

    accepted: int = 0
    rejected: int = 0
    frames: int = 0
    seconds: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    executable: list[float] = field(default_factory=list)
    """Of the accepted episodes."""
    previews: list[Path] = field(default_factory=list)
    best: list[str] = field(default_factory=list)
    worst: list[str] = field(default_factory=list)
    empty_videos: list[str] = field(default_factory=list)
    """Videos without a single accepted episode."""


def assemble(
    out: Path,
    dataset: str,
    videos: Mapping[str, dict[str, Path]],
    progress: Callable[[int, int], None] | None = None,
    previews: int = _PREVIEWS,
) -> Assembled:
    """Write the episodes of a run into a new folder that takes the place of an earlier one.

    `annotations/` and `Video/` are VITRA-1M's layout, `store/` is the canonical store, `egosmith/` the WebDataset;
    `labels/` says of every episode where each number comes from, `rejected.json` which episodes were left out and why.

    Args:
        out: the folder.
        dataset: name in episode ids; without underscores.
        videos: name -> stage -> folder of results; only videos that came through all stages.
        progress: called with videos done and to do.
        previews: overlay videos to draw.
    """
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    result, lengths, rejected = Assembled(), {}, {}
    kept: list[Labelled] = []
    (partial / "annotations").mkdir(parents=True)
    (partial / "labels").mkdir()
    (partial / "Video").mkdir()
    with StoreWriter(partial / "store") as store:
        for done, (name, folders) in enumerate(sorted(videos.items())):
            labelled = episodes_of(dataset, name, folders)
            good = [one for one in labelled if one.accepted]
            for one in labelled:
                id = one.recording.episode.id
                (partial / "labels" / f"{id}.json").write_text(json.dumps(one.provenance) + "\n")
                if not one.accepted:
                    rejected[id] = list(one.reasons)
                    result.reasons.update(reason.split(":")[0] for reason in one.reasons)
            if good:
                _link(good[0].recording.video.path, partial / "Video", name)
            else:
                result.empty_videos.append(name)
            for one in good:
                try:
                    store.add(one.recording)
                except DatasetError as error:
                    rejected[one.recording.episode.id] = [str(error)]
                    result.reasons["cannot be stored"] += 1
                    continue
                write_episode(one.recording.episode, partial / "annotations")  # type: ignore[arg-type]
                lengths[one.recording.episode.id] = len(one.recording.episode)
                kept.append(one)
            if progress:
                progress(done + 1, len(videos))
    write_index(partial / "annotations", lengths)
    (partial / "rejected.json").write_text(json.dumps(rejected, indent=1) + "\n")
    with ThreadPoolExecutor(1) as beside:  # images are read and written outside the interpreter's lock
        shards = beside.submit(_write_shards, partial / "egosmith", dataset, tuple(kept))
        _summarise(result, kept, rejected)
        _previews(result, kept, partial / "previews", previews)
        shards.result()
    (partial / "statistics.json").write_text(json.dumps(statistics(result, kept), indent=1) + "\n")
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)
    result.previews = [out / path.relative_to(partial) for path in result.previews]
    return result


def _write_shards(root: Path, dataset: str, kept: Sequence[Labelled]) -> None:
    with EgoSmithWriter(root, dataset) as egosmith:
        for one in kept:
            egosmith.add(one.recording, one.provenance["hand"]["source"])


def statistics(result: Assembled, kept: list[Labelled]) -> dict[str, object]:
    """Numbers of a data set, as JSON."""
    lengths = [len(one.recording.episode) for one in kept]
    sources = Counter(one.provenance["hand"]["source"] for one in kept)
    captions = Counter(one.provenance["caption"]["source"] for one in kept)
    return {
        "episodes": result.accepted,
        "rejected": result.rejected,
        "reasons": dict(result.reasons),
        "frames": result.frames,
        "median_frames": float(np.median(lengths)) if lengths else 0.0,
        "hand_sources": dict(sources),
        "caption_sources": dict(captions),
        "executable_median": float(np.median(result.executable)) if result.executable else 0.0,
        "sides": dict(Counter(str(one.recording.episode.anno_type) for one in kept)),  # type: ignore[union-attr]
    }


def _summarise(result: Assembled, kept: list[Labelled], rejected: Mapping[str, list[str]]) -> None:
    result.accepted, result.rejected = len(kept), len(rejected)
    result.frames = sum(len(one.recording.episode) for one in kept)
    result.executable = [one.executable for one in kept]
    kept.sort(key=lambda one: -float(np.mean(one.provenance["hand"]["confidence"])))
    result.best = [one.recording.episode.id for one in kept[:3]]
    result.worst = [one.recording.episode.id for one in kept[-3:]]


def _previews(result: Assembled, kept: list[Labelled], folder: Path, count: int) -> None:
    """Overlays of the most and the least certain episodes."""
    chosen = kept if len(kept) <= count else [*kept[: count // 2], *kept[-(count - count // 2) :]]
    for one in chosen if count else []:
        path = folder / f"{one.recording.episode.id}.mp4"
        result.previews.append(write_preview(one.recording, path))


def _link(source: Path, folder: Path, name: str) -> None:
    """The video under the name that annotations use: a link where that is possible, a copy otherwise."""
    target = folder / f"{name}{'.webm' if source.suffix == '.webm' else '.mp4'}"
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
