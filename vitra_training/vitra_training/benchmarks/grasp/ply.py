"""Point clouds in `.ply` (ascii or little-endian binary) and `.npy` files; neither can run code."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_policy.errors import VitraError

Array = NDArray[np.float64]

MAX_BYTES = 64 << 20
"""Largest file that is read."""
SUFFIXES = (".ply", ".npy")
_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_FORMATS = ("ascii", "binary_little_endian")


class PointCloudError(VitraError):
    """A file that holds no point cloud."""


def read_points(path: Path) -> Array:
    """Points (N, 3) of a file, in its own unit and frame.

    Raises:
        PointCloudError: the file is too large, damaged, or of another kind.
    """
    if path.suffix not in SUFFIXES:
        raise PointCloudError(f"'{path.suffix}' is no point cloud; allowed: {', '.join(SUFFIXES)}")
    if path.stat().st_size > MAX_BYTES:
        raise PointCloudError(f"has {path.stat().st_size >> 20} MiB; at most {MAX_BYTES >> 20} are read")
    try:
        points = np.load(path, allow_pickle=False) if path.suffix == ".npy" else _ply_points(path.read_bytes())
    except (ValueError, EOFError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise PointCloudError(f"is damaged: {error}") from error
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind not in "fiu":
        raise PointCloudError(f"holds {points.dtype} {points.shape}; numbers of shape (N, 3) are allowed")
    return np.asarray(points, dtype=np.float64)


def write_ply(path: Path, points: Array) -> None:
    """Write points (N, 3) as a binary `.ply` of floats."""
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n"
    header += "".join(f"property float {axis}\n" for axis in "xyz") + "end_header\n"
    path.write_bytes(header.encode("ascii") + np.asarray(points, dtype="<f4").tobytes())


def _ply_points(data: bytes) -> Array:
    """Positions of the vertices; they must be the first element, other properties are skipped."""
    head, found, body = data.partition(b"end_header\n")
    if not found:
        raise ValueError("its header has no end_header line")
    lines = [line.split() for line in head.decode("ascii").splitlines() if line]
    if lines[0] != ["ply"]:
        raise ValueError("its first line is not 'ply'")
    kind = next(line[1] for line in lines if line[0] == "format")
    if kind not in _FORMATS:
        raise ValueError(f"its format is {kind}; allowed: {', '.join(_FORMATS)}")
    elements = [number for number, line in enumerate(lines) if line[0] == "element"]
    if not elements or lines[elements[0]][1] != "vertex":
        raise ValueError("its first element is not 'vertex'")
    count, last = int(lines[elements[0]][2]), elements[1] if len(elements) > 1 else len(lines)
    properties = [line for line in lines[elements[0] + 1 : last] if line[0] == "property"]
    row = np.dtype([(line[2], "<" + _TYPES[line[1]]) for line in properties])
    if not {"x", "y", "z"} <= set(row.names or ()):
        raise ValueError("its vertices have no x, y, z")
    if kind == "ascii":
        columns = [list(row.names or ()).index(axis) for axis in "xyz"]
        return np.loadtxt(BytesIO(body), usecols=columns, max_rows=count, ndmin=2)
    if not 0 <= count * row.itemsize <= len(body):
        raise ValueError(f"it promises {count} points and holds {len(body) // row.itemsize}")
    vertices = np.frombuffer(body, dtype=row, count=count)
    return np.stack([vertices[axis].astype(np.float64) for axis in "xyz"], axis=-1)
