import dataclasses

import numpy as np
import pytest

from vitra_policy.action_space import ACTION_DIM, HAND
from vitra_policy.errors import UnknownNameError
from vitra_policy.extension_point import ExtensionError
from vitra_policy.policies import registry
from vitra_policy.policies.policy import (
    SIM_OBJECT_POSES,
    ActionChunk,
    CommittedPrefix,
    InvalidChunkError,
    InvalidObservationError,
    PolicyMetadata,
    make_example_observation,
)
from vitra_policy.policies.registry import PolicyOptionError, create_policy, parse_options, register_policy

LEFT_ONLY = np.array([True, False])
RIGHT_ONLY = np.array([False, True])


def test_an_absent_hand_becomes_zeros_even_when_it_held_nan():
    state = np.full(ACTION_DIM, np.nan)
    state[HAND["right"]] = 0.1
    observation = dataclasses.replace(make_example_observation(), state=state, state_valid=RIGHT_ONLY)
    assert np.array_equal(observation.state[HAND["left"]], np.zeros(51))
    assert np.array_equal(observation.state[HAND["right"]], np.full(51, 0.1))
    assert np.isnan(state[0]), "the caller's array must not change"


def test_nan_in_a_valid_hand_is_refused():
    state = np.zeros(ACTION_DIM)
    state[60] = np.nan
    with pytest.raises(InvalidObservationError, match="right hand is not finite"):
        dataclasses.replace(make_example_observation(), state=state, state_valid=RIGHT_ONLY)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image", np.zeros((4, 4), np.uint8)),
        ("image", np.zeros((4, 4, 3), np.float32)),
        ("intrinsics", np.eye(4)),
        ("state", np.zeros(51)),
        ("hands", np.array([True])),
    ],
)
def test_an_observation_of_the_wrong_shape_names_the_field(field, value):
    with pytest.raises(InvalidObservationError, match=f"Observation.{field}"):
        dataclasses.replace(make_example_observation(), **{field: value})


def chunk(**changes):
    values = {"actions": np.zeros((16, ACTION_DIM)), "valid": RIGHT_ONLY, "step_s": 1 / 30, "policy_id": "p"}
    return ActionChunk(**(values | changes))


def test_a_chunk_is_float32_and_its_absent_hand_zeros():
    actions = np.ones((16, ACTION_DIM))
    actions[:, 51:] = np.inf
    made = chunk(actions=actions, valid=LEFT_ONLY)
    assert made.actions.dtype == np.float32
    assert made.actions[:, :51].all()
    assert not made.actions[:, 51:].any()


@pytest.mark.parametrize(
    "changes",
    [
        {"actions": np.full((16, ACTION_DIM), np.inf)},
        {"actions": np.zeros((0, ACTION_DIM))},
        {"actions": np.zeros((16, 51))},
        {"step_s": 0.0},
        {"step_s": float("nan")},
        {"committed_steps": 17},
        {"valid": np.array([True])},
    ],
)
def test_a_chunk_that_must_not_move_the_robot_is_refused(changes):
    with pytest.raises(InvalidChunkError):
        chunk(**changes)


def test_a_committed_prefix_counts_its_steps():
    assert CommittedPrefix(np.zeros((3, ACTION_DIM)), RIGHT_ONLY).steps == 3


def test_a_policy_says_how_much_of_a_chunk_to_execute_first_but_never_more_than_there_is() -> None:
    assert PolicyMetadata("any").period_s == 0.0
    assert PolicyMetadata("any", step_s=0.05, executed_steps=4).period_s == pytest.approx(0.2)
    assert PolicyMetadata("any", steps=8, step_s=0.05, executed_steps=1000).period_s == pytest.approx(0.4)
    assert PolicyMetadata("any", executed_steps=-1).period_s == 0.0


def test_metadata_says_what_an_observation_lacks():
    metadata = PolicyMetadata("expert", needs_extras=(SIM_OBJECT_POSES,), needs_state=True)
    complete = make_example_observation()
    metadata.check(complete)
    assert metadata.is_privileged
    bare = dataclasses.replace(complete, image=None, extras={}, state_valid=np.array([False, False]))
    with pytest.raises(InvalidObservationError, match="sim/base_from_object, image, state of every requested hand"):
        metadata.check(bare)


def test_an_unknown_policy_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean 'replay'"):
        create_policy("repaly")


def test_an_unknown_option_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean 'host'"):
        create_policy("remote", {"hots": "x"})


def test_a_missing_option_is_named():
    with pytest.raises(PolicyOptionError, match="bag"):
        create_policy("replay")


def test_a_malformed_number_is_named():
    with pytest.raises(PolicyOptionError, match="numbers"):
        create_policy("remote", {"port": "http"})


def test_a_registered_factory_gets_its_options_as_strings(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    got = {}
    register_policy("mine", lambda **options: got.update(options))
    create_policy("mine", {"speed": "2"})
    assert got == {"speed": "2"}
    assert "mine" in registry.policy_names()


def test_a_policy_that_cannot_be_imported_says_how_to_install_it(monkeypatch):
    broken = dataclasses.replace(registry.POLICIES, built_in={"broken": "vitra_policy.no_such_module:make"})
    monkeypatch.setattr(registry, "POLICIES", broken)
    with pytest.raises(ExtensionError, match="pip install"):
        create_policy("broken")


def test_options_are_key_value_pairs():
    assert parse_options(["", "a=1", "b = x=y "]) == {"a": "1", "b": "x=y"}
    several = parse_options(["steps=5, guidance=1.0", "path=/a,b/c"])
    assert several == {"steps": "5", "guidance": "1.0", "path": "/a,b/c"}
    with pytest.raises(PolicyOptionError, match="key=value"):
        parse_options(["a"])
    with pytest.raises(PolicyOptionError, match="twice"):
        parse_options(["a=1", "a=2"])
