"""Open-loop errors of predicted chunks: wrist millimetres, wrist degrees and joint degrees per horizon step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS, HAND, SIDES, TRANSLATION, WRIST
from vitra_policy.hand.xhand_map import xhand_from_mano
from vitra_policy.transforms import integrate_wrist, matrix_from_euler_xyz, rotation_angle
from vitra_training.datasets.samples.motion import EmbodimentKind

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MEASURES = ("wrist_mm", "wrist_deg", "joint_deg")
_STILL = "_still"
"""Suffix of the same error for a hand that does not move its wrist at all: what there is to gain."""


@dataclass(slots=True)
class ErrorSums:
    """Sums over samples and hands, per measure and horizon step; they add up over batches and processes."""

    steps: int
    sums: dict[str, Array] = field(default_factory=dict)
    counts: Array = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        names = [*MEASURES, MEASURES[0] + _STILL, MEASURES[1] + _STILL]
        self.sums = self.sums or {name: np.zeros(self.steps) for name in names}
        self.counts = self.counts if len(self.counts) else np.zeros(self.steps)

    def add(self, predicted: Array, actual: Array, valid: BoolArray, kind: EmbodimentKind) -> None:
        """Include chunks.

        Args:
            predicted: (steps, 102) actions in metres and radians.
            actual: (steps, 102) what was done.
            valid: (steps, 102) entries that count, as in the action mask.
            kind: joints are 15 rotations of a human hand, or the 12 joints of an XHand.
        """
        for side in SIDES:
            one, other = predicted[:, HAND[side]], actual[:, HAND[side]]
            # Poses compound, so a step counts only when all steps before it are known.
            known = np.logical_and.accumulate(valid[:, HAND[side]][:, 0])
            errors = {
                **_wrist_errors(one[:, WRIST], other[:, WRIST]),
                **{f"{k}{_STILL}": v for k, v in _wrist_errors(np.zeros_like(one[:, WRIST]), other[:, WRIST]).items()},
                "joint_deg": _joint_error(one[:, FINGERS], other[:, FINGERS], kind),
            }
            for name, values in errors.items():
                self.sums[name] += np.where(known, values, 0.0)
            self.counts += known

    def summary(self) -> dict[str, Any]:
        """Mean errors per step, and over the horizon, ready for JSON."""
        counts = np.maximum(self.counts, 1)
        curves = {name: values / counts for name, values in self.sums.items()}
        total = max(float(self.counts.sum()), 1.0)
        return {
            "hands_per_step": self.counts.astype(int).tolist(),
            "mean": {name: float(values.sum() / total) for name, values in self.sums.items()},
            "per_step": {name: values.tolist() for name, values in curves.items()},
        }


def _wrist_errors(predicted: Array, actual: Array) -> dict[str, Array]:
    """Distance and angle (steps,) between two paths from the same pose; that pose itself does not matter."""
    a, b = integrate_wrist(np.eye(4), predicted), integrate_wrist(np.eye(4), actual)
    distance = np.linalg.norm(a[:, TRANSLATION, 3] - b[:, TRANSLATION, 3], axis=1)
    angle = rotation_angle(a[:, :3, :3] @ np.swapaxes(b[:, :3, :3], 1, 2))
    return {"wrist_mm": 1e3 * distance, "wrist_deg": np.degrees(angle)}


def _joint_error(predicted: Array, actual: Array, kind: EmbodimentKind) -> Array:
    if kind == "robot":
        apart: Array = np.abs(xhand_from_mano(predicted) - xhand_from_mano(actual)).mean(axis=-1)
        return np.degrees(apart)
    shape = (*predicted.shape[:-1], 15, 3)
    a, b = matrix_from_euler_xyz(predicted.reshape(shape)), matrix_from_euler_xyz(actual.reshape(shape))
    mean: Array = np.degrees(rotation_angle(np.swapaxes(a, -1, -2) @ b).mean(axis=-1))
    return mean
