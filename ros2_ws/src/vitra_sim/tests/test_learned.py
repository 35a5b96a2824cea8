"""The policy that the package brings, on a scene that it was not trained on."""

import pytest

from vitra_policy.policies.registry import create_policy
from vitra_sim.evaluate import play
from vitra_sim.lockstep.env import EnvSettings, VitraSimEnv
from vitra_sim.suites import get_suite

SEEN_OBJECTS = get_suite("place")[0]


@pytest.mark.timeout(120)
def test_it_puts_the_can_that_the_words_name_into_the_box_by_the_image_alone() -> None:
    policy = create_policy("learned", {"seed": "0"})
    policy.warm_up()
    env = VitraSimEnv(settings=EnvSettings(image_size=(424, 240), time_limit_s=20.0))
    try:
        outcome, _ = play(env, policy, SEEN_OBJECTS, "place@seen", SEEN_OBJECTS.seed + 1)
    finally:
        env.close()
        policy.close()
    assert outcome.named == outcome.taken == "red_can"
    assert outcome.success, outcome.failure
