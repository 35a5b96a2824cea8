"""The checkpoint that comes with the package."""

import json
import re

from vitra_policy.action_space import Hands
from vitra_policy.policies.learned import SHIPPED
from vitra_policy.policies.policy import make_example_observation
from vitra_policy.policies.registry import create_policy

MOST_BYTES = 40e6


def test_it_answers_without_being_told_where_it_is() -> None:
    policy = create_policy("learned", {"mode": "parity", "steps": "2", "seed": "1"})
    assert policy.metadata.policy_id == "learned:place"
    policy.load()  # type: ignore[attr-defined]
    chunk = policy.infer(make_example_observation(hands=Hands(right=True)))
    assert chunk.actions.shape == (16, 102)


def test_it_is_small_and_says_how_it_was_made_without_saying_where() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < MOST_BYTES
    made = json.loads((SHIPPED / "provenance.json").read_text())
    assert made["source"] == "vitra_training.imitation.train"
    assert made["training"]["step"] == made["training"]["steps"]
    assert not re.search(r'"/|\\\\', json.dumps(made["training"]))


def test_its_page_has_the_commands_and_the_measured_success() -> None:
    page = (SHIPPED / "README.md").read_text()
    assert "python -m vitra_training.imitation.train" in page
    assert "python -m vitra_sim.evaluate --policy learned" in page
    assert re.search(r"\d+ of 100 \[\d+, \d+\]", page)
