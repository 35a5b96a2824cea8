"""What a message is made of: plain values and numpy arrays, decoded with a bound on how many there are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vitra_policy.errors import VitraError

MAX_MESSAGE_BYTES = 64 * 2**20
"""A 4K RGB image fits; more is an accident or an attack."""

ELEMENTS_MAX = 20_000
"""Numbers, texts and maps of a message, arrays not counted: those travel as bytes, so a request has some dozens. Each
costs the decoder as much as an object of Python, and 64 MiB would hold sixty million of them."""

_DTYPE_KINDS = "biufSU"
_MAX_DIMENSIONS = 8


class WireError(VitraError):
    """Bytes that are no valid message, or a message without what it must hold."""


def encode(value: Any) -> Any:
    """A numpy array or scalar as a map of plain values.

    Raises:
        TypeError, ValueError: something else, or of a type that does not travel.
    """
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError(f"{type(value).__name__} is not a plain value, numpy array or numpy scalar")
    if value.dtype.kind not in _DTYPE_KINDS:
        raise ValueError(f"numpy type {value.dtype} is not allowed")
    if isinstance(value, np.ndarray):
        if not value.dtype.itemsize:  # strings that are all empty: numpy gives them no room at all
            value = value.astype(f"{value.dtype.kind}1")
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}
    return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}


class Elements:
    """Counts what a message is made of while it is decoded, and ends that beyond `ELEMENTS_MAX`."""

    def __init__(self) -> None:
        self._count = 0

    def of_map(self, value: dict[Any, Any]) -> Any:
        """A map that is complete, as what it stands for."""
        self._add(len(value))
        return _decode(value)

    def of_list(self, value: list[Any]) -> list[Any]:
        """A list that is complete."""
        self._add(len(value))
        return value

    def _add(self, count: int) -> None:
        self._count += count + 1
        if self._count > ELEMENTS_MAX:
            raise WireError(
                f"A message has at most {ELEMENTS_MAX} elements; send arrays as arrays (__ndarray__), not as lists."
            )


def _decode(value: dict[Any, Any]) -> Any:
    if b"__ndarray__" in value:
        dtype, shape, data = _dtype(value.get(b"dtype")), value.get(b"shape"), value.get(b"data")
        if not isinstance(shape, list) or len(shape) > _MAX_DIMENSIONS:
            raise WireError(f"Array shape {shape!r} is not a list of at most {_MAX_DIMENSIONS} sizes.")
        if not all(type(n) is int and 0 <= n <= MAX_MESSAGE_BYTES for n in shape) or not isinstance(data, bytes):
            raise WireError(f"An array needs sizes between 0 and {MAX_MESSAGE_BYTES}, and its data as bytes.")
        if math.prod(shape) * dtype.itemsize != len(data):
            raise WireError(f"Array of shape {shape} and type {dtype} cannot have {len(data)} bytes.")
        return np.frombuffer(data, dtype=dtype).reshape(shape) if len(data) else np.empty(shape, dtype)
    if b"__npgeneric__" in value:
        try:
            return _dtype(value.get(b"dtype")).type(value.get(b"data"))
        except (TypeError, ValueError, OverflowError) as error:
            raise WireError(f"Malformed numpy scalar: {error}.") from error
    return value


def _dtype(name: Any) -> np.dtype[Any]:
    try:
        dtype = np.dtype(name) if isinstance(name, str) and len(name) <= 16 else None
    except (TypeError, ValueError, SyntaxError, OverflowError):
        dtype = None
    if dtype is None or dtype.kind not in _DTYPE_KINDS or dtype.hasobject or not dtype.itemsize:
        raise WireError(f"Array type {name!r} is not allowed; allowed are numbers, booleans and strings.")
    return dtype
