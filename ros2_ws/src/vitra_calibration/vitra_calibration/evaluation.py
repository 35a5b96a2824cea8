"""How well calibrations of a known truth succeed: errors over many made-up mountings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitra_calibration.simulate import Truth
from vitra_calibration.solve import Solution
from vitra_policy.transforms import invert_pose, rotation_angle


@dataclass(frozen=True, slots=True)
class Outcome:
    """One simulated calibration: error of the camera's pose against the truth."""

    seed: int
    samples: int
    error_mm: float
    error_deg: float
    kept_out_px: float
    kept_out_mm: float
    solvers_apart_mm: float


def outcome(seed: int, truth: Truth, solution: Solution) -> Outcome:
    """Compare a solution with the truth.

    Args:
        seed: Of the made-up mounting.
        truth: How it was mounted.
        solution: What was found from its samples.
    """
    apart = np.asarray(invert_pose(truth.mounting.arm_base_from_camera) @ solution.mounting.arm_base_from_camera)
    return Outcome(
        seed=seed,
        samples=solution.samples,
        error_mm=float(np.linalg.norm(apart[:3, 3])) * 1e3,
        error_deg=float(np.degrees(rotation_angle(apart[:3, :3]))),
        kept_out_px=solution.kept_out_px,
        kept_out_mm=solution.kept_out_m * 1e3,
        solvers_apart_mm=solution.disagreement_m * 1e3,
    )
