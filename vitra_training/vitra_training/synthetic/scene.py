"""Rooms: table, floor and wall with made-up textures, light, and the path of the head camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.transforms import invert_pose, make_pose, matrix_from_rotvec

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

_TEXTURE_PX = 256


@dataclass(frozen=True, slots=True)
class Plane:
    """A textured rectangle in the world."""

    origin_m: Array
    """(3,) corner of the texture's first pixel."""
    u_m: Array
    """(3,) along the texture's width."""
    v_m: Array
    """(3,) along its height."""
    texture: Image
    """(H, W, 3) RGB."""


@dataclass(frozen=True, slots=True)
class Room:
    """What is behind hands and things, far to near, and how bright it is."""

    planes: tuple[Plane, ...]
    light: float
    noise: Image
    """Sensor noise pattern, centred at 128."""


def make_room(width_px: int, height_px: int, rng: np.random.Generator) -> Room:
    """A random room around a table whose top is the plane z = 0 before the person.

    Args:
        width_px: Of the image.
        height_px: Of the image.
        rng: Of colours and sizes.
    """
    wall = Plane(np.array([3.0, 3.0, 2.2]), np.array([0, -6.0, 0]), np.array([0, 0, -3.2]), _texture(rng))
    floor = Plane(np.array([3.0, 3.0, -0.75]), np.array([0, -6.0, 0]), np.array([-2.6, 0, 0]), _texture(rng))
    left, right, far = rng.uniform(0.5, 0.9), rng.uniform(0.5, 0.9), rng.uniform(0.75, 1.1)
    near = 0.12
    table = Plane(
        np.array([far, left, 0.0]), np.array([0, -(left + right), 0]), np.array([near - far, 0, 0]), _texture(rng)
    )
    noise = np.clip(rng.normal(128, rng.uniform(1, 5), (height_px, width_px, 3)), 0, 255).astype(np.uint8)
    return Room((wall, floor, table), float(rng.uniform(0.75, 1.15)), noise)


def camera_path(length: int, focus_m: Array, rng: np.random.Generator) -> Array:
    """(T, 4, 4) camera_from_world of a head that sways and turns towards what the hands do.

    Args:
        length: frames.
        focus_m: (T, 3) where the action is.
        rng: source of randomness.
    """
    time = np.arange(length)[:, None] / 30
    head = np.array([0.02, 0.0, rng.uniform(0.38, 0.5)]) + rng.normal(0, 0.02, 3)
    head = head + _sway(time, 0.02, rng)
    follow = rng.uniform(0.2, 0.7)
    smooth = cv2.GaussianBlur(focus_m.reshape(-1, 1, 3), (1, 31), 8, borderType=cv2.BORDER_REPLICATE).reshape(-1, 3)
    rest = np.array([rng.uniform(0.4, 0.5), rng.uniform(-0.05, 0.05), 0.0])
    target = rest + follow * (smooth - rest) + _sway(time, 0.03, rng)
    roll = _sway(time, 0.03, rng)[:, 0]
    poses = []
    for position, aim, angle in zip(head, target, roll, strict=True):
        z = (aim - position) / np.linalg.norm(aim - position)
        x = np.cross(z, [0.0, 0.0, 1.0])
        x /= np.linalg.norm(x)
        world_from_camera = np.stack([x, np.cross(z, x), z], axis=1) @ matrix_from_rotvec([0, 0, angle])
        poses.append(make_pose(position, world_from_camera))
    return invert_pose(np.stack(poses))


def _sway(time_s: Array, size: float, rng: np.random.Generator) -> Array:
    """(T, 3) smooth wandering."""
    total = np.zeros((len(time_s), 3))
    for frequency in (0.3, 0.7, 1.3):
        amplitude = rng.normal(0, size / (1 + frequency), 3)
        total += amplitude * np.sin(2 * np.pi * frequency * time_s + rng.uniform(0, 2 * np.pi, 3))
    return total


def _texture(rng: np.random.Generator) -> Image:
    """A random surface: boards, tiles, speckle or cloudy paint."""
    size = _TEXTURE_PX
    base = rng.uniform(60, 220, 3)
    other = np.clip(base + rng.normal(0, 35, 3), 20, 240)
    kind = rng.integers(4)
    if kind == 0:
        blend = np.repeat(rng.random((1, 32)), size, axis=0)
        grain = cv2.resize(rng.random((16, 128)), (size, size), interpolation=cv2.INTER_LINEAR)
        blend = 0.6 * cv2.resize(blend, (size, size), interpolation=cv2.INTER_NEAREST) + 0.4 * grain
    elif kind == 1:
        tile = int(rng.integers(12, 48))
        y, x = np.mgrid[:size, :size]
        blend = ((x // tile + y // tile) % 2).astype(np.float64) if rng.random() < 0.5 else 1.0 * (x % tile > 1)
        if rng.random() < 0.7:
            blend = blend * (y % tile > 1)
    elif kind == 2:
        blend = rng.random((size, size))
    else:
        blend = np.asarray(cv2.resize(rng.random((12, 12)), (size, size), interpolation=cv2.INTER_CUBIC), np.float64)
    image = base + (other - base) * blend[..., None]
    for _ in range(int(rng.integers(0, 6))):
        corner = rng.integers(0, size - 20, 2)
        extent = rng.integers(8, 80, 2)
        image[corner[1] : corner[1] + extent[1], corner[0] : corner[0] + extent[0]] = rng.uniform(30, 230, 3)
    return np.clip(image, 0, 255).astype(np.uint8)
