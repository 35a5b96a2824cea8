import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vitra_description.calibration import default_calibration
from vitra_description.observed_wrist import ObservedWrist
from vitra_description.postures import home
from vitra_policy.action_space import HAND, WRIST
from vitra_policy.transforms import integrate_wrist
from vitra_teleop.player import PathPlayer, PlayerSettings, Stage
from vitra_teleop.recorded_path import EpisodeError, read_path
from vitra_teleop.session import measured_pose

DT = 1 / 30
SECONDS = 3.0


@pytest.fixture(scope="module")
def bag(repo_root, tmp_path_factory):
    """Arm commands at 200 Hz that turn two joints, and a closing hand."""
    types = get_typestore(Stores.ROS2_JAZZY)
    for name in ("ArmCommand", "HandCommand"):
        text = (repo_root / f"ros2_ws/src/vitra_msgs/msg/{name}.msg").read_text()
        types.register(get_types_from_msg(text, f"vitra_msgs/msg/{name}"))
    path = tmp_path_factory.mktemp("bags") / "episode"
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topics = {
            "arm": writer.add_connection("/right_arm/command", "vitra_msgs/msg/ArmCommand", typestore=types),
            "hand": writer.add_connection("/right_hand/command", "vitra_msgs/msg/HandCommand", typestore=types),
        }
        for n in range(int(SECONDS * 200)):
            t = 10**18 + n * 5_000_000
            share = n / (SECONDS * 200)
            q = home("right") + 0.3 * share * np.array([0, 1, 0, 1, 0, 0, 0])
            for part, kind, values in (("arm", "ArmCommand", q), ("hand", "HandCommand", np.full(12, 0.5 * share))):
                time = types.types["builtin_interfaces/msg/Time"](t // 10**9, t % 10**9)
                header = types.types["std_msgs/msg/Header"](time, "")
                message = types.types[f"vitra_msgs/msg/{kind}"](header, n, 1, values, 1)
                writer.write(topics[part], t, types.serialize_cdr(message, f"vitra_msgs/msg/{kind}"))
    return path


@pytest.fixture(scope="module")
def path(bag):
    return read_path(bag, default_calibration())


def play(path, world, settings=None, robot=None, disturb=None, limit_s=60.0):
    """Run a replay on a robot that does what it is told one step later; returns player and poses."""
    player = PathPlayer(path, settings)
    pose = robot if robot is not None else path.at("right", 0.0).wrist
    joints, poses, now = np.zeros(12), [], 0.0
    while player.stage not in (Stage.DONE, Stage.FAILED) and now < limit_s:
        now += DT
        measured = world.robot_at(pose, joints)
        chunk = player.tick(now, measured, disturb(now) if disturb else "")
        if chunk is not None:
            steps = integrate_wrist(measured_pose(measured, "right").wrist, chunk.actions[:, HAND["right"]][:, WRIST])
            pose = steps[0]
            poses.append((player.stage, pose))
    return player, poses, now


def test_the_path_is_that_of_the_commands(path):
    q = home("right") + 0.15 * np.array([0, 1, 0, 1, 0, 0, 0])
    expected = ObservedWrist(default_calibration(), ["right"])("right", q)
    half = path.at("right", SECONDS / 2)
    np.testing.assert_allclose(half.wrist, expected, atol=2e-3)
    np.testing.assert_allclose(half.joints_rad, 0.25, atol=5e-3)
    assert path.duration_s == pytest.approx(SECONDS, abs=0.05)


def test_a_replay_reaches_its_start_slowly_and_then_follows_the_path(path, world):
    start = path.at("right", 0.0).wrist.copy()
    away = start.copy()
    away[:3, 3] += [0.05, -0.03, 0.04]
    player, poses, _ = play(path, world, robot=away)
    assert player.stage is Stage.DONE
    approach = np.array([pose[:3, 3] for stage, pose in poses if stage is Stage.APPROACH])
    assert np.linalg.norm(np.diff(approach, axis=0), axis=1).max() <= 0.1 * DT + 1e-6
    np.testing.assert_allclose(approach[-1], start[:3, 3], atol=0.005)
    np.testing.assert_allclose(poses[-1][1], path.at("right", SECONDS).wrist, atol=0.01)


@pytest.mark.parametrize("speed", [0.5, 1.0, 1.5])
def test_speed_is_a_share_of_the_recorded_one(path, world, speed):
    player, poses, _ = play(path, world, PlayerSettings(speed=speed))
    played_s = DT * sum(stage is Stage.PLAY for stage, _ in poses)
    assert player.stage is Stage.DONE
    assert played_s == pytest.approx(SECONDS / speed, rel=0.05)


def test_a_stop_ends_the_replay(path, world):
    player, _, now = play(path, world, disturb=lambda t: "the robot was stopped" if t > 1.5 else "")
    assert (player.stage, player.detail) == (Stage.FAILED, "the robot was stopped")
    assert now < 1.6


def test_a_robot_that_does_not_follow_ends_the_replay(path, world):
    player = PathPlayer(path, PlayerSettings(lost_m=0.02))
    stuck = world.robot_at(path.at("right", 0.0).wrist)
    for k in range(1, 300):
        player.tick(k * DT, stuck)
    assert player.stage is Stage.FAILED
    assert "from its path" in player.detail


def test_a_moment_without_measurement_is_bridged_a_longer_one_ends_the_replay(path, world):
    player, start = PathPlayer(path), world.robot_at(path.at("right", 0.0).wrist)
    unknown = world.robot_at(path.at("right", 0.0).wrist, side="left")
    assert player.tick(DT, start) is not None
    assert player.tick(2 * DT, unknown) is None
    assert player.tick(3 * DT, start) is not None
    for k in range(4, 12):
        assert player.tick(k * DT, unknown) is None
    assert player.stage is Stage.APPROACH
    for k in range(12, 20):
        player.tick(k * DT, unknown)
    assert (player.stage, player.detail) == (Stage.FAILED, "the right hand is not measured any more")


def test_a_start_that_cannot_be_reached_ends_the_replay(path, world):
    player = PathPlayer(path, PlayerSettings(approach_s=2.0))
    far = path.at("right", 0.0).wrist.copy()
    far[0, 3] += 0.5
    for k in range(1, 80):
        player.tick(k * DT, world.robot_at(far))
    assert player.stage is Stage.FAILED
    assert "was not reached" in player.detail


def test_a_bag_without_commands_is_named(tmp_path):
    with pytest.raises(EpisodeError, match="Cannot read the bag"):
        read_path(tmp_path / "none", default_calibration())
    with Writer(tmp_path / "empty", version=9, storage_plugin=StoragePlugin.MCAP):
        pass
    with pytest.raises(EpisodeError, match="no arm commands"):
        read_path(tmp_path / "empty", default_calibration())
