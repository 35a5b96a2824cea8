"""Dataset statistics: the means and deviations that turn metres and radians into network numbers and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vitra_policy.action_space import (
    ACTION_DIM,
    HAND,
    HAND_DIM,
    HUMAN_STATE_DIM,
    MODEL_ACTION_DIM,
    SIDES,
    XHAND_DIM,
    Hands,
    ShapeMismatchError,
    Side,
)
from vitra_policy.errors import VitraError
from vitra_policy.hand.xhand_map import hand_from_xhand_vector, xhand_vector_from_hand
from vitra_policy.moments import FloatArray
from vitra_policy.moments import HandStatistics as HandStatistics
from vitra_policy.moments import Moments as Moments
from vitra_policy.moments import StatisticsError as StatisticsError
from vitra_policy.statistics_bounds import FEW, flat_numbers, implausible_hand, misnamed, once_each, unlikely

_ABSENT = 1e-4
"""The reference writes this as mean and deviation of a hand its dataset never shows."""
_ANEW = "Compute them anew with `vitra-data stats`."
_SO = "If the data are so indeed, leave the file out: a training measures its data itself, and keeps what it found."


class AbsentHandError(VitraError):
    """Numbers of a hand for which the dataset has no statistics."""

    def __init__(self, side: Side, dataset: str, present: Sequence[Side]) -> None:
        self.side = side
        super().__init__(
            f"Statistics of '{dataset}' have no {side} hand (present: {', '.join(present) or 'none'}), so its actions "
            "mean nothing. Leave that hand idle and out of the action mask, or use a checkpoint trained on it."
        )


class HandKind(StrEnum):
    """What one hand's statistics are over."""

    HUMAN = "human"
    """51 action numbers in MANO convention (and 61 state numbers, ten of them hand shape)."""
    XHAND = "xhand"
    """18 numbers: wrist 6 and the 12 XHand joints in vendor order."""


_WIDTHS: dict[int, HandKind] = {HAND_DIM: HandKind.HUMAN, XHAND_DIM: HandKind.XHAND}


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of one dataset or mixture.

    All vectors that go in and out are in the common layout of :mod:`vitra_policy.action_space`, also for XHand data:
    its statistics are over robot joints, and the mapping to MANO slots comes after normalising (docs/model.md: State).
    """

    dataset: str
    hands: dict[Side, HandStatistics] = field(default_factory=dict)
    trajectories: int | None = None

    @property
    def present(self) -> tuple[Side, ...]:
        """Sides that have statistics."""
        return tuple(side for side in SIDES if side in self.hands)

    @property
    def kind(self) -> HandKind:
        """Human hands or XHands."""
        widths = {len(hand.action.mean) for hand in self.hands.values()}
        return _WIDTHS[widths.pop()] if widths else HandKind.HUMAN

    def normalise_state(self, state: ArrayLike) -> FloatArray:
        """Network states (..., 102) of states (..., 102) in metres and radians, or of human states (..., 122).

        A hand without statistics becomes 0; mask it.

        Raises:
            ShapeMismatchError: another width.
        """
        values = np.asarray(state, dtype=np.float64)
        width = values.shape[-1] // 2 if values.ndim else 0
        if width not in (HAND_DIM, HUMAN_STATE_DIM):
            raise ShapeMismatchError("state", values.shape, "(..., 102) or (..., 122)")
        hands = {"left": values[..., :HAND_DIM], "right": values[..., width:][..., :HAND_DIM]}
        out = np.zeros((*values.shape[:-1], ACTION_DIM))
        for side in self.present:
            out[..., HAND[side]] = self._normalise(self.hands[side].state, hands[side])
        return out

    def normalise_action(self, action: ArrayLike) -> FloatArray:
        """Network actions (..., 102) of actions (..., 102) in metres and radians; a hand without statistics is 0.

        Raises:
            ShapeMismatchError: another width.
        """
        values = np.asarray(action, dtype=np.float64)
        if values.shape[-1:] != (ACTION_DIM,):
            raise ShapeMismatchError("action", values.shape, f"(..., {ACTION_DIM})")
        out = np.zeros(values.shape)
        for side in self.present:
            out[..., HAND[side]] = self._normalise(self.hands[side].action, values[..., HAND[side]])
        return out

    def denormalise_action(self, action: ArrayLike, hands: Hands) -> FloatArray:
        """Actions (..., 102) in metres and radians of network actions (..., 102) or (..., 192).

        Args:
            action: What the network produced.
            hands: The hands whose actions are wanted; the other one is returned as zeros.

        Raises:
            AbsentHandError: A wanted hand has no statistics.
        """
        values = np.asarray(action, dtype=np.float64)
        if values.shape[-1:] not in {(ACTION_DIM,), (MODEL_ACTION_DIM,)}:
            raise ShapeMismatchError("action", values.shape, f"(..., {ACTION_DIM}) or (..., {MODEL_ACTION_DIM})")
        out = np.zeros((*values.shape[:-1], ACTION_DIM))
        for side in hands.active:
            if side not in self.hands:
                raise AbsentHandError(side, self.dataset, self.present)
            moments, hand = self.hands[side].action, values[..., HAND[side]]
            if self.kind is HandKind.XHAND:
                out[..., HAND[side]] = hand_from_xhand_vector(moments.denormalise(xhand_vector_from_hand(hand)))
            else:
                out[..., HAND[side]] = moments.denormalise(hand)
        return out

    def _normalise(self, moments: Moments, hand: FloatArray) -> FloatArray:
        if self.kind is HandKind.XHAND:
            return hand_from_xhand_vector(moments.normalise(xhand_vector_from_hand(hand)))
        return Moments(moments.mean[:HAND_DIM], moments.std[:HAND_DIM]).normalise(hand)

    def to_dict(self) -> dict[str, Any]:
        """The reference's JSON layout; an absent hand is left out."""
        values: dict[str, Any] = {"dataset_name": self.dataset}
        for side in self.present:
            for what, moments in (("state", self.hands[side].state), ("action", self.hands[side].action)):
                values[f"{what}_{side}"] = {"mean": moments.mean.tolist(), "std": moments.std.tolist()}
        if self.trajectories is not None:
            values["num_traj"] = self.trajectories
        return values

    @staticmethod
    def from_dict(values: dict[str, Any], source: str = "statistics", known: bool = False) -> Statistics:
        """Read the reference's JSON layout; a hand filled with the 1e-4 placeholder counts as absent.

        Args:
            values: The JSON object.
            source: Name of the file, for messages.
            known: A training wrote them beside its weights: whether they look like a hand's motions is not asked.

        Raises:
            StatisticsError: Missing or unknown fields, impossible or exchanged numbers, or dimensions that are neither
                human nor XHand.
        """
        if why := misnamed(values):
            raise StatisticsError(f"{source}: {why}")
        hands: dict[Side, HandStatistics] = {}
        for side in SIDES:
            if not values.keys() & {f"action_{side}", f"state_{side}"}:
                continue
            try:
                state, action = (
                    Moments(*(flat_numbers(values[f"{what}_{side}"][key]) for key in ("mean", "std")))
                    for what in ("state", "action")
                )
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise StatisticsError(
                    f"{source}: hand '{side}' needs state and action mean and std ({error})."
                ) from error
            if np.all(action.mean == _ABSENT) and np.all(action.std == _ABSENT):
                continue
            _check_moments(state, action, f"{source}, {side} hand")
            hands[side] = HandStatistics(state, action)
        if not hands:
            raise StatisticsError(f"{source}: no hand has statistics, so no action means anything.")
        if len({len(hand.action.mean) for hand in hands.values()}) > 1:
            raise StatisticsError(f"{source}: one hand is human and the other an XHand.")
        count = values.get("num_traj")
        if count is not None and (type(count) is not int or count < 0):
            raise StatisticsError(f"{source}: num_traj is {count!r}, expected a whole number from 0 on.")
        if not known and (count is None or count >= FEW) and (why := unlikely(hands)):
            raise StatisticsError(f"{source}: {why}. {_ANEW} {_SO}")
        name = values.get("dataset_name", "unnamed")
        if not isinstance(name, str):
            raise StatisticsError(f"{source}: dataset_name is {name!r:.40}, expected a text.")
        return Statistics(name, hands, count)

    @staticmethod
    def load(path: Path | str, known: bool = False) -> Statistics:
        """Read a statistics file.

        Args:
            path: The file.
            known: See `from_dict`.

        Raises:
            StatisticsError: The file is missing, not JSON, or of another form.
        """
        try:
            values = json.loads(Path(path).read_text(), object_pairs_hook=once_each)
        except (OSError, ValueError, RecursionError) as error:
            raise StatisticsError(f"Cannot read statistics {path}: {error}.") from error
        if not isinstance(values, dict):
            raise StatisticsError(f"{path} holds a JSON {type(values).__name__}; expected an object.")
        return Statistics.from_dict(values, str(path), known)

    def save(self, path: Path | str) -> None:
        """Write the reference's JSON layout."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1) + "\n")


def mix(parts: Sequence[Statistics], weights: Sequence[float], name: str) -> Statistics:
    """Statistics of a mixture: weighted average of means AND of deviations, as the reference mixes them.

    Args:
        parts: Statistics of the datasets.
        weights: Sampling weight times frames of each; a hand averages over the datasets that show it.
        name: Name of the mixture.
    """

    def average(side: Side, what: str) -> Moments:
        chosen = [(getattr(p.hands[side], what), w) for p, w in zip(parts, weights, strict=True) if side in p.hands]
        shares = np.array([w for _, w in chosen]) / sum(w for _, w in chosen)
        mean, std = (np.tensordot(shares, np.stack([getattr(m, k) for m, _ in chosen]), 1) for k in ("mean", "std"))
        return Moments(mean, std)

    sides = [side for side in SIDES if any(side in part.hands for part in parts)]
    return Statistics(name, {side: HandStatistics(average(side, "state"), average(side, "action")) for side in sides})


def _check_moments(state: Moments, action: Moments, where: str) -> None:
    kind = _WIDTHS.get(action.mean.size)
    allowed = {HandKind.HUMAN: (HAND_DIM, HUMAN_STATE_DIM), HandKind.XHAND: (XHAND_DIM,)}
    shapes = [moments.shape for moments in (action.mean, action.std, state.mean, state.std)]
    if kind is None or state.mean.size not in allowed[kind] or shapes[0] != shapes[1] or shapes[2] != shapes[3]:
        raise StatisticsError(
            f"{where}: action and state have {action.mean.size} and {state.mean.size} dimensions; "
            "expected 51 and 61 (human) or 18 and 18 (XHand)."
        )
    finite = all(np.isfinite(part).all() for m in (action, state) for part in (m.mean, m.std))
    if not finite or min(action.std.min(), state.std.min()) <= 0:
        raise StatisticsError(
            f"{where}: means must be finite, and deviations finite and above 0, neither zero nor negative. {_ANEW}"
        )
    if why := implausible_hand(state, action):
        raise StatisticsError(f"{where}: {why}. {_ANEW}")
