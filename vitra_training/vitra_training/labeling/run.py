"""A whole run: find videos, do the stages, assemble episodes, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vitra_training.labeling.artifacts import load
from vitra_training.labeling.assemble.write import Assembled, assemble
from vitra_training.labeling.engines.job import Outcome
from vitra_training.labeling.engines.ledger import Ledger
from vitra_training.labeling.engines.local import Engine, LocalEngine
from vitra_training.labeling.engines.schedule import RunResult, Schedule
from vitra_training.labeling.engines.stage import WHOLE
from vitra_training.labeling.engines.workspace import Workspace
from vitra_training.labeling.ingest.layouts import FoundVideo
from vitra_training.labeling.ingest.stage import IngestedVideo, count_clips
from vitra_training.labeling.pipeline import CUT_BY, FINAL, PipelineConfig, check_estimators, stages
from vitra_training.labeling.run_report import RunFacts, write_report


class EngineKind(StrEnum):
    """Where stages run."""

    LOCAL = "local"
    """Processes of this machine."""
    RAY = "ray"
    """Actors of a Ray cluster."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a run may use."""

    workers: int = 2
    """Jobs at the same time."""
    engine: EngineKind = EngineKind.LOCAL
    """Where they run."""
    gpus: float = 0.0
    """Share of a GPU that each actor of a Ray cluster holds."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run gave."""

    stages: RunResult
    episodes: Assembled
    facts: RunFacts
    report: Path


def label(
    videos: list[FoundVideo],
    out: Path,
    config: PipelineConfig,
    resources: Resources | None = None,
    retry_quarantined: bool = False,
    progress: Callable[[Outcome | None, RunResult], None] | None = None,
) -> RunOutcome:
    """Label videos; running it again continues where it was.

    Args:
        videos: what to label.
        out: folder of results, ledger, episodes and report.
        config: of the stages.
        resources: what it runs on; None: two processes of this machine.
        retry_quarantined: try what an earlier run gave up.
        progress: called after every item.

    Raises:
        MissingModelError: an estimator is not there; nothing was started.
        DiskFullError: everything finished so far is kept.
    """
    check_estimators(config)
    resources = resources or Resources()
    start = time.monotonic()
    workspace = Workspace(out)
    if retry_quarantined:
        ledger = Ledger(workspace.ledger)
        ledger.release_quarantine()
        ledger.close()
    schedule = Schedule(stages(config), workspace, CUT_BY, count_clips)
    result = schedule.run([video.item for video in videos], _engine(resources), progress)
    ready = {
        name: {stage: folders[WHOLE] for stage, folders in outputs.items() if WHOLE in folders}
        for name, outputs in result.outputs.items()
        if WHOLE in outputs[FINAL]
    }
    dataset = str(videos[0].dataset) if videos else "plain"
    episodes = assemble(out / "episodes", dataset, ready)
    ingested = [load(IngestedVideo, o[CUT_BY][WHOLE]) for o in result.outputs.values() if WHOLE in o[CUT_BY]]
    video_s = sum(len(video) / video.fps for video in ingested)
    facts = RunFacts(len(videos), video_s, time.monotonic() - start, resources.workers, resources.engine)
    report = write_report(out / "report.html", result, episodes, facts)
    return RunOutcome(result, episodes, facts, report)


def _engine(resources: Resources) -> Engine:
    if resources.engine is EngineKind.LOCAL:
        return LocalEngine(resources.workers)
    from vitra_training.labeling.engines.ray_engine import RayEngine  # needs ray

    return RayEngine(resources.workers, resources.gpus)
