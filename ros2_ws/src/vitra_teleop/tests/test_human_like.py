import numpy as np

from vitra_policy.action_space import FINGERS, HAND, WRIST
from vitra_policy.hand.xhand_map import mano_from_xhand
from vitra_policy.policies.policy import ActionChunk
from vitra_policy.transforms import delta_wrist, integrate_wrist, make_pose, matrix_from_rotvec
from vitra_teleop.follower import SpeedLimits
from vitra_teleop.human_like import HumanLikeHands
from vitra_teleop.retargeting import JointMap
from vitra_teleop.session import SessionSettings, TeleopSession, measured_pose
from vitra_teleop.wire import decode, encode

DT = 1 / 30
START = make_pose([0.1, 0.0, 0.6], matrix_from_rotvec([0.2, 0, 0]))


def plan_at(t):
    """A path along x with a turn and a closing hand."""
    s = np.clip(t / 3.0, 0, 1)
    return make_pose([0.1 + 0.2 * s, 0.05 * s, 0.6], matrix_from_rotvec([0.2 + 0.4 * s, 0, 0])), np.full(
        12, 0.1 + 0.5 * s
    )


def test_the_robot_follows_the_simulated_operator_along_the_plan_even_after_tracking_was_lost(world):
    human = HumanLikeHands(seed=1)
    session = TeleopSession(["right"], np.eye(3), JointMap(), SessionSettings(limits=SpeedLimits(1.0, 3.0, 20.0)))
    wrist, joints, engage_again = START, np.full(12, 0.1), 0
    for k in range(200):
        now = 10.0 + k * DT
        robot = world.robot_at(wrist, joints)
        future = [plan_at(k * DT + 0.1 * i) for i in range(1, 17)]
        actions = np.zeros((16, 102))
        hand = actions[:, HAND["right"]]
        hand[:, WRIST] = delta_wrist(np.stack([wrist, *(pose for pose, _ in future)]))
        hand[:, FINGERS] = mano_from_xhand(np.stack([q for _, q in future]))
        human.follow(now, robot.state, ActionChunk(actions, np.array([False, True]), 0.1, "plan"))
        lost = k in (60, 61)
        engage_again = 10 if lost else max(engage_again - 1, 0)
        hands = {"right": {"valid": False}} if lost else human.at(now, engage=engage_again == 0)
        frame = decode(encode(k, now, hands))
        chunk = session.tick(now, frame, robot)
        if chunk is not None:
            wrist = integrate_wrist(measured_pose(robot, "right").wrist, chunk.actions[:, HAND["right"]][:, WRIST])[0]
    end, _ = plan_at(10.0)
    np.testing.assert_allclose(wrist[:3, 3], end[:3, 3], atol=0.005)
    np.testing.assert_allclose(wrist[:3, :3], end[:3, :3], atol=0.03)
