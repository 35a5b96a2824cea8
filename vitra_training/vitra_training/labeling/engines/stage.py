"""What a stage of the pipeline is: a function with typed inputs and output, a version and a configuration."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

WHOLE = -1
"""The clip number of work on a whole video."""


class Scope(StrEnum):
    """What one item of a stage is."""

    VIDEO = "video"
    CLIP = "clip"


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of work of a stage."""

    video: str
    """Its name, unique in a run and safe as a folder name."""
    source: Path
    """The video file."""
    clip: int = WHOLE
    """Number of the clip, `WHOLE` for the video as such."""

    def __str__(self) -> str:
        return self.video if self.clip == WHOLE else f"{self.video} clip {self.clip}"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a stage may read."""

    item: Item
    folders: Mapping[str, Mapping[int, Path]]
    """Stage -> clip -> folder of its output; `WHOLE` is the key of video stages. Failed clips are absent."""

    def one(self, stage: str) -> Path:
        """The output of a stage for this clip or, where that works on whole videos, for this video."""
        found = self.folders[stage]
        return found[WHOLE] if WHOLE in found else found[self.item.clip]


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of the pipeline; `run` is a function of a module, since it is called in another process."""

    name: str
    version: int
    """Raised whenever the same input gives another output."""
    scope: Scope
    needs: tuple[str, ...]
    """Stages whose output it reads."""
    config: Any
    """A frozen dataclass; part of the key under which results are kept."""
    run: Callable[[Inputs, Any], Any]
    """Makes the typed result (a frozen dataclass), which the worker saves; further files (images, videos) go into
    `engines.job.output_folder()`."""
    timeout_s: float = 1800.0
    memory_mib: int = 4096


def config_hash(stage: Stage, hashes: Mapping[str, str]) -> str:
    """12 hexadecimal digits of everything that decides a stage's output, besides the video itself.

    Args:
        stage: the stage.
        hashes: of the stages that it needs.
    """
    is_instance = dataclasses.is_dataclass(stage.config) and not isinstance(stage.config, type)
    config = dataclasses.asdict(stage.config) if is_instance else stage.config
    content = [stage.name, stage.version, config, [hashes[name] for name in stage.needs]]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12]


def chain_hashes(stages: tuple[Stage, ...]) -> dict[str, str]:
    """The hash of every stage; stages are in order, each after those it needs."""
    hashes: dict[str, str] = {}
    for stage in stages:
        hashes[stage.name] = config_hash(stage, hashes)
    return hashes
