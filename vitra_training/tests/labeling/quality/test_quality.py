"""Faults of episodes, and what a robot could follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_description.kinematics import ArmModel
from vitra_description.postures import home
from vitra_policy.transforms import make_pose, matrix_from_rotvec
from vitra_training.datasets.camera import Camera
from vitra_training.labeling.quality.executability import ExecutabilityConfig, executability
from vitra_training.labeling.quality.filters import Fault, QualityConfig, faults
from vitra_training.labeling.segmentation.stage import Action
from vitra_training.labeling.world.stage import WorldHands

FRAMES = 60
CAMERA = Camera(np.array([[400.0, 0, 320], [0, 400, 240], [0, 0, 1]]), 640, 480)
ACTION = Action("right", 5, 55)


def world() -> WorldHands:
    """A right hand that moves slowly 0.4 m before a still camera."""
    pose = np.tile(np.eye(4), (2, FRAMES, 1, 1))
    pose[1, :, :3, 3] = np.stack([np.linspace(-0.1, 0.1, FRAMES), np.zeros(FRAMES), np.full(FRAMES, 0.4)], axis=1)
    valid = np.zeros((2, FRAMES), dtype=bool)
    valid[1] = True
    return WorldHands(
        fps=30.0, intrinsics=CAMERA.intrinsics, focal_source="given",
        camera_from_world=np.tile(np.eye(4), (FRAMES, 1, 1)),
        camera_known=np.ones(FRAMES, dtype=bool), world_of=np.zeros(FRAMES, dtype=np.int64), camera_source="still",
        scale_source="still", scale_sigma_share=0.0, world_from_wrist=pose, fingers_rad=np.zeros((2, FRAMES, 45)),
        keypoints_m=pose[:, :, None, :3, 3] + np.zeros((2, FRAMES, 21, 3)), valid=valid, seen=valid.copy(),
        confidence=valid * 0.9, sigma_m=np.full((2, FRAMES), 0.01), side_certainty=np.array([0.9, 0.9]),
        tracker="made up", missing_clips=(),
    )  # fmt: skip


def found(changed: WorldHands, action: Action = ACTION) -> tuple[Fault, ...]:
    return faults(changed, action, CAMERA, QualityConfig())


def moved(where: int, shift: tuple[float, float, float]) -> WorldHands:
    made = world()
    pose = made.world_from_wrist.copy()
    pose[1, where:, :3, 3] += shift
    return replace(made, world_from_wrist=pose, keypoints_m=pose[:, :, None, :3, 3] + np.zeros((2, FRAMES, 21, 3)))


def test_a_good_episode_has_no_fault() -> None:
    assert found(world()) == ()


def test_each_fault_is_found_alone() -> None:
    made = world()
    unseen = made.seen.copy()
    unseen[1, 10:50] = False
    turned = made.world_from_wrist.copy()
    turned[1, 30:, :3, :3] = matrix_from_rotvec(np.array([0, 0, 1.0]))
    lost = made.camera_known.copy()
    lost[20] = False
    jump = made.camera_from_world.copy()
    jump[30:, :3, 3] = [0, 0, 0.3]
    cases: dict[Fault, WorldHands] = {
        Fault.UNSEEN: replace(made, seen=unseen),
        Fault.JUMP: moved(30, (0, 0, 0.35)),
        Fault.TURN: replace(made, world_from_wrist=turned),
        Fault.CAMERA_UNKNOWN: replace(made, camera_known=lost),
        Fault.CAMERA_JUMP: replace(made, camera_from_world=jump),
        Fault.SIDE: replace(made, side_certainty=np.array([0.9, 0.5])),
        Fault.UNCERTAIN: replace(made, sigma_m=np.full((2, FRAMES), 0.2)),
        Fault.REACH: moved(0, (0, 0, 1.0)),
        Fault.OUTSIDE: moved(0, (-0.5, 0, 0)),
    }
    assert {fault: found(case) for fault, case in cases.items()} == {fault: (fault,) for fault in cases}
    assert found(made, Action("right", 5, 12)) == (Fault.SHORT,)


def path_of(joints: np.ndarray, side: str) -> np.ndarray:
    """What the head camera sees of the robot's own hand."""
    calibration = default_calibration()
    arm = ArmModel(side=calibration.side(side))
    camera_from_base = calibration.head_camera_from_arm_base(side)
    return np.stack([camera_from_base @ arm.wrist_pose(q) for q in joints])


@pytest.mark.parametrize("side", ["left", "right"])
def test_what_the_robot_itself_did_it_can_follow(side: str) -> None:
    time = np.linspace(0, 1, 40)[:, None]
    joints = home(side) + 0.25 * np.sin(np.pi * time) * np.array([1, 0.5, -0.5, 0.6, 0.4, -0.5, 0.3])
    verdict = executability(path_of(joints, side), np.zeros((40, 45)), side, 30.0, ExecutabilityConfig(recentre=False))  # type: ignore[arg-type]
    assert verdict.share == 1.0
    assert verdict.shift_m == 0.0


def test_a_path_too_fast_too_far_or_too_wide_is_followed_only_in_part() -> None:
    still = path_of(np.tile(home("right"), (40, 1)), "right")
    far = still.copy()
    far[20:, :3, 3] += still[0, :3, :3] @ np.array([-1.5, 0, 0])
    verdict = executability(far, np.zeros((40, 45)), "right", 30.0, ExecutabilityConfig(recentre=False))
    assert 0.4 < verdict.reach < 0.6
    assert verdict.share <= verdict.reach
    jumping = still.copy()
    jumping[::2, :3, 3] += [0.0, 0.0, 0.25]
    assert executability(jumping, np.zeros((40, 45)), "right", 30.0).reach < 0.6
    fingers = np.zeros((40, 45))
    fingers[20:, 8] = -1.0  # bent backwards: no XHand finger does that
    verdict = executability(still, fingers, "right", 30.0, ExecutabilityConfig(recentre=False))
    assert verdict.fingers == pytest.approx(0.5)
    assert verdict.reach == 1.0


def test_a_path_elsewhere_is_moved_to_where_the_robots_hand_rests() -> None:
    still = path_of(np.tile(home("left"), (30, 1)), "left")
    away = make_pose([0.3, 0.2, 0.4], np.eye(3)) @ still
    verdict = executability(away, np.zeros((30, 45)), "left", 30.0)
    assert verdict.share == 1.0
    assert verdict.shift_m == pytest.approx(np.linalg.norm(away[0, :3, 3] - still[0, :3, 3]), rel=1e-6)
