"""A painter's rasteriser: textured planes, then things and hands from far to near."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import Side
from vitra_training.datasets.camera import Camera
from vitra_training.synthetic.objects import Shape, Thing
from vitra_training.synthetic.scene import Image, Plane, Room

Array = NDArray[np.float64]

_SHIFT = 3  # sub-pixel bits of OpenCV's drawing
_UNIT = 2**_SHIFT
_FINGER_RADIUS_M = (0.0095, 0.009, 0.008, 0.0068)
_PALM_KEYS = (0, 1, 5, 9, 13, 17)
_UNIT_CIRCLE = np.stack([np.cos(a := np.linspace(0, 2 * np.pi, 20, endpoint=False)), np.sin(a)], axis=1)
_NEAR_M = 0.03


@dataclass(frozen=True, slots=True)
class DrawnHand:
    """A hand to draw."""

    side: Side
    keypoints_m: Array
    """(21, 3) world."""
    elbow_m: Array
    """(3,) world."""
    skin: tuple[int, int, int]
    sleeve: tuple[int, int, int]


def render(
    camera: Camera,
    camera_from_world: Array,
    room: Room,
    things: Sequence[tuple[Thing, Array]],
    hands: Sequence[DrawnHand],
) -> Image:
    """The image (H, W, 3) RGB of things at their poses (4, 4, world) and of hands in a room.

    Args:
        camera: Its lens and size.
        camera_from_world: (4, 4).
        room: Walls and table.
        things: Each with its pose.
        hands: Each with its mesh.
    """
    image = np.full((camera.height_px, camera.width_px, 3), 90, dtype=np.uint8)
    for plane in room.planes:
        _draw_plane(image, camera, camera_from_world, plane)
    painter = _Painter(image, camera, camera_from_world)
    painter.shadows([(pose[:3, 3], float(thing.half_extents_m[:2].max())) for thing, pose in things])
    painter.shadows([(hand.keypoints_m[9], 0.05) for hand in hands])
    for thing, pose in things:
        painter.thing(thing, pose)
    for hand in hands:
        painter.hand(hand)
    painter.paint()
    lit = cv2.convertScaleAbs(image, alpha=room.light)
    return np.asarray(cv2.addWeighted(lit, 1.0, room.noise, 1.0, -128.0), dtype=np.uint8)


def _draw_plane(image: Image, camera: Camera, camera_from_world: Array, plane: Plane) -> None:
    height, width = plane.texture.shape[:2]
    axes = np.stack([plane.u_m / width, plane.v_m / height, plane.origin_m], axis=1)
    H = camera.intrinsics @ (camera_from_world[:3, :3] @ axes + np.outer(camera_from_world[:3, 3], [0, 0, 1]))
    cv2.warpPerspective(
        plane.texture,
        H,
        image.shape[1::-1],
        dst=image,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )


class _Painter:
    """Collects shapes with their depth and paints them far to near."""

    def __init__(self, image: Image, camera: Camera, camera_from_world: Array) -> None:
        self._image, self._camera, self._pose = image, camera, camera_from_world
        self._focal = float(camera.intrinsics[0, 0])
        self._jobs: list[tuple[float, Callable[[], None]]] = []

    def paint(self) -> None:
        for _, job in sorted(self._jobs, key=lambda entry: -entry[0]):
            job()

    def shadows(self, spots: Sequence[tuple[Array, float]]) -> None:
        """Darken the table under things."""
        mask = np.zeros(self._image.shape[:2], dtype=np.uint8)
        for centre, radius in spots:
            spread = radius * (1.2 + 2 * max(centre[2], 0.0))
            ring = np.zeros((len(_UNIT_CIRCLE), 3))
            ring[:, :2] = centre[:2] + spread * _UNIT_CIRCLE + 0.2 * max(centre[2], 0.0)
            pixels = self._pixels(ring)
            if pixels is not None:
                cv2.fillConvexPoly(mask, pixels, 255, cv2.LINE_AA, _SHIFT)
        cv2.copyTo(cv2.convertScaleAbs(self._image, alpha=0.62), mask, self._image)

    def thing(self, thing: Thing, pose: Array) -> None:
        half, colour = thing.half_extents_m, np.array(thing.colour, dtype=np.float64)
        depth = self._depth(pose[:3, 3])
        if thing.kind.shape is Shape.BALL:
            self._jobs.append((depth, lambda: self._ball(pose[:3, 3], float(half[0]), colour)))
        elif thing.kind.shape is Shape.CYLINDER:
            self._jobs.append((depth, lambda: self._cylinder(pose, half, colour)))
        else:
            self._jobs.append((depth, lambda: self._box(pose, half, colour)))

    def hand(self, hand: DrawnHand) -> None:
        points, skin = hand.keypoints_m, np.array(hand.skin, dtype=np.float64)
        wrist = points[0]
        sleeve_start = wrist + 0.25 * (hand.elbow_m - wrist)
        sleeve = np.array(hand.sleeve, dtype=np.float64)
        self._capsule(hand.elbow_m, sleeve_start, 0.05, 0.04, sleeve)
        self._capsule(sleeve_start, wrist, 0.03, 0.026, skin * 0.96)
        palm = points[list(_PALM_KEYS)]
        self._jobs.append((self._depth(palm.mean(axis=0)), lambda: self._palm(palm, skin)))
        for finger in range(5):
            chain = [points[0] if finger == 0 else None, *points[1 + 4 * finger : 5 + 4 * finger]]
            shade = skin * (0.93 + 0.02 * finger)
            for joint in range(4):
                start, end = chain[joint], chain[joint + 1]
                if start is None:
                    continue
                scale = 1.25 if finger == 0 else 1.0
                near_m, far_m = scale * _FINGER_RADIUS_M[max(joint - 1, 0)], scale * _FINGER_RADIUS_M[joint]
                self._capsule(start, end, near_m, far_m, shade)
                if joint == 3:
                    self._nail(points[4 * finger + 4], skin)

    def _nail(self, tip: Array, skin: Array) -> None:
        self._jobs.append((self._depth(tip) - 0.004, lambda: self._disc(tip, 0.0045, skin * 0.85 + 38)))

    def _palm(self, palm: Array, skin: Array) -> None:
        pixels = self._pixels(palm)
        if pixels is None:
            return
        hull = cv2.convexHull(pixels)
        radius = self._radius(0.011, palm.mean(axis=0))
        colour = tuple(np.clip(skin, 0, 255).tolist())
        cv2.fillConvexPoly(self._image, hull, colour, cv2.LINE_AA, _SHIFT)
        cv2.polylines(self._image, [hull], True, colour, max(2 * radius, 1), cv2.LINE_AA, _SHIFT)

    def _capsule(self, start: Array, end: Array, r0_m: float, r1_m: float, colour: Array) -> None:
        """A limb between two points; scalar arithmetic, since an image has some fifty of them."""
        ax, ay, az = self._pixel(start)
        bx, by, bz = self._pixel(end)
        if min(az, bz) <= _NEAR_M:
            return
        ra, rb = max(self._focal * r0_m / az, 0.8), max(self._focal * r1_m / bz, 0.8)
        length = max(float(np.hypot(bx - ax, by - ay)), 1e-6)
        nx, ny = (ay - by) / length, (bx - ax) / length
        rim, tone = _tone(colour * 0.72), _tone(colour)  # a darker rim separates fingers

        def draw() -> None:
            for grow, paint in ((0.8, rim), (0.0, tone)):
                p, q = ra + grow, rb + grow
                quad = [(ax + nx * p, ay + ny * p), (bx + nx * q, by + ny * q)]
                quad += [(bx - nx * q, by - ny * q), (ax - nx * p, ay - ny * p)]
                cv2.fillConvexPoly(self._image, _fixed(np.array(quad)), paint, cv2.LINE_AA, _SHIFT)
                for x, y, radius in ((ax, ay, p), (bx, by, q)):
                    centre = (round((x - 0.5) * _UNIT), round((y - 0.5) * _UNIT))
                    cv2.circle(self._image, centre, round(radius * _UNIT), paint, -1, cv2.LINE_AA, _SHIFT)

        self._jobs.append(((az + bz) / 2, draw))

    def _disc(self, centre: Array, radius_m: float, colour: Array) -> None:
        pixels = self._pixels(centre[None])
        if pixels is not None:
            x, y = pixels.reshape(2)
            radius = round(self._focal * radius_m / self._depth(centre) * _UNIT)
            tone = tuple(np.clip(colour, 0, 255).tolist())
            cv2.circle(self._image, (int(x), int(y)), radius, tone, -1, cv2.LINE_AA, _SHIFT)

    def _ball(self, centre: Array, radius_m: float, colour: Array) -> None:
        for step in range(4):
            lit = centre + radius_m * 0.12 * step * np.array([-0.5, 0.4, 1.0])
            self._disc(lit, radius_m * (1 - 0.22 * step), colour * (0.75 + 0.14 * step))

    def _cylinder(self, pose: Array, half: Array, colour: Array) -> None:
        ring = np.concatenate([_UNIT_CIRCLE * half[:2], np.zeros((len(_UNIT_CIRCLE), 1))], axis=1)
        top, bottom = (ring + [0, 0, z] for z in (half[2], -half[2]))
        both = self._pixels(_placed(pose, np.concatenate([top, bottom])))
        if both is None:
            return
        cv2.fillConvexPoly(self._image, cv2.convexHull(both), _tone(colour * 0.8), cv2.LINE_AA, _SHIFT)
        for share, shade in ((0.55, 0.95), (0.25, 1.08)):  # a lit strip down its length
            strip = np.concatenate([top, bottom]) * [share, share, 1.0]
            pixels = self._pixels(_placed(pose, strip))
            if pixels is not None:
                cv2.fillConvexPoly(self._image, cv2.convexHull(pixels), _tone(colour * shade), cv2.LINE_AA, _SHIFT)
        camera_m = -self._pose[:3, :3].T @ self._pose[:3, 3]
        up = float(pose[:3, 2] @ (camera_m - pose[:3, 3])) > 0
        cap = self._pixels(_placed(pose, top if up else bottom))
        inner = self._pixels(_placed(pose, (top if up else bottom) * [0.82, 0.82, 1.0]))
        if cap is not None and inner is not None:
            cv2.fillConvexPoly(self._image, cap, _tone(colour * 1.15 + 15), cv2.LINE_AA, _SHIFT)
            cv2.fillConvexPoly(self._image, inner, _tone(colour * (0.45 if up else 0.7)), cv2.LINE_AA, _SHIFT)

    def _box(self, pose: Array, half: Array, colour: Array) -> None:
        camera_m = -self._pose[:3, :3].T @ self._pose[:3, 3]
        for axis in range(3):
            for sign in (-1.0, 1.0):
                normal = pose[:3, axis] * sign
                centre = pose[:3, 3] + normal * half[axis]
                if normal @ (camera_m - centre) <= 0:
                    continue
                u, v = (pose[:3, (axis + k) % 3] * half[(axis + k) % 3] for k in (1, 2))
                pixels = self._pixels(np.stack([centre + u + v, centre - u + v, centre - u - v, centre + u - v]))
                if pixels is not None:
                    shade = 0.8 + 0.3 * normal[2] + 0.08 * normal[1]
                    cv2.fillConvexPoly(self._image, pixels, _tone(colour * shade), cv2.LINE_AA, _SHIFT)

    def _pixel(self, point: Array) -> tuple[float, float, float]:
        """Pixel and depth of one point."""
        x, y, z = (self._pose[:3, :3] @ point + self._pose[:3, 3]).tolist()
        depth = max(z, _NEAR_M)
        K = self._camera.intrinsics
        pixel = (self._focal * x / depth + float(K[0, 2]), float(K[1, 1]) * y / depth + float(K[1, 2]))
        return min(max(pixel[0], -4000.0), 4000.0), min(max(pixel[1], -4000.0), 4000.0), depth

    def _depth(self, point: Array) -> float:
        return max(float(self._pose[2, :3] @ point + self._pose[2, 3]), _NEAR_M)

    def _radius(self, radius_m: float, point: Array) -> int:
        return round(self._focal * radius_m / self._depth(point))

    def _pixels(self, world: Array) -> NDArray[np.int32] | None:
        """(N, 1, 2) fixed-point pixels; None when a point is behind the camera."""
        points = world @ self._pose[:3, :3].T + self._pose[:3, 3]
        if points[:, 2].min() < _NEAR_M:
            points = points.copy()
            points[:, 2] = np.maximum(points[:, 2], _NEAR_M)
            if (points[:, 2] <= _NEAR_M).all():
                return None
        return _fixed(np.clip(self._camera.project(points), -4000, 4000)).reshape(-1, 1, 2)


def _placed(pose: Array, points: Array) -> Array:
    placed: Array = points @ pose[:3, :3].T + pose[:3, 3]
    return placed


def _fixed(pixels: Array) -> NDArray[np.int32]:
    """OpenCV's fixed-point coordinates; pixel centres are at whole numbers there, at halves here."""
    return np.asarray(np.round((pixels - 0.5) * _UNIT), dtype=np.int32)


def _tone(colour: Array) -> tuple[float, float, float]:
    r, g, b = np.clip(colour, 0, 255)
    return float(r), float(g), float(b)
