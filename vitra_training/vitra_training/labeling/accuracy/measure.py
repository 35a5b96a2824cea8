"""Numbers with sample sizes and intervals, and the distances they are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.transforms import invert_pose

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """One row of the accuracy table."""

    what: str
    value: float
    low: float
    high: float
    """95 % interval."""
    n: int
    unit: str
    of: str
    """What the n are, and what the truth is."""

    def __str__(self) -> str:
        return f"{self.value:.3g} {self.unit} [{self.low:.3g}, {self.high:.3g}], n = {self.n} {self.of}".replace(
            "  ", " "
        )


def share(what: str, hits: int, n: int, of: str) -> Measured:
    """A share with Wilson's interval.

    Args:
        what: Name of the row.
        hits: How many.
        n: Of how many.
        of: What was counted.
    """
    z = 1.959964
    if n == 0:
        return Measured(what, float("nan"), 0.0, 100.0, 0, "%", of)
    p = hits / n
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 100 / (1 + z * z / n)
    return Measured(what, 100 * p, float((middle - half) * scale), float((middle + half) * scale), n, "%", of)


def median(what: str, values: ArrayLike, unit: str, of: str) -> Measured:
    """A median with the interval that order statistics give without assumptions (binomial).

    Args:
        what: Name of the row.
        values: (n,).
        unit: Theirs.
        of: What was measured.
    """
    x = np.sort(np.asarray(values, dtype=np.float64))
    x = x[np.isfinite(x)]
    n = len(x)
    if n == 0:
        return Measured(what, float("nan"), float("nan"), float("nan"), 0, unit, of)
    reach = 1.959964 * np.sqrt(n) / 2
    low, high = max(int(np.floor(n / 2 - reach)), 0), min(int(np.ceil(n / 2 + reach)), n - 1)
    return Measured(what, float(np.median(x)), float(x[low]), float(x[high]), n, unit, of)


def similarity(found: Array, true: Array) -> tuple[float, Array, Array]:
    """Size, rotation and shift that put points (N, 3) best onto others (Umeyama 1991)."""
    a, b = found.mean(axis=0), true.mean(axis=0)
    A, B = found - a, true - b
    U, S, Vt = np.linalg.svd(B.T @ A)
    D = np.diag([1.0, 1.0, np.linalg.det(U @ Vt)])
    R = U @ D @ Vt
    size = float((S * np.diag(D)).sum() / max((A**2).sum(), 1e-12))
    return size, R, b - size * R @ a


def path_error(found: Array, true: Array) -> tuple[float, float]:
    """Root mean square distance (m) of camera centres after the best similarity, and the true path's length (m).

    Args:
        found: (T, 4, 4) camera_from_world.
        true: (T, 4, 4).
    """
    a, b = invert_pose(found)[:, :3, 3], invert_pose(true)[:, :3, 3]
    size, R, shift = similarity(a, b)
    error = size * a @ R.T + shift - b
    return float(np.sqrt((error**2).sum(axis=1).mean())), float(np.linalg.norm(np.diff(b, axis=0), axis=1).sum())


def aligned_joint_error(found: Array, true: Array) -> float:
    """Mean distance (m) of joints (J, 3) after the best similarity: PA-MPJPE."""
    size, R, shift = similarity(found, true)
    return float(np.linalg.norm(size * found @ R.T + shift - true, axis=1).mean())


def matched_cuts(found: list[int], true: list[int], tolerance: int) -> int:
    """How many cuts agree within a tolerance; each counts once.

    Args:
        found: Frames.
        true: Frames.
        tolerance: Frames between two that agree, at most.
    """
    free, hits = set(true), 0
    for cut in sorted(found):
        near = [t for t in free if abs(t - cut) <= tolerance]
        if near:
            free.remove(min(near, key=lambda t: abs(t - cut)))
            hits += 1
    return hits
