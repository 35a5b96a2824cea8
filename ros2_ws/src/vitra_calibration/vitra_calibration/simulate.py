"""A calibration whose truth is known: a camera and a board mounted a little otherwise than nominal, noisy corners.

`images=True` paints the board into images and finds it there; otherwise corners are projected and get noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_calibration.board import Board, Detection
from vitra_calibration.poses import View, guided_poses, nominal_ee_from_board, shows
from vitra_calibration.refine import Lens, Mounting
from vitra_calibration.sample import CalibrationSession, Sample
from vitra_description.calibration import default_calibration
from vitra_description.kinematics import ArmModel
from vitra_description.postures import home
from vitra_policy.action_space import Side
from vitra_policy.transforms import invert_pose, make_pose, matrix_from_rotvec

Array = NDArray[np.float64]
_OFF_M, _OFF_RAD = 0.02, np.radians(3.0)


@dataclass(frozen=True, slots=True)
class Truth:
    """What a simulated calibration should find, and its samples."""

    mounting: Mounting
    session: CalibrationSession


def simulate(
    seed: int,
    *,
    side: str = "right",
    noise_px: float = 0.3,
    poses: int = 24,
    images: bool = False,
) -> Truth:
    """Samples of one made-up mounting.

    Args:
        seed: Of the mounting, the poses and the noise.
        side: Arm that carries the board.
        noise_px: Standard deviation of each coordinate of a corner.
        poses: How many.
        images: Find the corners in painted images instead of projecting them.
    """
    random = np.random.default_rng(seed)
    calibration, board = default_calibration(), Board()
    camera = calibration.head_camera
    lens, size_px = Lens(camera.matrix, np.zeros(5)), (camera.width_px, camera.height_px)
    base_from_camera = calibration.base_from_head_camera @ _small(random)
    arm_base_from_camera = np.asarray(invert_pose(calibration.side(side).base_from_arm_base) @ base_from_camera)
    ee_from_board = np.asarray(nominal_ee_from_board(board) @ _small(random))
    arm = ArmModel(calibration.hardware.arm_variant)
    samples: list[Sample] = []
    for q in guided_poses(calibration, side, board, View(lens, size_px), poses + 12, seed):
        camera_from_board = np.asarray(invert_pose(arm_base_from_camera) @ arm.fk(q) @ ee_from_board)
        if len(samples) == poses or not shows(camera_from_board, board, lens, size_px):
            continue
        if images:
            detection = board.detect(paint(camera_from_board, board, lens, size_px, random))
            if detection is None:
                continue
        else:
            points = board.corners_m @ camera_from_board[:3, :3].T + camera_from_board[:3, 3]
            corners = lens.project(points)
            detection = Detection(np.arange(len(corners)), corners + random.normal(0.0, noise_px, corners.shape))
        other = Side(side).other
        samples.append(Sample({str(side): q, str(other): home(other)}, detection))
    session = CalibrationSession(side, board, size_px, lens.camera_matrix, lens.distortion, tuple(samples), {})
    return Truth(Mounting(arm_base_from_camera, ee_from_board), session)


def as_if_on(session: CalibrationSession, side: str) -> CalibrationSession:
    """The same samples told as those of another arm: what a mix-up looks like."""
    return replace(session, side=side)


def paint(
    camera_from_board: Array, board: Board, lens: Lens, size_px: tuple[int, int], random: np.random.Generator
) -> NDArray[np.uint8]:
    """A grey image (H, W) of the board before a plain wall: its plane's homography, smooth edges, sensor noise.

    Args:
        camera_from_board: Pose (4, 4).
        board: What is painted.
        lens: Of the camera; its distortion is applied.
        size_px: Width and height of the image.
        random: Of the noise.
    """
    texture = board.image(150)
    height, width = texture.shape
    scale = board.size_m[0] / width
    # Pixel (i, j) of the texture covers the board's plane around ((i + 0.5) scale, (j + 0.5) scale).
    board_from_texture = np.array([[scale, 0.0, scale / 2], [0.0, scale, scale / 2], [0.0, 0.0, 1.0]])
    plane = camera_from_board[:3, [0, 1, 3]]
    oversampling = 4
    fine = np.array(
        [[oversampling, 0.0, (oversampling - 1) / 2], [0.0, oversampling, (oversampling - 1) / 2], [0, 0, 1.0]]
    )
    homography = fine @ lens.camera_matrix @ plane @ board_from_texture
    fine_size = (size_px[0] * oversampling, size_px[1] * oversampling)
    wall = np.full(fine_size[::-1], 140, np.uint8)
    blurred = cv2.GaussianBlur(texture, (0, 0), 1.0)
    large = cv2.warpPerspective(
        blurred, homography, fine_size, dst=wall, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )
    image = cv2.resize(large, size_px, interpolation=cv2.INTER_AREA).astype(np.float64)
    return np.clip(image + random.normal(0.0, 2.0, image.shape), 0, 255).astype(np.uint8)


def _small(random: np.random.Generator) -> Array:
    """A pose a few centimetres and degrees from none."""
    turn, shift = random.uniform(-1, 1, 3) * _OFF_RAD, random.uniform(-1, 1, 3) * _OFF_M
    return np.asarray(make_pose(shift, matrix_from_rotvec(turn)))
