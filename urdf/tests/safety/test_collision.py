"""Distances against brute force, and the reachability of the task zone."""

import xml.etree.ElementTree as ET

import numpy as np
import pinocchio as pin
import pytest

from vitra_description.calibration import default_calibration
from vitra_description.description import robot_description
from vitra_description.kinematics import ArmModel, JointVectorError
from vitra_description.limits import ARM_LIMITS
from vitra_description.names import arm_joints
from vitra_description.postures import ARM_MIRROR, home
from vitra_policy.action_space import SIDES, Side
from vitra_safety.collision import Closest, CollisionModel
from vitra_safety.reachability import ReachDemands, check_reachability, default_task_zone

CALIBRATION = default_calibration()
DESCRIPTION = robot_description("both", CALIBRATION)
MODEL = pin.buildModelFromXML(DESCRIPTION)
LEFT_MOUNT = CALIBRATION.left.hand_base_from_hand_mount
BOTH_HOME = np.concatenate([home("left"), home("right")])


def _capsules(q_both: np.ndarray) -> dict[str, tuple[np.ndarray, float]]:
    """Points along the axis and the radius of each arm cylinder, read from the URDF independently of coal."""
    model = MODEL
    data, q = model.createData(), pin.neutral(model)
    names = [*arm_joints("left"), *arm_joints("right")]
    for name, value in zip(names, q_both, strict=True):
        q[model.joints[model.getJointId(name)].idx_q] = value
    pin.framesForwardKinematics(model, data, q)
    found = {}
    for link in ET.fromstring(DESCRIPTION).iter("link"):
        for collision in link.iter("collision"):
            cylinder = collision.find("geometry/cylinder")
            name = link.get("name")
            if cylinder is None or not any(name.startswith(f"{side}_link_") for side in SIDES):
                continue
            origin = collision.find("origin")
            xyz, rpy = (np.array([float(v) for v in origin.get(k).split()]) for k in ("xyz", "rpy"))
            pose = data.oMf[model.getFrameId(name)].homogeneous @ pin.SE3(pin.rpy.rpyToMatrix(rpy), xyz).homogeneous
            half = float(cylinder.get("length")) / 2
            along = np.linspace(-half, half, 120)
            found[name] = (pose[:3, 3] + along[:, None] * pose[:3, 2], float(cylinder.get("radius")))
    return found


def test_distances_between_the_arms_agree_with_brute_force() -> None:
    model, rng = CollisionModel(CALIBRATION), np.random.default_rng(0)
    compared = 0
    for _ in range(25):
        q = BOTH_HOME + rng.uniform(-0.7, 0.7, 14)
        closest = model.closest(q)
        capsules = _capsules(q)
        if closest.first in capsules and closest.second in capsules and closest.distance_m > 0:
            (a, ra), (b, rb) = capsules[closest.first], capsules[closest.second]
            sampled = np.linalg.norm(a[:, None] - b[None], axis=2).min() - ra - rb
            assert closest.distance_m == pytest.approx(sampled, abs=5e-4)
            compared += 1
        for left, (a, ra) in capsules.items():
            for right, (b, rb) in capsules.items():
                if left.startswith("left_link_7") and right.startswith("right"):
                    sampled = np.linalg.norm(a[:, None] - b[None], axis=2).min() - ra - rb
                    assert closest.distance_m <= sampled + 1e-6
    assert compared >= 5


def test_home_is_clear_of_everything() -> None:
    assert CollisionModel(CALIBRATION, table_height_m=0.75).distance_m(BOTH_HOME) > 0.05


def test_a_hand_reaching_through_the_other_arm_collides() -> None:
    wrist = CALIBRATION.left.base_from_arm_base @ _wrist("left")
    middle = wrist.copy()
    middle[1, 3] = 0.0
    poses = [pose @ np.linalg.inv(LEFT_MOUNT) @ CALIBRATION.right.hand_base_from_hand_mount for pose in (middle,)]
    right = check_reachability("right", CALIBRATION, poses).poses[0]
    left = check_reachability("left", CALIBRATION, [middle]).poses[0]
    assert right.reached
    assert left.reached
    closest = CollisionModel(CALIBRATION).closest(np.concatenate([left.position_rad, right.position_rad]))
    assert closest.distance_m < 0
    assert {closest.first.split("_")[0], closest.second.split("_")[0]} == {"left", "right"}


def test_a_parked_arm_counts_as_it_stands() -> None:
    rng = np.random.default_rng(7)
    parked = home("left") + rng.uniform(-0.3, 0.3, 7)
    alone = CollisionModel(CALIBRATION, ("right",))
    beside = CollisionModel(CALIBRATION, ("right",), parked={Side.LEFT: parked})
    both, left = CollisionModel(CALIBRATION), CollisionModel(CALIBRATION, ("left",))
    nearer = 0
    for q in rng.uniform(ARM_LIMITS.lower_rad, ARM_LIMITS.upper_rad, (100, 7)):
        expected_m = both.distance_m(np.concatenate([parked, q]))
        found_m = beside.distance_m(q)
        assert min(found_m, left.distance_m(parked)) == pytest.approx(expected_m, abs=1e-6)
        nearer += found_m < alone.distance_m(q) - 1e-3
    assert nearer >= 5


def _wrist(side: str) -> np.ndarray:
    return ArmModel(side=CALIBRATION.side(side)).wrist_pose(home(side))


def test_mirrored_postures_have_the_same_distance() -> None:
    rng = np.random.default_rng(5)
    left, right = CollisionModel(CALIBRATION, ("left",)), CollisionModel(CALIBRATION, ("right",))
    for q in rng.uniform(ARM_LIMITS.lower_rad, ARM_LIMITS.upper_rad, (20, 7)):
        assert right.distance_m(q) == pytest.approx(left.distance_m(ARM_MIRROR * q), abs=1e-4)


def test_the_table_is_seen_by_palm_and_arm_only_when_given() -> None:
    free = CollisionModel(CALIBRATION, ("right",))
    table = CollisionModel(CALIBRATION, ("right",), table_height_m=1.1)
    assert table.pairs > free.pairs
    assert table.closest(home("right")).second == "table"
    assert table.distance_m(home("right")) < free.distance_m(home("right"))


def test_the_table_is_level_and_as_high_as_is_said() -> None:
    low, high = (CollisionModel(CALIBRATION, ("right",), table_height_m=height_m) for height_m in (1.10, 1.11))
    rng = np.random.default_rng(11)
    for q in home("right") + rng.uniform(-0.03, 0.03, (20, 7)):
        assert low.closest(q).second == high.closest(q).second == "table"
        assert low.distance_m(q) - high.distance_m(q) == pytest.approx(0.01, abs=1e-9)


def test_every_single_arm_pair_is_clear_when_the_arm_is_straight() -> None:
    for side in SIDES:
        closest = CollisionModel(CALIBRATION, (side,)).closest(np.zeros(7))
        assert closest.distance_m > 0, str(closest)


def test_joints_of_the_wrong_number_are_refused() -> None:
    with pytest.raises(JointVectorError, match="14 joint positions"):
        CollisionModel(CALIBRATION).closest(np.zeros(7))


@pytest.mark.parametrize("side", SIDES)
def test_every_grasp_of_the_task_zone_is_reachable(side: str) -> None:
    poses = default_task_zone(side).wrist_poses(side, CALIBRATION)
    report = check_reachability(
        side, CALIBRATION, poses, demands=ReachDemands(limits=ARM_LIMITS.with_margin(0.03), min_distance_m=0.02)
    )
    assert report.all_reached, str(report)
    assert len(report.poses) == 144


def test_the_head_camera_sees_the_task_zone_and_the_hands_in_it() -> None:
    for side in SIDES:
        for pose in default_task_zone(side).wrist_poses(side, CALIBRATION):
            in_camera = np.linalg.inv(CALIBRATION.base_from_head_camera) @ pose[:, 3]
            u, v, _ = CALIBRATION.head_camera.matrix @ (in_camera[:3] / in_camera[2])
            assert in_camera[2] > 0.2
            assert 20 < u < CALIBRATION.head_camera.width_px - 20
            assert 20 < v < CALIBRATION.head_camera.height_px - 20


def test_a_pose_out_of_reach_is_reported_with_its_miss() -> None:
    far = np.eye(4)
    far[:3, 3] = 2.0, 0.0, 1.0
    report = check_reachability("left", CALIBRATION, [far], demands=ReachDemands(restarts=1))
    assert not report.all_reached
    assert report.poses[0].position_error_m > 0.5
    assert "0 of 1" in str(report)


def test_the_closest_pair_is_said_in_millimetres() -> None:
    assert str(Closest(0.0123, "palm", "table")) == "12.3 mm between palm and table"


@pytest.mark.parametrize(
    ("sides", "table_height_m", "pairs"),
    [
        (
            ("right",),
            None,
            46,
        ),  # two torso shapes and the arm's base with links 3 to 7 and the hand's three: 24; links: 22
        (("right",), 0.75, 53),  # and the table with links 3 to 7 and the palm's two shapes
        (("left", "right"), None, 204),
        (("left", "right"), 0.75, 218),
    ],
)
def test_links_from_the_third_on_meet_torso_table_and_the_other_arm(
    sides: tuple[str, ...], table_height_m: float | None, pairs: int
) -> None:
    assert CollisionModel(CALIBRATION, sides, table_height_m).pairs == pairs
