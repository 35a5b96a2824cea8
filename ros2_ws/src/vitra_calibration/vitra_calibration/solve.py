"""From samples to a camera pose that may be believed: solvers against each other, kept-out samples, misreadings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vitra_calibration.errors import InaccurateError, InvertedError, TooFewSamplesError, TooLittleRotationError
from vitra_calibration.hand_eye import SOLVERS, board_mounting
from vitra_calibration.refine import Lens, Mounting, camera_from_board, pixel_errors, refine
from vitra_calibration.sample import CalibrationSession
from vitra_description.kinematics import ArmModel
from vitra_description.names import ArmVariant
from vitra_policy.action_space import Side
from vitra_policy.transforms import invert_pose, rotation_angle

Array = NDArray[np.float64]

LEAST_SAMPLES = 12
_KEPT_OUT_EVERY = 4
_LEAST_SPREAD_RAD = np.radians(10.0)
_LEAST_TURN_RAD = np.radians(30.0)
_MOST_ERROR_PX, _MOST_ERROR_M = 1.5, 0.004
_MOST_DISAGREEMENT_M, _MOST_DISAGREEMENT_RAD = 0.02, np.radians(2.0)
_OTHERWISE_BETTER = 3.0


@dataclass(frozen=True, slots=True)
class Solution:
    """A camera pose and why it may be believed.

    Attributes:
        side: Arm that carried the board.
        mounting: arm_base_from_camera and ee_from_board.
        samples: Poses used, kept-out ones included.
        kept_out_px: Root mean square error of the kept-out corners.
        kept_out_m: Root mean square distance of the board where joints and where the camera put it, kept-out poses.
        disagreement_m: Largest distance of a closed solution from the result.
        disagreement_rad: The same of the rotation.
        deviation_m: Standard deviation of the camera's position, largest axis.
        deviation_rad: The same of its rotation.
        turn_rad: Largest rotation between two poses.
    """

    side: str
    mounting: Mounting
    samples: int
    kept_out_px: float
    kept_out_m: float
    disagreement_m: float
    disagreement_rad: float
    deviation_m: float
    deviation_rad: float
    turn_rad: float


def solve(session: CalibrationSession, variant: str = ArmVariant.RM75_6F, *, lens: Lens | None = None) -> Solution:
    """Where the camera is in the base of the arm that carried the board.

    Args:
        session: Samples.
        variant: Arm variant: it decides the length of the last link.
        lens: Intrinsics; None takes those that the camera reported.

    Raises:
        TooFewSamplesError: fewer than `LEAST_SAMPLES`.
        TooLittleRotationError: the wrist hardly turned, or about one axis.
        InvertedError: another reading of the samples fits far better than this one.
        InaccurateError: the kept-out error is too large, or the solvers disagree.
    """
    lens = lens or Lens(session.camera_matrix, session.distortion)
    corners_m = session.board.corners_m
    samples = [sample for sample in session.samples if session.side in sample.joints_rad]
    if len(samples) < LEAST_SAMPLES:
        raise TooFewSamplesError(
            f"{len(samples)} images show the board, needed {LEAST_SAMPLES}; 20 or more are better. Go on with "
            "vitra-calibrate collect."
        )
    arm = ArmModel(variant)
    B = [arm.fk(sample.joints_rad[session.side]) for sample in samples]
    C = [camera_from_board(sample.detection, corners_m, lens) for sample in samples]
    turn_rad = _require_rotation(session, B, C)
    closed = {name: solver(B, C) for name, solver in SOLVERS.items()}
    start = min(closed.values(), key=lambda X: misfit_m(X, B, C))
    _refuse_other_readings(session, arm, B, C, misfit_m(start, B, C))
    detections = [sample.detection for sample in samples]
    kept = [i for i in range(len(B)) if i % _KEPT_OUT_EVERY != 1]
    out = [i for i in range(len(B)) if i % _KEPT_OUT_EVERY == 1]
    mounting = Mounting(start, board_mounting(start, B, C))
    judged, _ = refine(mounting, _pick(B, kept), _pick(detections, kept), corners_m, lens)
    errors_px = pixel_errors(judged, _pick(B, out), _pick(detections, out), corners_m, lens)
    kept_out_px = float(np.sqrt(np.mean(np.sum(errors_px**2, axis=1))))
    kept_out_m = _board_errors_m(judged, _pick(B, out), _pick(C, out))
    final, deviation = refine(judged, B, detections, corners_m, lens)
    X = final.arm_base_from_camera
    apart = [np.asarray(invert_pose(X) @ other) for other in closed.values()]
    solution = Solution(
        side=session.side,
        mounting=final,
        samples=len(samples),
        kept_out_px=kept_out_px,
        kept_out_m=kept_out_m,
        disagreement_m=float(max(np.linalg.norm(pose[:3, 3]) for pose in apart)),
        disagreement_rad=float(max(rotation_angle(pose[:3, :3]) for pose in apart)),
        deviation_m=float(deviation[3:].max()),
        deviation_rad=float(deviation[:3].max()),
        turn_rad=turn_rad,
    )
    _require_accuracy(solution)
    return solution


def misfit_m(X: Array, B: Sequence[Array], C: Sequence[Array]) -> float:
    """How badly a camera pose explains the poses: spread of the board on the flange, rotation counted at 0.1 m [m].

    Args:
        X: Camera pose (4, 4) in the arm's base.
        B: Flange poses in the arm's base, (4, 4) each.
        C: Board poses in the camera, (4, 4) each.
    """
    Y = board_mounting(X, B, C)
    apart = [np.asarray(invert_pose(b @ Y) @ X @ c) for b, c in zip(B, C, strict=True)]
    lengths = [np.hypot(np.linalg.norm(pose[:3, 3]), 0.1 * rotation_angle(pose[:3, :3])) for pose in apart]
    return float(np.median(lengths))


def _require_rotation(session: CalibrationSession, B: Sequence[Array], C: Sequence[Array]) -> float:
    """Both the wrist, by its joints, and the board, as seen, must turn about more than one axis."""
    turns = []
    for poses in (B, C):
        rotations = Rotation.from_matrix([pose[:3, :3] for pose in poses])
        vectors = (rotations.mean().inv() * rotations).as_rotvec()
        spread_rad = np.linalg.svd(vectors)[1] / np.sqrt(len(vectors))
        turns.append((float(2 * np.linalg.norm(vectors, axis=1).max()), float(spread_rad[1])))
    (joints_turn, joints_spread), (seen_turn, seen_spread) = turns
    if joints_turn < _LEAST_TURN_RAD and seen_turn >= _LEAST_TURN_RAD:
        raise InvertedError(
            f"The board turns by {np.degrees(seen_turn):.0f} deg in the images, the {session.side} arm by its joints "
            f"hardly ({np.degrees(joints_turn):.0f}): is the board on the other arm? Then collect with --side of that."
        )
    turn, spread = min(joints_turn, seen_turn), min(joints_spread, seen_spread)
    if turn < _LEAST_TURN_RAD or spread < _LEAST_SPREAD_RAD:
        raise TooLittleRotationError(
            f"The board was turned by {np.degrees(turn):.0f} deg at most and by {np.degrees(spread):.1f} deg about a "
            f"second axis; needed {np.degrees(_LEAST_TURN_RAD):.0f} and {np.degrees(_LEAST_SPREAD_RAD):.0f}. Add poses "
            "that tilt it to all sides (vitra-calibrate poses shows some)."
        )
    return turn


def _refuse_other_readings(
    session: CalibrationSession, arm: ArmModel, B: Sequence[Array], C: Sequence[Array], misfit: float
) -> None:
    """Samples that make sense only when read otherwise name the mistake."""
    readings = {
        # Inverting the other of the two is the same problem with both unknowns exchanged: it fits equally well.
        "one kind of pose is inverted: the arm's (flange from base instead of base from flange) or the board's (board "
        "from camera instead of camera from board)": ([invert_pose(b) for b in B], C),
    }
    other = Side(session.side).other
    if all(other in sample.joints_rad for sample in session.samples):
        joints = [sample.joints_rad[other] for sample in session.samples if session.side in sample.joints_rad]
        readings[f"the board is on the {other} arm: collect with --side {other}"] = ([arm.fk(q) for q in joints], C)
    for reading, (b, c) in readings.items():
        try:
            otherwise = min(misfit_m(solver(b, c), b, c) for solver in SOLVERS.values())
        except (ValueError, np.linalg.LinAlgError):  # an arm that stands still gives no motions
            continue
        if otherwise * _OTHERWISE_BETTER < misfit and otherwise < 5 * _MOST_ERROR_M:
            raise InvertedError(
                f"The samples fit {misfit / max(otherwise, 1e-9):.0f} times better if {reading} "
                f"({otherwise * 1e3:.1f} mm instead of {misfit * 1e3:.1f})."
            )


def _require_accuracy(solution: Solution) -> None:
    if solution.kept_out_px > _MOST_ERROR_PX or solution.kept_out_m > _MOST_ERROR_M:
        raise InaccurateError(
            f"On poses that were kept out the board is {solution.kept_out_m * 1e3:.1f} mm and "
            f"{solution.kept_out_px:.2f} px from where it should be, allowed {_MOST_ERROR_M * 1e3:.0f} mm and "
            f"{_MOST_ERROR_PX:g} px. Is the board stiff and fixed, square_m measured, the arm still, the lens right?"
        )
    if solution.disagreement_m > _MOST_DISAGREEMENT_M or solution.disagreement_rad > _MOST_DISAGREEMENT_RAD:
        raise InaccurateError(
            f"The solvers disagree by {solution.disagreement_m * 1e3:.1f} mm and "
            f"{np.degrees(solution.disagreement_rad):.2f} deg, allowed {_MOST_DISAGREEMENT_M * 1e3:.0f} mm and "
            f"{np.degrees(_MOST_DISAGREEMENT_RAD):.0f} deg. Add poses with more rotation."
        )


def _board_errors_m(mounting: Mounting, B: Sequence[Array], C: Sequence[Array]) -> float:
    X, Y = mounting.arm_base_from_camera, mounting.ee_from_board
    apart = [(b @ Y)[:3, 3] - (X @ c)[:3, 3] for b, c in zip(B, C, strict=True)]
    return float(np.sqrt(np.mean(np.sum(np.square(apart), axis=1))))


def _pick(items: Sequence[object], indices: Sequence[int]) -> list:  # type: ignore[type-arg]
    return [items[i] for i in indices]
