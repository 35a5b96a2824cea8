"""The stages of the pipeline, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vitra_policy.errors import VitraError
from vitra_policy.extension_point import ExtensionPoint
from vitra_training.labeling.adapters.tool import Tool, ToolConfig
from vitra_training.labeling.camera.stage import CameraConfig, find_camera
from vitra_training.labeling.captions.stage import CaptionConfig, write_captions
from vitra_training.labeling.engines.stage import Scope, Stage
from vitra_training.labeling.hands.networks import models_folder
from vitra_training.labeling.hands.stage import HandsBy, HandsConfig, track_hands
from vitra_training.labeling.ingest.stage import IngestConfig, ingest
from vitra_training.labeling.quality.stage import JudgeConfig, judge
from vitra_training.labeling.segmentation.cuts import SegmentationConfig
from vitra_training.labeling.segmentation.stage import cut_actions
from vitra_training.labeling.world.stage import WorldConfig, place_hands

CUT_BY = "ingest"

STAGES = ExtensionPoint("labeling stage", "vitra_training.labeling_stages")
"""Stages of other packages: each entry point names a `Stage` (docs/how_to/add_a_labeling_stage.md)."""


class StageOrderError(VitraError):
    """A stage of another package that cannot stand where it is."""


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Configuration of every stage."""

    ingest: IngestConfig = field(default_factory=IngestConfig)
    hands: HandsConfig = field(default_factory=HandsConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    world: WorldConfig = field(default_factory=WorldConfig)
    segmentation: SegmentationConfig = field(default_factory=SegmentationConfig)
    captions: CaptionConfig = field(default_factory=CaptionConfig)
    quality: JudgeConfig = field(default_factory=JudgeConfig)
    installed: tuple[str, ...] = ()
    """Stages of other packages to run: one of the name of a stage here takes its place, others come after all."""


def stages(config: PipelineConfig) -> tuple[Stage, ...]:
    """All stages; a version is raised whenever the same input gives another output."""
    clip, video = Scope.CLIP, Scope.VIDEO
    ours = (
        Stage("ingest", 2, video, (), config.ingest, ingest, timeout_s=6 * 3600.0, memory_mib=2048),
        Stage("hands", 3, clip, ("ingest",), config.hands, track_hands, *_limits(config.hands.asked)),
        Stage(
            "camera", 4, clip, ("ingest", "hands"), config.camera, find_camera, *_limits(config.camera.outside.asked)
        ),
        Stage("world", 2, video, ("ingest", "hands", "camera"), config.world, place_hands, timeout_s=1800.0),
        Stage("segments", 1, video, ("world",), config.segmentation, cut_actions, timeout_s=600.0),
        Stage("captions", 1, video, ("ingest", "world", "segments"), config.captions, write_captions, 6 * 3600.0),
        Stage("quality", 1, video, ("ingest", "world", "captions"), config.quality, judge, timeout_s=1800.0),
    )
    return with_installed(ours, {name: STAGES.load(name, Stage) for name in config.installed})


def with_installed(ours: tuple[Stage, ...], installed: Mapping[str, Stage]) -> tuple[Stage, ...]:
    """The stages in order, with those of other packages in them.

    Args:
        ours: the pipeline's own, in order.
        installed: others by name; one of the name of ours takes its place and must read no more than comes before it.

    Raises:
        StageOrderError: a stage needs what is not there, or is not there yet.
    """
    stages = [installed.get(stage.name, stage) for stage in ours]
    stages += [stage for name, stage in installed.items() if name not in {one.name for one in ours}]
    for number, stage in enumerate(stages):
        before = [one.name for one in stages[:number]]
        for need in stage.needs:
            if need not in before:
                raise StageOrderError(
                    f"Stage '{stage.name}' needs '{need}', which does not come before it. Before it come: "
                    f"{', '.join(before) or 'none'}."
                )
    return tuple(stages)


def check_estimators(config: PipelineConfig) -> None:
    """Whether all estimators are there, before anything is started.

    Raises:
        MissingModelError: with instructions and licence.
    """
    for tool, where in (*config.hands.asked, *config.camera.outside.asked):
        tool.found(where)
    if config.hands.by is HandsBy.MEDIAPIPE:
        models_folder()


def _limits(asked: tuple[tuple[Tool, ToolConfig], ...]) -> tuple[float, int]:
    """Seconds and MiB of a stage that asks outside estimators one after the other."""
    tools = [config for _, config in asked]
    return 1800.0 + sum(tool.timeout_s for tool in tools), max([4096, *(tool.memory_mib for tool in tools)])


FINAL = "quality"
"""The last stage: a video that came through it has episodes to assemble."""
