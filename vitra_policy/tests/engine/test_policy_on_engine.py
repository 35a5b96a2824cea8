"""The `vitra` policy speaks the common interface: metres and radians in and out, prefixes kept, mistakes explained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitra_policy.action_space import Hands
from vitra_policy.benchmarks.bench_gpu import TINY
from vitra_policy.benchmarks.random_network import example_statistics, random_network
from vitra_policy.checkpoint.store import About, save_model
from vitra_policy.errors import UnknownNameError, VitraError
from vitra_policy.policies.policy import (
    ActionChunk,
    CommittedPrefix,
    InvalidObservationError,
    Policy,
    PolicyError,
    make_example_observation,
)
from vitra_policy.policies.registry import PolicyOptionError, create_policy
from vitra_policy.statistics import AbsentHandError, Statistics

BOTH = Hands(left=True, right=True)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("vitra") / "tiny"
    return str(save_model(path, random_network(TINY), about=About(statistics=example_statistics(motion=0.1))))


def warm(checkpoint: str, **options: str) -> Policy:
    policy = create_policy("vitra", {"checkpoint": checkpoint, "device": "cpu", "seed": "3", **options})
    policy.warm_up()
    return policy


def test_it_answers_with_a_chunk_for_the_hands_that_were_asked(checkpoint: str) -> None:
    policy = warm(checkpoint)
    chunk = policy.infer(make_example_observation())
    assert isinstance(chunk, ActionChunk)
    assert chunk.actions.shape == (16, 102)
    assert chunk.valid.tolist() == [False, True]
    assert not chunk.actions[:, :51].any()
    assert chunk.actions[:, 51:].any()
    assert chunk.policy_id == policy.metadata.policy_id == "vitra:tiny"
    assert {"prefix", "denoise"} <= set(chunk.timing)


def test_fast_and_parity_agree_in_metres(checkpoint: str) -> None:
    seen = make_example_observation(hands=BOTH)
    fast = warm(checkpoint, dtype="float32").infer(seen).actions
    parity = warm(checkpoint, mode="parity").infer(seen).actions
    np.testing.assert_allclose(fast, parity, rtol=1e-5, atol=1e-5)


def test_the_committed_prefix_comes_back_bit_for_bit(checkpoint: str) -> None:
    policy = warm(checkpoint)
    actions = np.random.default_rng(0).normal(size=(4, 102)) * 0.01
    seen = replace(make_example_observation(hands=BOTH), committed=CommittedPrefix(actions, [True, True]))
    chunk = policy.infer(seen)
    assert chunk.committed_steps == 4
    np.testing.assert_array_equal(chunk.actions[:4], actions.astype(np.float32))
    free = policy.infer(replace(seen, committed=None))
    assert free.committed_steps == 0
    assert not np.allclose(free.actions[4:], chunk.actions[4:])


def test_a_prefix_of_one_hand_binds_only_that_hand(checkpoint: str) -> None:
    policy = warm(checkpoint)
    actions = np.full((2, 102), 0.01)
    seen = replace(make_example_observation(hands=BOTH), committed=CommittedPrefix(actions, [False, True]))
    chunk = policy.infer(seen)
    np.testing.assert_array_equal(chunk.actions[:2, 51:], actions[:, 51:].astype(np.float32))
    assert not np.allclose(chunk.actions[:2, :51], 0)


def test_a_network_trained_with_clean_prefixes_gets_them_clean(tmp_path: Path, checkpoint: str) -> None:
    clean = save_model(
        tmp_path / "clean",
        random_network(replace(TINY, clean_prefix=True)),
        about=About(statistics=example_statistics(motion=0.1)),
    )
    committed = CommittedPrefix(np.full((3, 102), 0.01), [True, True])
    seen = replace(make_example_observation(hands=BOTH), committed=committed)
    chunks = [warm(str(path)).infer(seen) for path in (clean, checkpoint)]
    assert [chunk.committed_steps for chunk in chunks] == [3, 3]
    np.testing.assert_array_equal(chunks[0].actions[:3], chunks[1].actions[:3])
    assert not np.allclose(chunks[0].actions[3:], chunks[1].actions[3:])


def test_a_clean_prefix_that_lacks_an_acting_hand_is_not_used(tmp_path: Path) -> None:
    clean = save_model(
        tmp_path / "clean",
        random_network(replace(TINY, clean_prefix=True)),
        about=About(statistics=example_statistics()),
    )
    committed = CommittedPrefix(np.full((3, 102), 0.01), [False, True])
    seen = replace(make_example_observation(hands=BOTH), committed=committed)
    assert warm(str(clean)).infer(seen).committed_steps == 0


def test_the_seed_decides_the_answer(checkpoint: str) -> None:
    seen = make_example_observation()
    first, same, other = (warm(checkpoint, seed=seed).infer(seen).actions for seed in ("1", "1", "2"))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_a_hand_without_statistics_is_refused_by_name(tmp_path: Path) -> None:
    whole = example_statistics()
    right_only = Statistics("right only", {"right": whole.hands["right"]})
    path = save_model(tmp_path / "right", random_network(TINY), about=About(statistics=right_only))
    policy = warm(str(path))
    assert policy.infer(make_example_observation()).valid.tolist() == [False, True]
    with pytest.raises(AbsentHandError, match="left"):
        policy.infer(make_example_observation(hands=BOTH))


def test_what_is_missing_is_said(checkpoint: str, tmp_path: Path) -> None:
    cold = create_policy("vitra", {"checkpoint": checkpoint})
    with pytest.raises(PolicyError, match="warm_up"):
        cold.infer(make_example_observation())
    policy = warm(checkpoint)
    with pytest.raises(InvalidObservationError, match="image"):
        policy.infer(replace(make_example_observation(), image=None))
    with pytest.raises(PolicyOptionError, match="checkpoint"):
        create_policy("vitra")
    with pytest.raises(VitraError, match="No checkpoint"):
        create_policy("vitra", {"checkpoint": str(tmp_path / "none")})
    bare = save_model(tmp_path / "bare", random_network(TINY))
    with pytest.raises(PolicyError, match="no dataset statistics"):
        create_policy("vitra", {"checkpoint": str(bare)})


@pytest.mark.parametrize(
    ("option", "value"),
    [("mode", "slow"), ("steps", "ten"), ("rate_hz", "0"), ("fp8", "maybe"), ("dtype", "int8")],
)
def test_malformed_options_are_refused(checkpoint: str, option: str, value: str) -> None:
    with pytest.raises(PolicyOptionError):
        create_policy("vitra", {"checkpoint": checkpoint, option: value})


def test_an_unknown_option_is_guessed(checkpoint: str) -> None:
    with pytest.raises(UnknownNameError, match="guidance"):
        create_policy("vitra", {"checkpoint": checkpoint, "guidence": "5"})


def test_closing_twice_is_fine(checkpoint: str) -> None:
    policy = warm(checkpoint)
    policy.close()
    policy.close()
    with pytest.raises(PolicyError):
        policy.infer(make_example_observation())
