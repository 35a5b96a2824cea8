"""The policy that imitation in simulation made."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vitra_policy.action_space import Hands
from vitra_policy.benchmarks.random_network import example_statistics, random_network
from vitra_policy.checkpoint.errors import CheckpointFileError
from vitra_policy.checkpoint.store import About, Provenance, save_model
from vitra_policy.model.config import VisionConfig, preset
from vitra_policy.policies.learned import EXECUTED_STEPS
from vitra_policy.policies.policy import make_example_observation
from vitra_policy.policies.registry import PolicyOptionError, create_policy

SMALL = replace(
    preset("mini-lite0"),
    vision=VisionConfig(kind="efficientnet_lite0", image_size=96, image_height=64, patch_size=16),
)


def saved(folder: Path, **training: Any) -> Path:
    made = Provenance("a test", training=training)
    return save_model(folder, random_network(SMALL), about=About(statistics=example_statistics(), provenance=made))


def test_it_runs_at_the_rate_it_was_trained_for_and_answers(tmp_path: Path) -> None:
    folder = saved(tmp_path / "place", step_s=1 / 15)
    policy = create_policy("learned", {"checkpoint": str(folder), "mode": "parity", "steps": "2", "seed": "1"})
    assert policy.metadata.step_s == pytest.approx(1 / 15)
    assert policy.metadata.policy_id == "learned:place"
    assert policy.metadata.period_s == pytest.approx(EXECUTED_STEPS / 15)
    policy.load()  # type: ignore[attr-defined]
    chunk = policy.infer(make_example_observation(hands=Hands(right=True)))
    assert chunk.actions.shape == (16, 102)


def test_a_checkpoint_of_something_else_is_refused_with_what_to_use(tmp_path: Path) -> None:
    with pytest.raises(PolicyOptionError, match="Use policy 'vitra'"):
        create_policy("learned", {"checkpoint": str(saved(tmp_path / "other"))})


def test_no_checkpoint_says_how_to_train_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointFileError, match=r"python -m vitra_training\.imitation\.train"):
        create_policy("learned", {"checkpoint": str(tmp_path / "none")})


def test_an_option_that_is_no_number_is_named(tmp_path: Path) -> None:
    folder = saved(tmp_path / "place", step_s=1 / 15)
    with pytest.raises(PolicyOptionError, match="whole number"):
        create_policy("learned", {"checkpoint": str(folder), "steps": "ten"})
