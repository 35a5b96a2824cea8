"""Smoothing that trusts each measurement as far as it deserves, in each direction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

Array = NDArray[np.float64]


def smooth_path(
    points_m: Array, information: Array, dt_s: float, acceleration_m_s2: float = 5.0, rounds: int = 3
) -> tuple[Array, Array]:
    """The path that lies near the measurements and accelerates little.

    Minimises sum_t (x_t - p_t)^T W_t (x_t - p_t) + sum_t |x_{t+1} - 2 x_t + x_{t-1}|^2 / (a dt^2)^2; measurements far
    from the result lose weight (Huber) in further rounds.

    Args:
        points_m: (T, 3) measurements; values without weight may be anything finite.
        information: (T, 3, 3) inverse covariances, 1/m^2; zero where nothing was measured.
        dt_s: time between frames.
        acceleration_m_s2: standard deviation of the hand's acceleration.
        rounds: of reweighting.

    Returns:
        (T, 3) path and (T,) standard deviation of its worst direction, metres.
    """
    frames = len(points_m)
    if frames < 3:
        return points_m.copy(), _spread(information + 1e-6 * np.eye(3))
    stiff = 1 / (acceleration_m_s2 * dt_s**2) ** 2
    weight = np.ones(frames)
    path = points_m
    for _ in range(rounds):
        W = information * weight[:, None, None] + 1e-6 * np.eye(3)
        path = _solve(points_m, W, stiff)
        away = path - points_m
        size = np.sqrt(np.maximum(np.einsum("ti,tij,tj->t", away, information, away), 0))
        weight = np.minimum(1.0, 2.5 / np.maximum(size, 1e-9))
    return path, _path_sigma(W, stiff)


def _solve(points: Array, W: Array, stiff: float) -> Array:
    frames = len(points)
    bands = np.zeros((9, 3 * frames))  # upper form: 8 diagonals above the main one
    for i in range(3):
        for j in range(i, 3):
            bands[8 - (j - i), j::3] += W[:, i, j]
    main, first, second = _second_differences(frames)
    for i in range(3):
        bands[8, i::3] += stiff * main
        bands[8 - 3, i + 3 :: 3] += stiff * first
        bands[8 - 6, i + 6 :: 3] += stiff * second
    right = np.einsum("tij,tj->ti", W, points).ravel()
    return np.asarray(solveh_banded(bands, right).reshape(frames, 3))


def _second_differences(frames: int) -> tuple[Array, Array, Array]:
    """Diagonals of D^T D, D the (T - 2, T) matrix of second differences."""
    main, first, second = np.zeros(frames), np.zeros(frames - 1), np.ones(frames - 2)
    for offset, value in enumerate((1.0, 4.0, 1.0)):
        main[offset : offset + frames - 2] += value
    first[: frames - 2] += -2.0
    first[1 : frames - 1] += -2.0
    return main, first, second


def _path_sigma(W: Array, stiff: float) -> Array:
    """How well each frame is known from its neighbours: the information of a window as wide as the smoothing."""
    strength = np.linalg.eigvalsh(W)[:, 0]
    reach = int(np.clip(round((stiff / max(float(np.median(strength)), 1e-6)) ** 0.25), 1, 30))
    kernel = np.exp(-0.5 * (np.arange(-2 * reach, 2 * reach + 1) / reach) ** 2)
    return np.asarray(1 / np.sqrt(np.maximum(np.convolve(strength, kernel, mode="same")[: len(W)], 1e-6)))


def _spread(information: Array) -> Array:
    return np.asarray(1 / np.sqrt(np.maximum(np.linalg.eigvalsh(information)[:, 0], 1e-12)))


def smooth_rows(values: Array, weight: Array, sigma_frames: float) -> Array:
    """(T, n) values averaged with a Gaussian in time, each counting by its weight (T,).

    Args:
        values: (T, n).
        weight: (T,).
        sigma_frames: Width of the window.
    """
    reach = max(int(3 * sigma_frames), 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_frames) ** 2)

    def pad(x: Array) -> Array:
        return np.pad(x, [(reach, reach)] + [(0, 0)] * (x.ndim - 1))

    w, v = pad(weight), pad(values * weight[:, None])
    frames = len(values)
    total = np.stack([kernel @ v[t : t + 2 * reach + 1] for t in range(frames)])
    norm = np.array([kernel @ w[t : t + 2 * reach + 1] for t in range(frames)])
    return np.asarray(np.where(norm[:, None] > 1e-12, total / np.maximum(norm, 1e-12)[:, None], values))


def smooth_rotations(rotations: Array, weight: Array, sigma_frames: float) -> Array:
    """(T, 3, 3) rotations: the chordal mean under a Gaussian window.

    Args:
        rotations: (T, 3, 3).
        weight: (T,).
        sigma_frames: Width of the window.
    """
    mean = smooth_rows(rotations.reshape(-1, 9), weight, sigma_frames).reshape(-1, 3, 3)
    return nearest_rotations(mean)


def nearest_rotations(matrices: Array) -> Array:
    """The rotations (T, 3, 3) closest to matrices."""
    U, _, Vt = np.linalg.svd(matrices)
    flip = np.tile(np.eye(3), (len(matrices), 1, 1))
    flip[:, 2, 2] = np.linalg.det(U @ Vt)
    return np.asarray(U @ flip @ Vt)
