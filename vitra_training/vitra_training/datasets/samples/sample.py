"""Training samples: image, instruction, state and action chunk at one frame of an episode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import (
    FINGERS,
    HAND,
    HAND_DIM,
    MODEL_ACTION_DIM,
    SIDES,
    STATE_DIM,
    STEPS,
    WRIST,
    Hands,
    Side,
    join_hands,
    pad_action,
    pad_state,
    state_mask,
)
from vitra_policy.prompt import format_instruction
from vitra_policy.statistics import HandKind, Statistics
from vitra_policy.transforms import delta_wrist, euler_xyz_from_matrix
from vitra_training.datasets.errors import ForeignStatisticsError, MissingCaptionError, NoValidHandError
from vitra_training.datasets.samples.captions import mirror_words, pick_wording, window_at
from vitra_training.datasets.samples.colour import ColourOptions
from vitra_training.datasets.samples.motion import EmbodimentKind, HandMotion, Motion, camera_from_wrist, palm_path
from vitra_training.datasets.samples.view import View, full_view
from vitra_training.datasets.samples.view_sampler import ViewOptions, sample_view

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class Framing(StrEnum):
    """How the view of a sample came about."""

    PLAIN = "plain"
    """Augmentation is off: the whole image."""
    AUGMENTED = "augmented"
    NO_ROOM = "no_room"
    """No random view kept the hand's path in sight: the whole image, counted by the loader."""


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """How samples are cut from episodes."""

    steps: int = STEPS
    """Actions in a chunk."""
    augment: bool = True
    """Random views and colours; off for evaluation."""
    view: ViewOptions = field(default_factory=ViewOptions)
    """Random views."""
    colour: ColourOptions = field(default_factory=ColourOptions)
    """Colour jitter."""
    flip_probability: float = 0.5
    """How often a human image is mirrored, hands and words with it."""
    flip_robot: bool = False
    """Mirror robot data too; needs statistics of both hands."""
    state_mask_probability: float = 0.1
    """How often the state is hidden, so that the policy does not only copy it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """State and actions of both hands in a view, in metres and radians."""

    state: Array
    """(102,) zeros for a hand that is not valid."""
    beta: Mapping[Side, Array]
    """(10,) hand shape per hand."""
    actions: Array
    """(steps, 102) zeros where masked."""
    step_valid: Mapping[Side, BoolArray]
    """(steps,) per hand: the step lies in the episode and in the caption that holds now, no frame was dropped up to it,
    and the hand is valid before and after it and does not jump."""
    hands: Hands
    """Hands whose state is valid."""


@dataclass(frozen=True, slots=True)
class Words:
    """The instruction of a sample, and whether it tells things apart by colour."""

    instruction: str
    captions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """All network inputs and targets of a sample except the image and the words."""

    fov_rad: NDArray[np.float32]
    """(2,)."""
    state: NDArray[np.float32]
    """(212,) normalised."""
    state_mask: BoolArray
    """(212,)."""
    actions: NDArray[np.float32]
    """(steps, 192) normalised."""
    action_mask: BoolArray
    """(steps, 192)."""
    kind: EmbodimentKind


def choose_view(motion: Motion, frame: int, rng: np.random.Generator, options: SampleOptions) -> tuple[View, Framing]:
    """A random view for a sample; without augmentation the whole image, never mirrored.

    Args:
        motion: Of an episode.
        frame: Number in it.
        rng: Of the draw.
        options: Of augmentation.
    """
    if not options.augment:
        return full_view(motion.camera), Framing.PLAIN
    may_flip = motion.kind == "human" or options.flip_robot
    flipped = bool(rng.random() < options.flip_probability) and may_flip
    view = sample_view(motion.camera, palm_path(motion, frame), rng, options.view, flipped)
    if view is None:
        return full_view(motion.camera, flipped), Framing.NO_ROOM
    return view, Framing.AUGMENTED


def cut_chunk(motion: Motion, frame: int, view: View, steps: int = STEPS) -> Chunk:
    """State at a frame and the actions that follow it, in a view of that frame's camera.

    Args:
        motion: the episode.
        frame: any frame of it; steps beyond the end are masked.
        view: the virtual camera; a mirrored view swaps the hands.
        steps: actions to cut.

    Raises:
        NoValidHandError: no hand is valid at the frame.
    """
    present = motion.valid_hands(frame)
    if not present.active:
        raise NoValidHandError(f"{motion.id}, frame {frame}")
    states: dict[Side, Array] = {}
    actions: dict[Side, Array] = {}
    step_valid: dict[Side, BoolArray] = {side: np.zeros(steps, dtype=bool) for side in SIDES}
    betas: dict[Side, Array] = {}
    stop = min(frame + steps + 1, len(motion))
    for side in SIDES:
        shown = side.other if view.flipped else side
        hand = motion.hands[side]
        betas[shown] = hand.beta
        if not present[side]:
            continue
        wrists = view.wrists(camera_from_wrist(motion, side, frame, stop))
        state, action = np.zeros(HAND_DIM), np.zeros((steps, HAND_DIM))
        state[:3], state[3:6] = wrists[0, :3, 3], euler_xyz_from_matrix(wrists[0, :3, :3])
        state[FINGERS] = hand.fingers_rad[frame]
        valid = hand.valid[frame : stop - 1] & hand.valid[frame + 1 : stop] & _described(hand, frame, stop)
        valid &= np.logical_and.accumulate(motion.regular[frame : stop - 1]) & ~hand.jumps[frame : stop - 1]
        if len(valid):
            action[: len(valid), WRIST] = delta_wrist(wrists)
            action[: len(valid), FINGERS] = hand.next_fingers_rad[frame + 1 : stop]
            action[: len(valid)][~valid] = 0.0
        states[shown], actions[shown] = state, action
        step_valid[shown][: len(valid)] = valid
    return Chunk(
        state=join_hands(states.get(Side.LEFT), states.get(Side.RIGHT)),
        beta=betas,
        actions=join_hands(actions.get(Side.LEFT), actions.get(Side.RIGHT)),
        step_valid=step_valid,
        hands=Hands(left="left" in states, right="right" in states),
    )


def choose_words(motion: Motion, frame: int, view: View, rng: np.random.Generator) -> Words:
    """The instruction at a frame: a random wording per hand, `None.` for an idle one, mirrored with the view.

    Args:
        motion: Of an episode.
        frame: Number in it.
        view: Says whether it is mirrored.
        rng: Of the draw.

    Raises:
        MissingCaptionError: no hand has a caption there.
    """
    texts: dict[Side, str | None] = {}
    for side in SIDES:
        window = window_at(motion.hands[side].text, frame)
        texts[side] = pick_wording(window, rng) if window else None
    if not any(texts.values()):
        raise MissingCaptionError(f"{motion.id}, frame {frame}", "no hand has a caption here")
    captions = tuple(text for text in texts.values() if text)
    if view.flipped:
        texts = {side.other: mirror_words(text) if text else None for side, text in texts.items()}
    return Words(format_instruction(texts[Side.LEFT], texts[Side.RIGHT]), captions)


def network_numbers(
    chunk: Chunk, view: View, kind: EmbodimentKind, statistics: Statistics, hide_state: bool = False
) -> Numbers:
    """Normalised, padded and masked numbers of a chunk, by the functions that the live robot uses.

    A hand that the statistics do not know is masked.

    Args:
        chunk: State and actions.
        view: Field of view.
        kind: Human or robot.
        statistics: Normalise.
        hide_state: Leave the state out.

    Raises:
        NoValidHandError: they know none of the valid hands, or no step can be learned from.
        ForeignStatisticsError: they are of another kind of hand; this is no matter of one episode, so it is not a
            `DatasetError` and stops a loader.
    """
    if (kind == "robot") != (statistics.kind is HandKind.XHAND):
        raise ForeignStatisticsError(statistics.dataset, statistics.kind.value, kind)
    known = Hands(**{side: chunk.hands[side] and side in statistics.present for side in SIDES})
    if not known.active:
        raise NoValidHandError(f"statistics '{statistics.dataset}' (hands: {statistics.present or 'none'})")
    mask = np.zeros((len(chunk.actions), MODEL_ACTION_DIM), dtype=bool)
    for side in known.active:
        mask[chunk.step_valid[side], HAND[side]] = True
    if not mask.any():
        raise NoValidHandError(f"steps of {' and '.join(known.active)} hand")
    valid = state_mask(Hands() if hide_state else known)
    state = np.where(valid, pad_state(statistics.normalise_state(chunk.state)), 0.0)
    actions = np.where(mask, pad_action(statistics.normalise_action(chunk.actions)), 0.0)
    return Numbers(
        fov_rad=view.fov_rad.astype(np.float32),
        state=state.astype(np.float32).reshape(STATE_DIM),
        state_mask=valid,
        actions=actions.astype(np.float32),
        action_mask=mask,
        kind=kind,
    )


def _described(hand: HandMotion, frame: int, stop: int) -> BoolArray:
    """(stop - 1 - frame,) whether a step ends within the caption that the instruction quotes; all without a caption."""
    window = window_at(hand.text, frame)
    return np.arange(frame + 1, stop) < (window.end if window else stop)
