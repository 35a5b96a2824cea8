import mujoco
import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_description.ik import IkSearch, solve_ik
from vitra_description.kinematics import ArmModel, HandModel
from vitra_description.limits import ARM_VENDOR_LIMITS, HAND_VENDOR_LIMITS
from vitra_description.names import arm_joints, ee, fingertips, hand_base, hand_joints, hand_mount
from vitra_description.postures import home, open_hand
from vitra_policy.action_space import SIDES
from vitra_policy.transforms import invert_pose
from vitra_safety.collision import CollisionModel
from vitra_sim.scene.robot_model import LOOKS_GROUP, ROBOT_CLASS, UNSEEN_GROUP, robot_spec


@pytest.fixture(scope="module")
def robot():
    return robot_spec().compile()


def body_pose(model, data, name):
    body = model.body(name).id
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = data.xmat[body].reshape(3, 3), data.xpos[body]
    return pose


def set_joints(model, data, names, q):
    for name, value in zip(names, q, strict=True):
        data.qpos[model.joint(name).qposadr[0]] = value


@pytest.mark.parametrize("side", SIDES)
def test_arm_kinematics_equal_the_descriptions(robot, side):
    calibration = default_calibration()
    arm = ArmModel("6f", calibration.side(side))
    base_from_arm_base = calibration.side(side).base_from_arm_base
    data, rng = mujoco.MjData(robot), np.random.default_rng(0)
    for _ in range(50):
        q = rng.uniform(ARM_VENDOR_LIMITS.lower_rad, ARM_VENDOR_LIMITS.upper_rad)
        set_joints(robot, data, arm_joints(side), q)
        mujoco.mj_kinematics(robot, data)
        np.testing.assert_allclose(body_pose(robot, data, ee(side)), base_from_arm_base @ arm.fk(q), atol=1e-9)
        wrist = body_pose(robot, data, hand_mount(side))
        np.testing.assert_allclose(wrist, base_from_arm_base @ arm.wrist_pose(q), atol=1e-9)


@pytest.mark.parametrize("side", SIDES)
def test_hand_kinematics_equal_the_descriptions(robot, side):
    hand = HandModel(side)
    data, rng = mujoco.MjData(robot), np.random.default_rng(1)
    for _ in range(50):
        q = rng.uniform(HAND_VENDOR_LIMITS.lower_rad, HAND_VENDOR_LIMITS.upper_rad)
        set_joints(robot, data, hand_joints(side), q)
        mujoco.mj_kinematics(robot, data)
        hand_from_base = invert_pose(body_pose(robot, data, hand_base(side)))
        tips = np.array([(hand_from_base @ body_pose(robot, data, tip))[:3, 3] for tip in fingertips(side)])
        np.testing.assert_allclose(tips, hand.fingertips(q), atol=1e-9)


def test_every_joint_has_a_drive_within_its_effort(robot):
    for side in SIDES:
        for name in (*arm_joints(side), *hand_joints(side)):
            drive = robot.actuator(name)
            assert robot.joint(name).id == drive.trnid[0]
            assert 0 < drive.forcerange[1] <= 60


def test_the_robot_does_not_sag_under_its_own_weight(robot):
    data = mujoco.MjData(robot)
    start = data.qpos.copy()
    mujoco.mj_step(robot, data, nstep=400)
    assert np.abs(data.qpos - start).max() < 1e-6


def test_no_mass_is_lost_from_the_hands(robot):
    for side in SIDES:
        bodies = [b for b in range(robot.nbody) if robot.body(b).name.startswith(f"{side}_hand")]
        assert sum(robot.body_mass[b] for b in bodies) == pytest.approx(1.101, abs=0.01)


def test_cylinders_with_end_spheres_become_capsules(robot):
    names = [robot.geom(g).name for g in range(robot.ngeom)]
    assert not [name for name in names if name.endswith(("_near", "_far"))]
    assert robot.geom("right_hand_index_rota_link2_shape").type == mujoco.mjtGeom.mjGEOM_CAPSULE
    assert np.all(robot.geom_contype == ROBOT_CLASS)


def test_the_looks_of_the_robot_weigh_and_touch_nothing_and_hide_the_collision_shapes() -> None:
    plain, seen = robot_spec().compile(), robot_spec(looks=True).compile()
    looks = seen.geom_group == LOOKS_GROUP
    assert looks.sum() > 100
    assert not (seen.geom_contype[looks] | seen.geom_conaffinity[looks]).any()
    assert seen.ngeom - looks.sum() == plain.ngeom
    assert set(seen.geom_group[~looks]) == {UNSEEN_GROUP}
    assert not (plain.geom_group == LOOKS_GROUP).any()
    assert (seen.nq, seen.nu) == (plain.nq, plain.nu)
    np.testing.assert_allclose(seen.body_mass, plain.body_mass)
    np.testing.assert_allclose(seen.body_inertia, plain.body_inertia)


def contacts_of_the_robot(model, data):
    pairs = data.contact.geom[: data.ncon]
    own = (model.geom_contype[pairs] == ROBOT_CLASS).all(axis=1)
    return [tuple(sorted(model.geom(int(g)).name for g in pair)) for pair in pairs[own]]


def test_arms_sent_through_each_other_meet_instead(robot):
    data = mujoco.MjData(robot)
    both = {side: home(side) for side in SIDES}
    for side in SIDES:
        set_joints(robot, data, arm_joints(side), both[side])
        for name, q in zip(arm_joints(side), both[side], strict=True):
            data.ctrl[robot.actuator(name).id] = q
    mujoco.mj_forward(robot, data)
    assert contacts_of_the_robot(robot, data) == []
    calibration, met, deepest = default_calibration(), set(), 0.0
    crossing = {}
    for side in SIDES:
        arm = ArmModel("6f", calibration.side(side))
        pose = arm.wrist_pose(both[side])
        across = calibration.side(side).base_from_arm_base[:3, :3].T @ [0.0, 0.25 if side == "right" else -0.25, 0.0]
        pose[:3, 3] += across
        crossing[side] = solve_ik(arm, pose, both[side], search=IkSearch(restarts=5)).position_rad
    for tick in range(400):
        for side in SIDES:
            share = min(tick / 300, 1.0)
            q = both[side] + share * (crossing[side] - both[side])
            for name, value in zip(arm_joints(side), q, strict=True):
                data.ctrl[robot.actuator(name).id] = value
        mujoco.mj_step(robot, data, nstep=2)
        for first, second in contacts_of_the_robot(robot, data):
            met.add((first.split("_")[0], second.split("_")[0]))
        deepest = min(deepest, float(data.contact.dist[: data.ncon].min(initial=0.0)))
    assert ("left", "right") in met
    assert deepest > -0.02, "they press, and do not pass through"


def test_neighbours_of_the_robot_never_count_as_contact(robot):
    data, rng, clear = mujoco.MjData(robot), np.random.default_rng(4), 0
    model = CollisionModel(default_calibration())
    while clear < 60:
        arms = {side: home(side) + rng.uniform(-0.5, 0.5, 7) for side in SIDES}
        if model.distance_m(np.concatenate([arms["left"], arms["right"]])) < 0.02:
            continue
        clear += 1
        for side in SIDES:
            set_joints(robot, data, arm_joints(side), arms[side])
            set_joints(robot, data, hand_joints(side), open_hand())
        mujoco.mj_forward(robot, data)
        assert contacts_of_the_robot(robot, data) == []
