from __future__ import annotations

import dataclasses
import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from vitra_evaluation.blinding.blinded_policy import LATENCY_NAME, LOG_NAME, BlindedPolicy
from vitra_evaluation.blinding.blinding_key import open_blinding_key
from vitra_evaluation.plan.plan import Latency, Plan
from vitra_evaluation.session.folder import ACTIVE_NAME, Session
from vitra_policy.action_space import ACTION_DIM
from vitra_policy.policies.policy import (
    SIM_OBJECT_POSES,
    ActionChunk,
    PolicyError,
    PolicyMetadata,
    make_example_observation,
)


class Recorded:
    """A policy that remembers what it saw and says its own name everywhere it can."""

    def __init__(self, name: str, **metadata) -> None:
        self.metadata = PolicyMetadata(name, **metadata)
        self.seen, self.resets, self.breaks = [], 0, False

    def warm_up(self) -> None:
        pass

    def reset(self) -> None:
        self.resets += 1

    def infer(self, observation) -> ActionChunk:
        if self.breaks:
            raise RuntimeError(f"{self.metadata.policy_id} ran out of memory")
        self.seen.append(observation)
        actions = np.zeros((16, ACTION_DIM))
        return ActionChunk(
            actions, observation.hands, 1 / 30, self.metadata.policy_id, {f"{self.metadata.policy_id}_encoder": 0.1}
        )

    def close(self) -> None:
        pass


@pytest.fixture
def board(small_plan: Plan, tmp_path: Path):
    session = Session.create(tmp_path, dataclasses.replace(small_plan, latency=Latency.OWN))
    session.close()
    made: list[Recorded] = []

    def create(name: str, options) -> Recorded:
        privileged = name == "expert"
        extras = (SIM_OBJECT_POSES,) if privileged else ()
        made.append(Recorded(name, needs_extras=extras, needs_image=not privileged, uses_committed=privileged))
        return made[-1]

    blinded_policy = BlindedPolicy(tmp_path, create)
    return blinded_policy, dict(zip(("one", "two"), made, strict=True)), tmp_path


def test_all_policies_of_a_session_are_asked_at_the_pace_of_the_slowest(small_plan: Plan, tmp_path: Path) -> None:
    Session.create(tmp_path, dataclasses.replace(small_plan, latency=Latency.OWN)).close()
    each = iter([{"step_s": 0.05, "executed_steps": 4}, {"step_s": 0.1}])
    made = BlindedPolicy(tmp_path, lambda name, options: Recorded(name, **next(each)))
    assert made.metadata.period_s == pytest.approx(0.2)
    assert made.metadata.executed_steps == 2


def choose(folder: Path, policy: str) -> str:
    alias = next(a for a, name in open_blinding_key(folder).names.items() if name == policy)
    (folder / ACTIVE_NAME).write_text(json.dumps({"alias": alias, "attempt": 1}))
    return alias


def test_the_policy_of_the_trial_answers_under_its_alias(board) -> None:
    blinded_policy, policies, folder = board
    for name in ("one", "two", "one"):
        alias = choose(folder, name)
        blinded_policy.reset()
        before = len(policies[name].seen)
        chunk = blinded_policy.infer(make_example_observation())
        assert chunk.policy_id == alias
        assert len(policies[name].seen) == before + 1
    assert (policies["one"].resets, policies["two"].resets) == (2, 1)


def test_answers_do_not_tell_who_gave_them(board) -> None:
    blinded_policy, _, folder = board
    seen = set()
    for name in ("one", "two"):
        choose(folder, name)
        blinded_policy.reset()
        chunk = blinded_policy.infer(make_example_observation())
        seen.add((chunk.steps, chunk.step_s, tuple(chunk.timing)))
        assert "expert" not in repr(dataclasses.replace(chunk))
    assert len(seen) == 1
    assert blinded_policy.metadata.policy_id == "session"


def test_errors_carry_the_alias_and_the_rest_goes_to_the_sealed_log(board) -> None:
    blinded_policy, policies, folder = board
    alias = choose(folder, "two")
    blinded_policy.reset()
    policies["two"].breaks = True
    with pytest.raises(PolicyError) as caught:
        blinded_policy.infer(make_example_observation())
    assert alias in str(caught.value)
    assert "perturbed" not in str(caught.value)
    assert "ran out of memory" in (folder / LOG_NAME).read_text()
    assert (folder / LOG_NAME).stat().st_mode & 0o777 == 0o600


def test_each_policy_sees_what_it_would_see_alone(board) -> None:
    blinded_policy, policies, folder = board
    for name in ("one", "two"):
        choose(folder, name)
        blinded_policy.reset()
        blinded_policy.infer(make_example_observation())
    privileged, plain = policies["one"].seen[0], policies["two"].seen[0]
    assert SIM_OBJECT_POSES in privileged.extras
    assert privileged.image is None
    assert SIM_OBJECT_POSES not in plain.extras
    assert plain.image is not None


def test_true_answer_times_are_sealed_until_the_report(board) -> None:
    blinded_policy, _, folder = board
    alias = choose(folder, "one")
    blinded_policy.reset()
    blinded_policy.infer(make_example_observation())
    blinded_policy.close()
    row = json.loads((folder / LATENCY_NAME).read_text())
    assert row["alias"] == alias
    assert len(row["answer_s"]) == 1
    assert (folder / LATENCY_NAME).stat().st_mode & 0o777 == 0o600


def test_nothing_runs_outside_a_trial(board) -> None:
    blinded_policy, _, _ = board
    with pytest.raises(PolicyError, match="No trial is chosen"):
        blinded_policy.reset()
    with pytest.raises(PolicyError, match="No trial is chosen"):
        blinded_policy.infer(make_example_observation())


def test_a_policy_that_talks_is_not_heard(board, capfd: pytest.CaptureFixture[str]) -> None:
    blinded_policy, policies, folder = board
    choose(folder, "two")
    policy = policies["two"]
    silent = policy.infer
    name = policy.metadata.policy_id

    def talk(observation) -> ActionChunk:
        print(f"{name} prints")
        print(f"{name} warns", file=sys.stderr)
        logging.getLogger("some.package").warning("%s logs", name)
        return silent(observation)

    policy.infer, policy.reset = talk, lambda: print(f"{name} begins")
    handlers = logging.getLogger().handlers
    blinded_policy.reset()
    blinded_policy.infer(make_example_observation())
    heard = capfd.readouterr()
    assert name not in heard.out + heard.err
    sealed = (folder / LOG_NAME).read_text()
    assert all(f"{name} {word}" in sealed for word in ("begins", "prints", "warns", "logs"))
    assert (folder / LOG_NAME).stat().st_mode & 0o777 == 0o600
    assert logging.getLogger().handlers is handlers
