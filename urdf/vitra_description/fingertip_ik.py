"""Inverse kinematics of one XHand: joints whose fingertips come nearest to given points, within limits.

python -m vitra_description.fingertip_ik            # error over the workspace
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.kinematics import HandModel
from vitra_description.limits import HAND_LIMITS
from vitra_policy.action_space import SIDES, Side

Array = NDArray[np.float64]

_FINGER_JOINTS = (slice(0, 3), slice(3, 6), slice(6, 8), slice(8, 10), slice(10, 12))
"""Joints of thumb, index, middle, ring and little finger; each moves its own tip alone."""
_ROUNDS = 30
_STEP = 1e-5
_DAMPING = 1e-5
_REST = 1e-6
_LONGEST_RAD = 0.35
_CLOSE_M = 2e-5


class FingertipIk:
    """Damped least squares, finger by finger, from a seed and, where that ends far off, from a few bent postures.

    Fingertips of other hands, a human's say, are often out of reach of an XHand's, whose fingers bend but do not
    spread: the nearest reachable point is taken then.

    Args:
        hand: Kinematics of the hand.
    """

    def __init__(self, hand: HandModel) -> None:
        self._hand = hand
        self._lower, self._upper = HAND_LIMITS.lower_rad, HAND_LIMITS.upper_rad

    def solve(self, fingertips_m: ArrayLike, seed_rad: ArrayLike, search: bool = True) -> Array:
        """Joints (12,) for fingertips (5, 3) in the hand's base frame, from a seed (12,).

        Args:
            fingertips_m: Wanted points, thumb to little finger.
            seed_rad: Where to begin.
            search: Also begin elsewhere where that ends far off; not along a path, which must not leap.
        """
        wanted = np.asarray(fingertips_m, dtype=np.float64)
        seed = np.clip(np.asarray(seed_rad, dtype=np.float64), self._lower, self._upper)
        best, error = self._descend(wanted, seed)
        for share in (0.15, 0.5, 0.85) if search else ():
            if error.max() < 1e-3:
                break
            again, missed = self._descend(wanted, self._lower + share * (self._upper - self._lower))
            for finger, joints in enumerate(_FINGER_JOINTS):
                if missed[finger] < error[finger] - 1e-4:
                    best[joints], error[finger] = again[joints], missed[finger]
        return best

    def _descend(self, wanted: Array, start: Array) -> tuple[Array, Array]:
        q, rest = start.copy(), start
        tips = self._hand.fingertips(q)
        for _ in range(_ROUNDS):
            moved = np.stack([self._hand.fingertips(q + _STEP * self._probe(k)) for k in range(3)])
            change = 0.0
            for finger, joints in enumerate(_FINGER_JOINTS):
                J = (moved[: joints.stop - joints.start, finger] - tips[finger]).T / _STEP
                H = J.T @ J + (_DAMPING + _REST) * np.eye(J.shape[1])
                gradient = J.T @ (wanted[finger] - tips[finger]) + _REST * (rest[joints] - q[joints])
                step = np.clip(np.linalg.solve(H, gradient), -_LONGEST_RAD, _LONGEST_RAD)
                new = np.clip(q[joints] + step, self._lower[joints], self._upper[joints])
                change = max(change, float(np.abs(new - q[joints]).max()))
                q[joints] = new
            tips = self._hand.fingertips(q)
            if change < 1e-4 or np.abs(tips - wanted).max() < _CLOSE_M:
                break
        return q, np.linalg.norm(tips - wanted, axis=1)

    @staticmethod
    def _probe(number: int) -> Array:
        """Moves the joint of that number of every finger that has one."""
        unit = np.zeros(HAND_LIMITS.dof)
        for joints in _FINGER_JOINTS:
            if joints.start + number < joints.stop:
                unit[joints.start + number] = 1.0
        return unit


@dataclass(frozen=True, slots=True)
class FingertipError:
    """How far fingertips end from where they were to go [m]."""

    side: str
    samples: int
    median_m: float
    p95_m: float
    largest_m: float


def measure(side: str, samples: int = 500, noise_m: float = 0.0, seed: int = 0) -> FingertipError:
    """Error over random postures within limits, each sought from another posture.

    Args:
        side: Which hand.
        samples: Postures.
        noise_m: Added to the wanted points, which are then no longer exactly within reach.
        seed: Draws them.
    """
    hand, draw = HandModel(side), np.random.default_rng(seed)
    ik, errors = FingertipIk(hand), []
    for _ in range(samples):
        true, start = (draw.uniform(HAND_LIMITS.lower_rad, HAND_LIMITS.upper_rad) for _ in range(2))
        wanted = hand.fingertips(true) + draw.normal(0, 1, (5, 3)) * noise_m
        errors.append(np.linalg.norm(hand.fingertips(ik.solve(wanted, start)) - wanted, axis=1))
    return _summary(side, samples, errors)


def measure_human(side: str, samples: int = 200, seed: int = 0) -> FingertipError:
    """Error for fingertips of a bending human hand (MANO's mean shape), most of which an XHand cannot reach.

    Args:
        side: Which hand.
        samples: Postures: bend 0 to 1.2 rad, spread up to 0.2 rad, each finger by itself.
        seed: Draws them.
    """
    from vitra_description.robot_kinematics import make_robot  # it imports this module
    from vitra_policy.hand.skeleton import default_skeleton

    robot, draw, bend = make_robot(), np.random.default_rng(seed), np.zeros((samples, 5, 3, 3))
    bend[:, :, 0, 1] = draw.uniform(-0.2, 0.2, (samples, 5))
    bend[:, :, 0, 2] = draw.uniform(0, 1.2, (samples, 5))
    bend[:, :, 1, 2] = bend[:, :, 2, 2] = draw.uniform(0, 1.2, (samples, 5))
    joints, errors = np.zeros(HAND_LIMITS.dof), []
    acting = Side(side)
    for wanted in default_skeleton().keypoints(bend.reshape(samples, 45), acting)[:, [4, 8, 12, 16, 20]]:
        joints = robot.hand_for_fingertips(acting, wanted, joints, search=True)
        errors.append(np.linalg.norm(robot.fingertips(acting, joints) - wanted, axis=1))
    return _summary(side, samples, errors)


def _summary(side: str, samples: int, errors: list[Array]) -> FingertipError:
    flat = np.concatenate(errors)
    return FingertipError(side, samples, *(float(x) for x in (np.median(flat), np.quantile(flat, 0.95), flat.max())))


def main() -> None:
    """Print the error of both hands: for reachable points, for points 5 mm off, and for a human's fingertips."""
    for side in SIDES:
        for points, found in (
            ("within reach", measure(side)),
            ("5 mm beside it", measure(side, noise_m=0.005)),
            ("of a human hand", measure_human(side)),
        ):
            row: dict[str, object] = {"side": str(side), "points": points, "samples": found.samples}
            row |= {f"{name}_mm": round(value * 1e3, 3) for name, value in (
                ("median", found.median_m), ("p95", found.p95_m), ("largest", found.largest_m))}  # fmt: skip
            sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
