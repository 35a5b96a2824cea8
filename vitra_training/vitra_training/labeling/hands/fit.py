"""The MANO-convention skeleton fitted to landmarks of many frames at once, with an analytic Jacobian."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS_DIM, Side
from vitra_policy.hand.skeleton import HandSkeleton, default_skeleton
from vitra_policy.transforms import make_pose, matrix_from_rotvec
from vitra_training.labeling.hands.forward import full_angles, keypoints_and_jacobian
from vitra_training.labeling.hands.parameters import FREE_DIMS, PRIOR_RAD, SIGMA_RAD

Array = NDArray[np.float64]

_PALM = (0, 1, 5, 9, 13, 17)
_MIRROR = np.diag([-1.0, 1.0, 1.0])
_POSE_DIM = 6


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How the skeleton is fitted."""

    hand_scale: float = 1.0
    """Size of the person's hand over an average adult's (0.19 m from wrist to middle fingertip)."""
    iterations: int = 14
    """Damped Gauss-Newton steps."""
    shape_sigma_m: tuple[float, float, float] = (0.012, 0.012, 0.03)
    """Trust in the network's own shape along camera x, y, z."""
    huber: float = 2.0
    """Standard deviations beyond which a landmark pulls only linearly."""


@dataclass(frozen=True, slots=True)
class FittedHand:
    """One hand in its camera, frame by frame."""

    camera_from_wrist: Array
    """(T, 4, 4)."""
    fingers_rad: Array
    """(T, 45) Euler xyz, right-hand convention."""
    keypoints_m: Array
    """(T, 21, 3) in the camera."""
    rms_px: Array
    """(T,) root mean square distance of the projected skeleton from the landmarks."""


def fit_hand(
    landmarks_px: Array, shape_m: Array, sigma_px: Array, intrinsics: Array, side: Side, config: FitConfig | None = None
) -> FittedHand:
    """Wrist pose and finger angles of T frames, each for itself (smoothing over time comes later).

    A flat image cannot tell a hand that bends towards the camera from one that bends away. Both are tried; of two
    that explain the image about equally well the one is taken whose fingers point away from the camera, as those of
    the person who wears it do.

    Args:
        landmarks_px: (T, 21, 2) in an image without distortion.
        shape_m: (T, 21, 3) shape along camera axes, any scale.
        sigma_px: (T,) standard deviation of a landmark.
        intrinsics: (3, 3).
        side: which hand.
        config: weights.
    """
    config = config or FitConfig()
    skeleton = default_skeleton().scaled(config.hand_scale)
    if len(landmarks_px) == 0:
        return FittedHand(np.zeros((0, 4, 4)), np.zeros((0, FINGERS_DIM)), np.zeros((0, 21, 3)), np.zeros(0))
    given = _Given(landmarks_px, _scaled(shape_m, skeleton), sigma_px, intrinsics)
    bent_back = replace(given, shape_m=_scaled(shape_m * [1, 1, -1], skeleton))
    seen, turned = (_Problem(skeleton, side, each, config).solve() for each in (given, bent_back))
    keep = seen.cost + seen.towards_camera < turned.cost + turned.towards_camera
    best = {name: np.where(_wide(keep, a), a, b) for name, a, b in seen.pairs(turned)}
    fingers = np.zeros((len(landmarks_px), FINGERS_DIM))
    fingers[:, FREE_DIMS] = best["angles"]
    rms = np.sqrt(np.square(best["errors_px"]).sum(axis=-1).mean(axis=-1))
    return FittedHand(make_pose(best["t"], best["R"]), fingers, best["points"], rms)


@dataclass(frozen=True, slots=True)
class _Solution:
    R: Array
    t: Array
    angles: Array
    points: Array
    errors_px: Array
    cost: Array

    @property
    def towards_camera(self) -> Array:
        """(T,) penalty of fingers that point at the camera: logarithm of the odds against it."""
        along = self.points[:, 9] - self.points[:, 0]
        depth = along[:, 2] / np.linalg.norm(along, axis=1)
        return np.asarray(np.where(depth < 0, 12.0 * -depth, 0.0))

    def pairs(self, other: _Solution) -> list[tuple[str, Array, Array]]:
        names = ("R", "t", "angles", "points", "errors_px")
        return [(name, getattr(self, name), getattr(other, name)) for name in names]


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    landmarks_px: Array
    """(T, 21, 2)."""
    shape_m: Array
    """(T, 21, 3), any origin."""
    sigma_px: Array
    """(T,)."""
    intrinsics: Array
    """(3, 3)."""


class _Problem:
    """Least squares over T independent frames."""

    def __init__(
        self,
        skeleton: HandSkeleton,
        side: Side,
        given: _Given,
        config: FitConfig,
    ) -> None:
        self._skeleton, self._mirror = skeleton, _MIRROR if side == "left" else np.eye(3)
        self._uv = given.landmarks_px.astype(np.float64)
        self._shape = given.shape_m - given.shape_m[:, :1]
        self._weight = 1 / np.maximum(given.sigma_px, 0.5)[:, None, None]
        K = given.intrinsics
        self._f, self._c = K[[0, 1], [0, 1]], K[[0, 1], [2, 2]]
        self._config = config

    def solve(self) -> _Solution:
        frames, n = len(self._uv), _POSE_DIM + len(FREE_DIMS)
        angles = np.tile(PRIOR_RAD, (frames, 1))
        R, t = self._start(angles)
        lam = np.full(frames, 1e-3)
        points, J = self._points(R, t, angles)
        r, A = self._residuals(points, J, angles)
        cost = np.square(r).sum(axis=1)
        for _ in range(self._config.iterations):
            H = np.swapaxes(A, 1, 2) @ A
            g = np.einsum("tij,ti->tj", A, r)
            H[:, range(n), range(n)] *= 1 + lam[:, None]
            H[:, range(n), range(n)] += 1e-9
            step = -np.linalg.solve(H, g[..., None])[..., 0]
            step[:, :3] = np.clip(step[:, :3], -0.5, 0.5)
            R2 = matrix_from_rotvec(step[:, :3]) @ R
            t2 = t + np.clip(step[:, 3:6], -0.2, 0.2)
            t2[:, 2] = np.maximum(t2[:, 2], 0.08)
            angles2 = angles + np.clip(step[:, 6:], -0.4, 0.4)
            points2, J2 = self._points(R2, t2, angles2)
            r2, A2 = self._residuals(points2, J2, angles2)
            cost2 = np.square(r2).sum(axis=1)
            better = cost2 < cost
            lam = np.where(better, lam * 0.3, lam * 8.0)
            R, t, angles, points, J, r, A, cost = (
                np.where(_wide(better, new), new, old)
                for new, old in ((R2, R), (t2, t), (angles2, angles), (points2, points), (J2, J), (r2, r), (A2, A),
                                 (cost2, cost))
            )  # fmt: skip
        return _Solution(R, t, angles, points, self._project(points) - self._uv, cost)

    def _start(self, angles: Array) -> tuple[Array, Array]:
        """Wrist pose from the palm: its rotation by the network's shape, its place by perspective."""
        rest = self._skeleton.keypoints(full_angles(angles[0]))[list(_PALM)] @ self._mirror
        seen = self._shape[:, list(_PALM)]
        a, b = rest - rest.mean(axis=0), seen - seen.mean(axis=1, keepdims=True)
        U, _, Vt = np.linalg.svd(np.swapaxes(b, 1, 2) @ a)
        flip = np.zeros((len(seen), 3, 3))
        flip[:, 0, 0] = flip[:, 1, 1] = 1
        flip[:, 2, 2] = np.linalg.det(U @ Vt)
        R = U @ flip @ Vt
        turned = rest @ np.swapaxes(R, 1, 2)
        uv = (self._uv[:, list(_PALM)] - self._c) / self._f
        spread = np.linalg.norm(uv - uv.mean(axis=1, keepdims=True), axis=2).mean(axis=1)
        true = np.linalg.norm((turned - turned.mean(axis=1, keepdims=True))[..., :2], axis=2).mean(axis=1)
        z = np.clip(true / np.maximum(spread, 1e-6), 0.12, 2.5)
        middle = np.concatenate([uv.mean(axis=1), np.ones((len(seen), 1))], axis=1) * z[:, None]
        return R, middle - turned.mean(axis=1)

    def _points(self, R: Array, t: Array, angles: Array) -> tuple[Array, Array]:
        """Key points (T, 21, 3) in the camera and their derivatives (T, 21, 3, n)."""
        local, d_local = keypoints_and_jacobian(self._skeleton, angles)
        turn = R @ self._mirror
        arms = local @ np.swapaxes(turn, 1, 2)
        frames = len(R)
        J = np.zeros((frames, 21, 3, _POSE_DIM + len(FREE_DIMS)))
        # A small rotation w moves an arm a by w x a.
        J[..., 0, 1], J[..., 0, 2] = arms[..., 2], -arms[..., 1]
        J[..., 1, 0], J[..., 1, 2] = -arms[..., 2], arms[..., 0]
        J[..., 2, 0], J[..., 2, 1] = arms[..., 1], -arms[..., 0]
        J[..., range(3), range(3, 6)] = 1.0
        J[..., 6:] = turn[:, None] @ d_local
        return arms + t[:, None], J

    def _project(self, points: Array) -> Array:
        z = np.maximum(points[..., 2:], 0.02)
        return np.asarray(points[..., :2] / z * self._f + self._c)

    def _residuals(self, points: Array, J: Array, angles: Array) -> tuple[Array, Array]:
        """(T, m) weighted residuals and (T, m, n) their derivatives."""
        frames = len(points)
        z = np.maximum(points[..., 2:], 0.02)
        error = (self._project(points) - self._uv) * self._weight
        size = np.linalg.norm(error, axis=-1, keepdims=True)
        robust = np.sqrt(np.minimum(1.0, self._config.huber / np.maximum(size, 1e-9)))
        inner = (J[..., :2, :] - (points[..., :2] / z)[..., None] * J[..., 2:3, :]) * (self._f[:, None] / z[..., None])
        weight = (robust * self._weight)[..., None]
        shape_weight = 1 / np.array(self._config.shape_sigma_m)
        arm, arm_J = points - points[:, :1], J - J[:, :1]
        prior = (angles - PRIOR_RAD) / SIGMA_RAD
        prior_J = np.zeros((frames, len(FREE_DIMS), J.shape[-1]))
        prior_J[:, range(len(FREE_DIMS)), range(_POSE_DIM, J.shape[-1])] = 1 / SIGMA_RAD
        # 21 landmarks of one network are not 21 independent looks at the hand.
        share = 0.5
        r = [
            (error * robust).reshape(frames, -1),
            share * ((arm - self._shape) * shape_weight).reshape(frames, -1),
            prior,
        ]
        A = [
            (inner * weight).reshape(frames, -1, J.shape[-1]),
            share * (arm_J * shape_weight[:, None]).reshape(frames, -1, J.shape[-1]),
            prior_J,
        ]
        return np.concatenate(r, axis=1), np.concatenate(A, axis=1)


def _scaled(shape_m: Array, skeleton: HandSkeleton) -> Array:
    """The network's shapes with palms as long as the skeleton's."""
    palm = skeleton.keypoints(np.zeros(FINGERS_DIM))
    wanted = np.linalg.norm(palm[9] - palm[0])
    length = np.linalg.norm(shape_m[:, 9] - shape_m[:, 0], axis=1)
    scaled: Array = shape_m * (wanted / np.maximum(length, 1e-3))[:, None, None]
    return scaled


def _wide(mask: NDArray[np.bool_], like: Array) -> NDArray[np.bool_]:
    return mask.reshape(-1, *[1] * (like.ndim - 1))
