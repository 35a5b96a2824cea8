"""Checks of arrays that come from files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.errors import NotFiniteError, WrongShapeError


def check_shape(where: str, values: object, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """`values` as a numeric array of a shape; None stands for any size.

    Args:
        where: File and key, for the error.
        values: What was read.
        shape: What it must have.

    Raises:
        WrongShapeError: another shape, or not numbers.
    """
    try:
        array = np.asarray(values)
    except ValueError as cause:
        raise WrongShapeError(where, cause, f"numbers of shape {shape}") from None
    if array.dtype.kind not in "iufb" or array.ndim != len(shape):
        raise WrongShapeError(where, f"{array.dtype} {array.shape}", f"numbers of shape {shape}")
    if any(want is not None and got != want for got, want in zip(array.shape, shape, strict=True)):
        raise WrongShapeError(where, f"{array.dtype} {array.shape}", f"numbers of shape {shape}")
    return array


def check_finite(where: str, values: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> None:
    """Refuse NaN and infinity in the valid frames (leading axis) of an array.

    Args:
        where: File and key, for the error.
        values: Frames first (T, ...).
        valid: Frames that count (T,); None: all.

    Raises:
        NotFiniteError: names the first bad frame.
    """
    bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if valid is not None:
        bad &= valid
    if bad.any():
        raise NotFiniteError(where, int(np.argmax(bad)))
