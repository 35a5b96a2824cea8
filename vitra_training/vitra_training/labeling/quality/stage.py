"""The quality stage: faults and executability of every captioned action."""

from __future__ import annotations

from dataclasses import dataclass, field

from vitra_policy.action_space import SIDES
from vitra_training.datasets.camera import camera_for_video
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.captions.stage import Captions
from vitra_training.labeling.engines.stage import Inputs
from vitra_training.labeling.ingest.stage import IngestedVideo
from vitra_training.labeling.quality.executability import Executability, ExecutabilityConfig, executability
from vitra_training.labeling.quality.filters import QualityConfig, faults
from vitra_training.labeling.world.stage import WorldHands


@dataclass(frozen=True, slots=True)
class JudgeConfig:
    """How episodes are judged."""

    quality: QualityConfig = field(default_factory=QualityConfig)
    robot: ExecutabilityConfig = field(default_factory=ExecutabilityConfig)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of one action."""

    faults: tuple[str, ...]
    robot: Executability


@dataclass(frozen=True, slots=True)
class Judgements:
    """In the order of the captions."""

    actions: tuple[Judgement, ...]


def judge(inputs: Inputs, config: JudgeConfig) -> Judgements:
    """Judge every action of a video."""
    video, world = load(IngestedVideo, inputs.one("ingest")), load(WorldHands, inputs.one("world"))
    camera = camera_for_video(world.intrinsics, video.width_px, video.height_px)
    judged = []
    for captioned in load(Captions, inputs.one("captions")).actions:
        action = captioned.action
        row, here = SIDES.index(action.side), slice(action.start, action.end)
        path = world.camera_from_world[action.start] @ world.world_from_wrist[row, here]
        robot = executability(path, world.fingers_rad[row, here], action.side, world.fps, config.robot)
        found = faults(world, action, camera, config.quality)
        judged.append(Judgement(tuple(str(fault) for fault in found), robot))
    return Judgements(tuple(judged))
