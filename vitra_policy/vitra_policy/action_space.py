"""Layout of the hand action and state vectors: which number means what, per hand, padding and masks.

One hand is 51 numbers: wrist translation (3, m), wrist rotation (3, Euler xyz, rad), 15 finger joints x Euler xyz
(45, rad; MANO order index, middle, pinky, ring, thumb; right-hand convention for both hands). Left comes first:
``[left 0:51 | right 51:102]``. The model pads actions to 192 and the state to 212 with masked zeros
(docs/model.md: State). In an action the wrist part is a camera-frame delta to the next frame and the fingers are the
absolute rotations of the next frame; in a state everything is absolute in the camera frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.errors import VitraError


class Side(StrEnum):
    """Which arm or hand; equals its name in messages and files."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def other(self) -> Side:
        """The other hand."""
        return Side.RIGHT if self is Side.LEFT else Side.LEFT


SIDES: tuple[Side, Side] = (Side.LEFT, Side.RIGHT)


def sides_of(arms: str) -> tuple[Side, ...]:
    """Sides that the parameter `arms` names.

    Args:
        arms: left, right or both.
    """
    return SIDES if arms == "both" else (Side(arms),)


TRANSLATION_DIM = 3
WRIST_DIM = 6
FINGERS_DIM = 45
HAND_DIM = WRIST_DIM + FINGERS_DIM
ACTION_DIM = 2 * HAND_DIM
BETA_DIM = 10
HUMAN_STATE_DIM = HAND_DIM + BETA_DIM
XHAND_JOINTS = 12
XHAND_DIM = WRIST_DIM + XHAND_JOINTS
MODEL_ACTION_DIM = 192
STATE_DIM = 212
STEPS = 16

# Slices within one hand's 51 numbers.
TRANSLATION = slice(0, 3)
ROTATION = slice(3, 6)
WRIST = slice(0, WRIST_DIM)
FINGERS = slice(WRIST_DIM, HAND_DIM)

# One hand's 51 numbers within the 102-, 192- or 212-vector.
HAND: dict[Side, slice] = {Side.LEFT: slice(0, HAND_DIM), Side.RIGHT: slice(HAND_DIM, ACTION_DIM)}

_Scalar = TypeVar("_Scalar", bound=np.generic)
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class ShapeMismatchError(VitraError):
    """An array has another shape than its meaning asks for."""

    def __init__(self, what: str, got: tuple[int, ...], expected: str) -> None:
        super().__init__(f"{what} has shape {got}; expected {expected}. See vitra_policy.action_space for the layout.")


@dataclass(frozen=True, slots=True)
class Hands:
    """Which hands are active (observed, commanded, or named in the instruction)."""

    left: bool = False
    right: bool = False

    def __getitem__(self, side: Side) -> bool:
        return self.left if side == "left" else self.right

    @property
    def active(self) -> tuple[Side, ...]:
        """The active sides, left first."""
        return tuple(side for side in SIDES if self[side])


def join_hands(left: ArrayLike | None, right: ArrayLike | None) -> FloatArray:
    """Vectors (..., 102) of per-hand vectors (..., 51); an absent hand is zeros."""
    hands = [None if hand is None else np.asarray(hand, dtype=np.float64) for hand in (left, right)]
    present = [hand for hand in hands if hand is not None]
    if not present:
        return np.zeros(ACTION_DIM)
    for hand in present:
        _expect_last("one hand", hand, HAND_DIM)
    zeros = np.zeros_like(present[0])
    return np.concatenate([zeros if hand is None else hand for hand in hands], axis=-1)


def split_hands(vector: ArrayLike) -> dict[Side, FloatArray]:
    """Per-hand vectors (..., 51) of a vector (..., 102), (..., 192) or (..., 212).

    Raises:
        ShapeMismatchError: another width.
    """
    values = np.asarray(vector, dtype=np.float64)
    if values.shape[-1:] not in {(ACTION_DIM,), (MODEL_ACTION_DIM,), (STATE_DIM,)}:
        raise ShapeMismatchError("hand vector", values.shape, "(..., 102), (..., 192) or (..., 212)")
    return {side: values[..., HAND[side]] for side in SIDES}


def pad_action(action: ArrayLike) -> FloatArray:
    """Model actions (..., 192) of actions (..., 102)."""
    return _pad(_expect_last("action", np.asarray(action, dtype=np.float64), ACTION_DIM), MODEL_ACTION_DIM)


def unpad_action(action: ArrayLike) -> FloatArray:
    """Actions (..., 102) of model actions (..., 192)."""
    return _expect_last("model action", np.asarray(action, dtype=np.float64), MODEL_ACTION_DIM)[..., :ACTION_DIM]


def pad_state(state: ArrayLike) -> FloatArray:
    """Model states (..., 212) of states (..., 102), or of human states (..., 122) whose shape betas are dropped."""
    values = np.asarray(state, dtype=np.float64)
    if values.shape[-1:] == (2 * HUMAN_STATE_DIM,):
        values = np.concatenate([values[..., :HAND_DIM], values[..., HUMAN_STATE_DIM:][..., :HAND_DIM]], axis=-1)
    return _pad(_expect_last("state", values, ACTION_DIM), STATE_DIM)


def state_mask(hands: Hands, hand_dims: ArrayLike | None = None) -> BoolArray:
    """Valid state dimensions (212,).

    Args:
        hands: the hands whose state is known.
        hand_dims: (51,) bool, the dimensions that count on an active hand; default all, which is what the published
            checkpoints were trained with. ``xhand_map.MAPPED_HAND_DIMS`` masks what an XHand cannot express, as the
            paper says.
    """
    return _mask(hands, hand_dims, STATE_DIM)


def action_mask(
    hands: Hands, hand_dims: ArrayLike | None = None, steps: int = STEPS, valid_steps: int | None = None
) -> BoolArray:
    """Valid action dimensions (steps, 192); steps from ``valid_steps`` on lie beyond the episode and are masked.

    Args:
        hands: Which hands act.
        hand_dims: Which of a hand's 51 numbers count (51,); None: all.
        steps: Length of the chunk.
        valid_steps: Steps before the end of the episode; None: all.
    """
    mask = np.tile(_mask(hands, hand_dims, MODEL_ACTION_DIM), (steps, 1))
    if valid_steps is not None:
        mask[valid_steps:] = False
    return mask


def _mask(hands: Hands, hand_dims: ArrayLike | None, width: int) -> BoolArray:
    dims = np.ones(HAND_DIM, dtype=bool) if hand_dims is None else np.asarray(hand_dims, dtype=bool)
    _expect_last("hand_dims", dims, HAND_DIM)
    mask = np.zeros(width, dtype=bool)
    for side in hands.active:
        mask[HAND[side]] = dims
    return mask


def _pad(values: FloatArray, width: int) -> FloatArray:
    padding = [(0, 0)] * (values.ndim - 1) + [(0, width - values.shape[-1])]
    return np.pad(values, padding)


def _expect_last(what: str, values: NDArray[_Scalar], width: int) -> NDArray[_Scalar]:
    if values.shape[-1:] != (width,):
        raise ShapeMismatchError(what, values.shape, f"(..., {width})")
    return values
