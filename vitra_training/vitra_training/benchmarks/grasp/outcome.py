"""What a run of the benchmark found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_training.benchmarks.grasp.rows import Case, Row
from vitra_training.benchmarks.grasp.start import StartOptions

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a run found."""

    root: Path
    start: StartOptions
    rows: tuple[Row, ...]
    cases: tuple[Case, ...]
    left_out: tuple[str, ...]
    """Objects that no hand could be placed near, and why."""
    distances_cm: dict[str, Array]
    """Row -> (cases,); NaN where a row has no answer."""
    chunks: dict[str, tuple[int, float]]
    """Row -> steps and seconds of a step."""
