import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_policy.action_space import FINGERS, HAND, TRANSLATION, WRIST
from vitra_policy.errors import UnknownNameError
from vitra_policy.hand.xhand_map import xhand_from_mano
from vitra_policy.transforms import integrate_wrist, matrix_from_rotvec, rotation_angle
from vitra_teleop.clutch import Clutch, ClutchSettings, ClutchState
from vitra_teleop.follower import SpeedLimits
from vitra_teleop.frames import camera_from_tracker
from vitra_teleop.retargeting import JointMap
from vitra_teleop.session import HOLD_CHUNKS, SessionSettings, TeleopSession

DT = 1 / 30
FAST = SessionSettings(limits=SpeedLimits(100.0, 100.0, 100.0))


@pytest.fixture
def session():
    return TeleopSession(["right"], np.eye(3), JointMap(), FAST)


def wrists(chunk, robot):
    """Absolute wrist poses that a chunk asks for."""
    from vitra_teleop.session import measured_pose

    return integrate_wrist(measured_pose(robot, "right").wrist, chunk.actions[:, HAND["right"]][:, WRIST])


def test_engaging_does_not_move_the_robot(session, world):
    robot = world.robot_at(world.pose(0.3, 0.1, 0.6), np.full(12, 0.2))
    chunk = session.tick(0.0, world.frame(0.0, world.hand(world.pose(5, 5, 5, (1, 0, 0)))), robot)
    np.testing.assert_allclose(chunk.actions[:, HAND["right"]][:, WRIST], 0.0, atol=1e-9)
    np.testing.assert_allclose(xhand_from_mano(chunk.actions[:, HAND["right"]][:, FINGERS]), 0.2, atol=1e-9)
    assert chunk.valid.tolist() == [False, True]


def test_the_robot_moves_as_the_hand_moves_scaled_and_turned(world):
    R = matrix_from_rotvec([0, 0, np.pi / 2])
    settings = SessionSettings(clutch=ClutchSettings(scale=0.5), limits=FAST.limits)
    session = TeleopSession(["right"], R, JointMap(), settings)
    robot = world.robot_at(world.pose(0.3, 0.1, 0.6))
    session.tick(0.0, world.frame(0.0, world.hand(world.pose(1, 0, 0))), robot)
    moved = world.hand(world.pose(1.1, 0, 0, (0.2, 0, 0)))
    chunk = session.tick(DT, world.frame(DT, moved), robot)
    target = wrists(chunk, robot)[-1]
    np.testing.assert_allclose(target[:3, 3], [0.3, 0.15, 0.6], atol=1e-9)
    np.testing.assert_allclose(target[:3, :3], matrix_from_rotvec([0, 0.2, 0]), atol=1e-9)


def test_nothing_is_sent_before_anybody_engages(session, world):
    robot = world.robot_at(world.pose())
    for k in range(5):
        assert session.tick(k * DT, world.frame(k * DT, world.hand(world.pose(k), engage=False)), robot) is None


@pytest.mark.parametrize("how", ["marked invalid", "side vanishes", "stream falls silent", "jumps"])
def test_when_tracking_is_lost_the_robot_holds_at_once_and_stays_until_engaged_anew(session, world, how):
    robot = world.robot_at(world.pose(0.3, 0.1, 0.6))
    now = 0.0
    for k in range(10):
        now = k * DT
        session.tick(now, world.frame(now, world.hand(world.pose(0.004 * k))), robot)
    where = session._followers["right"].pose.wrist.copy()
    if how == "stream falls silent":
        now += 0.101
        lost = session.tick(now, None, robot)
    else:
        now += DT
        gone = {
            "marked invalid": world.frame(now, world.hand(world.pose(0.04), valid=False)),
            "side vanishes": world.frame(now),
            "jumps": world.frame(now, world.hand(world.pose(0.5))),
        }[how]
        lost = session.tick(now, gone, robot)
    assert session.clutches["right"].state is ClutchState.LOST
    np.testing.assert_allclose(wrists(lost, robot), np.broadcast_to(where, (16, 4, 4)), atol=1e-9)
    sent = 1
    for _ in range(20):
        now += DT
        sent += session.tick(now, world.frame(now, world.hand(world.pose(0.06))), robot) is not None
    assert sent == HOLD_CHUNKS
    assert session.clutches["right"].state is ClutchState.LOST
    session.tick(now + DT, world.frame(now + DT, world.hand(world.pose(0.9), engage=False)), robot)
    chunk = session.tick(now + 2 * DT, world.frame(now + 2 * DT, world.hand(world.pose(0.9))), robot)
    assert session.clutches["right"].state is ClutchState.ENGAGED
    np.testing.assert_allclose(wrists(chunk, robot)[-1], world.pose(0.3, 0.1, 0.6), atol=1e-9)


def test_letting_go_holds_too_and_engaging_elsewhere_goes_on_from_there(session, world):
    robot = world.robot_at(world.pose(0.3))
    session.tick(0.0, world.frame(0.0, world.hand(world.pose(0))), robot)
    session.tick(DT, world.frame(DT, world.hand(world.pose(0.1))), robot)
    held = session.tick(2 * DT, world.frame(2 * DT, world.hand(world.pose(0.2), engage=False)), robot)
    assert held is not None
    moved = world.robot_at(world.pose(0.4))
    chunk = session.tick(3 * DT, world.frame(3 * DT, world.hand(world.pose(-0.5))), moved)
    np.testing.assert_allclose(wrists(chunk, moved)[-1], world.pose(0.4), atol=1e-9)


def test_a_stopped_robot_must_be_engaged_again(session, world):
    robot = world.robot_at(world.pose())
    session.tick(0.0, world.frame(0.0, world.hand(world.pose())), robot)
    assert session.tick(DT, world.frame(DT, world.hand(world.pose(0.1))), robot, "the robot is not armed") is None
    assert session.clutches["right"].reason == "the robot is not armed"
    assert session.tick(2 * DT, world.frame(2 * DT, world.hand(world.pose(0.1))), robot) is None


def test_engaging_while_motion_is_refused_does_not_start_moving_later(session, world):
    robot = world.robot_at(world.pose())
    for k in range(3):
        session.tick(k * DT, world.frame(k * DT, world.hand(world.pose())), robot, "the robot is not armed")
    assert session.tick(1.0, world.frame(1.0, world.hand(world.pose())), robot) is None


def test_an_unmeasured_robot_is_not_moved(session, world):
    unknown = world.robot_at(world.pose(), side="left")
    assert session.tick(0.0, world.frame(0.0, world.hand(world.pose())), unknown) is None


def test_no_step_is_faster_than_allowed(world):
    settings = SessionSettings(limits=SpeedLimits(0.3, 1.0, 2.0))
    session = TeleopSession(["right"], np.eye(3), JointMap(), settings)
    robot = world.robot_at(world.pose(0.3, 0.1, 0.6))
    session.tick(0.0, world.frame(0.0, world.hand(world.pose())), robot)
    one = world.hand(world.pose(0.14, 0, 0, (0, 1.1, 0)), joints=np.full(12, 1.0))
    chunk = session.tick(DT, world.frame(DT, one), robot)
    path = np.concatenate([world.pose(0.3, 0.1, 0.6)[None], wrists(chunk, robot)])
    steps_m = np.linalg.norm(np.diff(path[:, :3, 3], axis=0), axis=1)
    turns = rotation_angle(path[1:, :3, :3] @ np.swapaxes(path[:-1, :3, :3], 1, 2))
    fingers = np.diff(chunk.actions[:, HAND["right"]][:, FINGERS], axis=0)
    assert steps_m.max() <= 0.3 * DT + 1e-9
    assert steps_m.max() > 0.1 * DT, "and it does move"
    assert turns.max() <= 1.0 * DT + 1e-9
    assert np.abs(fingers).max() <= 2.0 * DT + 1e-9


def test_the_anchor_is_the_measured_hand(session, world):
    robot = world.robot_at(world.pose(0.3, 0.1, 0.6))
    chunk = session.tick(0.0, world.frame(0.0, world.hand(world.pose())), robot)
    np.testing.assert_array_equal(chunk.observed[HAND["right"]][TRANSLATION], [0.3, 0.1, 0.6])


def test_ahead_is_ahead_for_every_tracker():
    calibration = default_calibration()
    base_from_camera = calibration.base_from_head_camera[:3, :3]
    for axes, ahead, up in (("base", [1, 0, 0], [0, 0, 1]), ("openxr", [0, 0, -1], [0, 1, 0]),
                            ("z_up", [0, 1, 0], [0, 0, 1]), ("webcam", [0, 0, -1], [0, -1, 0])):  # fmt: skip
        base_from_tracker = base_from_camera @ camera_from_tracker(axes, calibration)
        np.testing.assert_allclose(base_from_tracker @ ahead, [1, 0, 0], atol=1e-9, err_msg=axes)
        np.testing.assert_allclose(base_from_tracker @ up, [0, 0, 1], atol=1e-9, err_msg=axes)
        assert np.linalg.det(base_from_tracker) == pytest.approx(1)
    with pytest.raises(UnknownNameError, match="Did you mean 'openxr'"):
        camera_from_tracker("openx", calibration)


def test_the_clutch_alone_gives_no_target_while_released(world):
    clutch = Clutch(np.eye(3))
    assert clutch.update(world.hand(world.pose(), engage=False), world.pose()) is None
    assert clutch.state is ClutchState.RELEASED
