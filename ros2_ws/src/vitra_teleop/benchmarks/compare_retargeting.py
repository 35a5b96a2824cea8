"""Compares the finger retargeting methods on the same hands: fingertip error and time per hand, as JSON.

python ros2_ws/src/vitra_teleop/benchmarks/compare_retargeting.py --stream recorded.jsonl
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from vitra_description.calibration import default_calibration
from vitra_description.kinematics import HandModel
from vitra_policy.errors import VitraError
from vitra_policy.hand.skeleton import default_skeleton
from vitra_teleop.retargeting import METHODS, create_retargeter
from vitra_teleop.wire import decode

_TIPS = [4, 8, 12, 16, 20]
_PINCH = np.array([0.08, -0.75, 0.42])  # of thumb joints, radians


@dataclass(frozen=True)
class Args:
    """What to compare on."""

    stream: Path | None = None
    """Recorded wire messages with landmarks; default: synthetic pinches and fists."""
    out: Path | None = None
    """JSON file; default standard output."""
    scaling: float = 1.1
    """XHand size over human hand size."""


def synthetic(count: int = 120) -> list[np.ndarray]:
    """Landmarks of a right hand that closes to a pinch and on to a fist, several times."""
    skeleton, hands = default_skeleton(), []
    for k in range(count):
        share = 0.5 - 0.5 * np.cos(2 * np.pi * k / 60)
        angles = np.zeros((15, 3))
        for finger in (0, 3, 6, 9):
            angles[finger : finger + 3, 2] = share * np.array([1.0, 0.9, 0.5])
        angles[12] = share * np.array([0.0, _PINCH[1], 1.2])
        angles[13, 1] = share * _PINCH[2]
        hands.append(skeleton.keypoints(angles.ravel()))
    return hands


def recorded(path: Path) -> list[np.ndarray]:
    """Right hands of a recorded stream."""
    frames = [decode(line) for line in path.read_text().splitlines()]
    hands = [frame.hands["right"].landmarks_m for frame in frames if "right" in frame.hands]
    return [hand for hand in hands if hand is not None]


def main(args: Args) -> None:
    """Compare and write."""
    calibration, model = default_calibration(), HandModel("right")
    rotation = calibration.right.hand_base_from_hand_mount[:3, :3]
    hands = synthetic() if args.stream is None else recorded(args.stream)
    report: dict[str, object] = {"hands": len(hands), "scaling": args.scaling}
    for method in METHODS:
        try:
            retarget = create_retargeter(method, calibration)
            retarget("right", hands[0])  # solvers are built at their first use
        except VitraError as error:
            report[method] = str(error)
            continue
        errors, apertures, times = [], [], []
        for landmarks in hands:
            begin_s = time.perf_counter()
            joints = retarget("right", landmarks)
            times.append(time.perf_counter() - begin_s)
            human, robot = landmarks[_TIPS] @ rotation.T * args.scaling, model.fingertips(joints)
            errors.append(np.linalg.norm(robot - human, axis=1))
            apertures.append(abs(np.linalg.norm(robot[0] - robot[1]) - np.linalg.norm(human[0] - human[1])))
        report[method] = {
            "fingertip_error_mm_mean": round(1e3 * float(np.mean(errors)), 1),
            "fingertip_error_mm_p95": round(1e3 * float(np.quantile(errors, 0.95)), 1),
            "thumb_to_index_error_mm_mean": round(1e3 * float(np.mean(apertures)), 1),
            "ms_p50": round(1e3 * float(np.median(times)), 2),
            "ms_p95": round(1e3 * float(np.quantile(times, 0.95)), 2),
        }
    text = json.dumps(report, indent=2)
    if args.out is None:
        sys.stdout.write(text + "\n")
    else:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
