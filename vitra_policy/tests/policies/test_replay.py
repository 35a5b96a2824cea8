import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rosbags")
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vitra_policy.action_space import ACTION_DIM, HAND, WRIST
from vitra_policy.errors import UnknownNameError
from vitra_policy.policies.policy import InvalidObservationError, make_example_observation
from vitra_policy.policies.registry import create_policy
from vitra_policy.policies.replay import CHUNK_TYPE, RecordingError, read_recording
from vitra_policy.policies.rtc import wrist_pose
from vitra_policy.transforms import euler_xyz_from_matrix, integrate_wrist

START_S = 500.0
STEP_S = 1 / 30
INSTRUCTION = "Left hand: None. Right hand: Go."


@pytest.fixture
def typestore(repo_root):
    store = get_typestore(Stores.ROS2_JAZZY)
    definition = (repo_root / "ros2_ws/src/vitra_msgs/msg/HandActionChunk.msg").read_text()
    store.register(get_types_from_msg(definition, CHUNK_TYPE))
    return store


def message(store, stamp_s, state, actions, sequence, left=False, right=True):
    types = store.types
    stamp = types["builtin_interfaces/msg/Time"](int(stamp_s), round((stamp_s % 1) * 1e9))
    return types[CHUNK_TYPE](
        types["std_msgs/msg/Header"](stamp, "camera"), sequence, STEP_S, 16, actions.astype(np.float32).ravel(),
        state, left, right, "policy", "expert", INSTRUCTION, 0, 0.01, [], np.zeros(0, np.float32), 1,
    )  # fmt: skip


@pytest.fixture
def recorded(tmp_path, typestore):
    """A bag with a chunk every 5 steps along one long path; the path itself for comparison."""
    rng = np.random.default_rng(0)
    state = make_example_observation().state
    actions = np.zeros((36, ACTION_DIM))
    right = actions[:, HAND["right"]]
    right[:, :3], right[:, 3:6], right[:, 6:] = rng.normal(0, 0.003, (36, 3)), 0.01, rng.normal(0, 0.2, (36, 45))
    path = [wrist_pose(state, "right"), *integrate_wrist(wrist_pose(state, "right"), right[:, WRIST])]
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/robot/hand_action_chunk", CHUNK_TYPE, typestore=typestore)
        for i, first in enumerate(range(0, 21, 5)):
            anchored = state.copy()
            hand = anchored[HAND["right"]]
            hand[:3], hand[3:6] = path[first][:3, 3], euler_xyz_from_matrix(path[first][:3, :3])
            one = message(typestore, START_S + first * STEP_S, anchored, actions[first : first + 16], i)
            writer.write(connection, int(one.header.stamp.sec * 1e9 + i), typestore.serialize_cdr(one, CHUNK_TYPE))
    return SimpleNamespace(bag=tmp_path / "bag", path=np.array(path), state=state, actions=actions)


def seen(recorded, stamp_s, state=None):
    state = recorded.state if state is None else state
    return dataclasses.replace(make_example_observation(), stamp_s=stamp_s, state=state)


def test_the_replay_follows_the_recorded_path_by_time(recorded):
    policy = create_policy("replay", {"bag": str(recorded.bag)})
    policy.reset()
    chunk = policy.infer(seen(recorded, 9000.0))
    np.testing.assert_allclose(chunk.actions[:, 51:], recorded.actions[:16, 51:], atol=1e-5)
    off = recorded.state.copy()
    off[51:54] += 0.004  # tracking error: the replay comes back to the path instead of adding to it
    chunk = policy.infer(seen(recorded, 9000.0 + 12 * STEP_S, off))
    poses = integrate_wrist(wrist_pose(off, "right"), chunk.actions[:, 51:57])
    np.testing.assert_allclose(poses[:13], recorded.path[13:26], atol=1e-5)
    assert not chunk.done
    assert policy.infer(seen(recorded, 9000.0 + 36 * STEP_S)).done


def test_reset_starts_from_the_beginning(recorded):
    policy = create_policy("replay", {"bag": str(recorded.bag)})
    policy.infer(seen(recorded, 9000.0))
    policy.reset()
    chunk = policy.infer(seen(recorded, 9100.0))
    np.testing.assert_allclose(chunk.actions[:, 51:], recorded.actions[:16, 51:], atol=1e-5)


def test_a_hand_that_is_not_asked_for_stays_still(recorded):
    policy = create_policy("replay", {"bag": str(recorded.bag)})
    observation = dataclasses.replace(seen(recorded, 9000.0), hands=np.array([True, False]))
    assert not policy.infer(observation).valid.any()


def test_a_start_far_from_the_recording_is_refused(recorded):
    policy = create_policy("replay", {"bag": str(recorded.bag)})
    far = recorded.state.copy()
    far[51] += 0.2
    with pytest.raises(InvalidObservationError, match="20.0 cm"):
        policy.infer(seen(recorded, 9000.0, far))
    blind = dataclasses.replace(seen(recorded, 9000.0), state_valid=np.array([False, False]))
    with pytest.raises(InvalidObservationError, match="not known"):
        policy.infer(blind)


def test_the_recording_brings_its_instruction(recorded):
    assert read_recording(recorded.bag).instruction == INSTRUCTION


def test_bad_bags_are_named(tmp_path, recorded, typestore):
    with pytest.raises(RecordingError, match="No bag at"):
        read_recording(tmp_path / "nothing")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "metadata.yaml").write_text("nonsense: [")
    with pytest.raises(RecordingError, match="Cannot read"):
        read_recording(tmp_path / "text")
    with pytest.raises(UnknownNameError, match="hand_action_chunk"):
        read_recording(recorded.bag, "hand_action_chunks")
    with Writer(tmp_path / "empty", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        writer.add_connection("/hand_action_chunk", CHUNK_TYPE, typestore=typestore)
    with pytest.raises(RecordingError, match="no valid chunk"):
        read_recording(tmp_path / "empty")
    for mcap in recorded.bag.glob("*.mcap"):
        mcap.write_bytes(mcap.read_bytes()[:200])
    with pytest.raises(RecordingError, match="Cannot read"):
        read_recording(recorded.bag)
