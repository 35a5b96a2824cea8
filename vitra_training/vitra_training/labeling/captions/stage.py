"""The caption stage: words for every action of a video."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from vitra_policy.action_space import SIDES
from vitra_policy.hand.skeleton import palm_centre
from vitra_training.labeling.artifacts import load
from vitra_training.labeling.captions.answer import NOTHING
from vitra_training.labeling.captions.client import (
    CaptionClient,
    CaptionError,
    ClientConfig,
    UnavailableCaptionError,
)
from vitra_training.labeling.captions.frames import drawn, jpeg, sampled
from vitra_training.labeling.captions.template import SOURCE, describe
from vitra_training.labeling.engines.job import output_folder
from vitra_training.labeling.engines.stage import Inputs
from vitra_training.labeling.ingest.stage import IngestedVideo, images
from vitra_training.labeling.segmentation.stage import Action, Segments
from vitra_training.labeling.world.stage import WorldHands

_ANSWERS = "caption-answers"


class Captioner(StrEnum):
    """Who writes captions."""

    TEMPLATE = "template"
    """Offline: direction and distance of the motion, no names of things."""
    OPENAI = "openai"
    """A vision-language model behind an OpenAI-compatible server."""


@dataclass(frozen=True, slots=True)
class CaptionConfig:
    """How captions are written."""

    captioner: Captioner = Captioner.TEMPLATE
    """Who writes them."""
    client: ClientConfig = field(default_factory=ClientConfig)
    """The server, for `openai`."""
    cache: Path | None = None
    """Folder of prompts, images and answers; beside the video's results where none is given."""


@dataclass(frozen=True, slots=True)
class CaptionedAction:
    """An action with words."""

    action: Action
    caption: str
    """"N/A" for nothing of meaning; empty where no caption could be had."""
    rephrases: tuple[str, ...]
    source: str
    """template, or the model's name."""
    problem: str
    """Why there is no caption."""


@dataclass(frozen=True, slots=True)
class Captions:
    """Words of a video's actions."""

    actions: tuple[CaptionedAction, ...]
    prompt_tokens: int
    answer_tokens: int
    requests: int


def write_captions(inputs: Inputs, config: CaptionConfig) -> Captions:
    """Caption every action; one that no answer could be had for keeps the reason.

    Answers are kept outside the result, so that one that was paid for outlives a failure later on.

    Raises:
        CaptionBudgetError: the allowed cost is used up.
        UnavailableCaptionError: the server answers nobody; the same command with `--retry-quarantined` asks again.
    """
    world, segments = load(WorldHands, inputs.one("world")), load(Segments, inputs.one("segments"))
    palms = palm_centre(world.keypoints_m)
    if config.captioner is Captioner.TEMPLATE:
        return Captions(tuple(_template(action, palms, world) for action in segments.actions), 0, 0, 0)
    folder = inputs.one("ingest")
    video = load(IngestedVideo, folder)
    client = CaptionClient(config.client, config.cache or output_folder().parent / _ANSWERS)
    done = []
    for action in segments.actions:
        shown = _images(action, palms, world, video, folder)
        try:
            got = client.caption(action.side, shown)
            done.append(CaptionedAction(action, got.text, got.rephrases, got.source, ""))
        except UnavailableCaptionError:
            raise
        except CaptionError as error:
            done.append(CaptionedAction(action, "", (), config.client.model, str(error)))
    spent = client.spent
    return Captions(tuple(done), spent.prompt_tokens, spent.answer_tokens, spent.requests)


def meaningful(caption: CaptionedAction) -> bool:
    """Whether there is something to learn from it."""
    return bool(caption.caption) and caption.caption != NOTHING


def _template(action: Action, palms: np.ndarray, world: WorldHands) -> CaptionedAction:
    row = SIDES.index(action.side)
    text, rephrases = describe(
        action.side, palms[row, action.start : action.end], world.camera_from_world[action.start]
    )
    return CaptionedAction(action, text, rephrases, SOURCE, "")


def _images(action: Action, palms: np.ndarray, world: WorldHands, video: IngestedVideo, folder: Path) -> list[bytes]:
    row, shown = SIDES.index(action.side), []
    for frame in sampled(action.start, action.end):
        image = next(iter(images(video, folder, frame, frame + 1)))
        if image is None:
            continue
        way = palms[row, frame : action.end]
        shown.append(jpeg(drawn(image, way, world.camera_from_world[frame], world.intrinsics)))
    return shown
