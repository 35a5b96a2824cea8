"""The ways in which other people's vectors say rotations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_policy.transforms import (
    euler_xyz_from_matrix,
    matrix_from_euler_xyz,
    matrix_from_quaternion,
    matrix_from_rot6d,
    matrix_from_rotvec,
    quaternion_from_matrix,
    rot6d_from_matrix,
    rotvec_from_matrix,
)

Array = NDArray[np.float64]

WIDTHS = {"rotvec": 3, "euler_xyz": 3, "quaternion_xyzw": 4, "quaternion_wxyz": 4, "rot6d": 6}
"""How many numbers each takes."""


def matrices_of(values: Array, rotation: str) -> Array:
    """Rotations (..., 3, 3) of their numbers (..., width)."""
    match rotation:
        case "rotvec":
            return matrix_from_rotvec(values)
        case "euler_xyz":
            return matrix_from_euler_xyz(values)
        case "quaternion_xyzw":
            return matrix_from_quaternion(values)
        case "quaternion_wxyz":
            return matrix_from_quaternion(values[..., [1, 2, 3, 0]])
        case _:
            return matrix_from_rot6d(values)


def numbers_of(matrices: Array, rotation: str) -> Array:
    """Numbers (..., width) of rotations (..., 3, 3)."""
    match rotation:
        case "rotvec":
            return rotvec_from_matrix(matrices)
        case "euler_xyz":
            return euler_xyz_from_matrix(matrices)
        case "quaternion_xyzw":
            return quaternion_from_matrix(matrices)
        case "quaternion_wxyz":
            return quaternion_from_matrix(matrices)[..., [3, 0, 1, 2]]
        case _:
            return rot6d_from_matrix(matrices)
