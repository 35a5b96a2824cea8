import numpy as np
import pytest

from vitra_policy.action_space import HAND, TRANSLATION
from vitra_sim.expert.expert import ExpertPolicy
from vitra_sim.expert.motion import Phase
from vitra_sim.lockstep.env import VitraSimEnv
from vitra_sim.lockstep.midway import start_midway
from vitra_sim.tasks.ground_truth import scene_truth


@pytest.fixture(scope="module")
def env():
    env = VitraSimEnv("place@seen")
    yield env
    env.close()


def begun(env, seed):
    """A scene begun midway: expert, what it sees, how high the object is above where it stood."""
    expert = ExpertPolicy(env.calibration, return_s=0.25)
    env.reset(seed=seed, options={"task": "place@seen"})
    stood = scene_truth(env.world).poses[0][2, 3]
    seen = start_midway(env, expert, np.random.default_rng(seed))
    return expert, seen, scene_truth(env.world).poses[0][2, 3] - stood


def test_all_phases_up_to_the_letting_go_are_begun_in(env):
    phases = {begun(env, seed)[0].phase for seed in range(40)}
    assert {Phase.APPROACH, Phase.DESCEND, Phase.GRASP, Phase.LIFT, Phase.CARRY} <= phases
    assert not phases & {Phase.RELEASE, Phase.RETREAT}


def test_a_carried_object_is_in_the_hand_and_any_other_still_stands(env):
    for seed in range(12):
        expert, _, risen_m = begun(env, seed)
        if expert.phase is Phase.CARRY:
            assert risen_m > 0.05
        elif expert.phase in (Phase.APPROACH, Phase.DESCEND):
            assert abs(risen_m) < 1e-6


def test_the_expert_goes_on_from_there_without_a_jump(env):
    for seed in range(12):
        expert, seen, _ = begun(env, seed)
        phase = expert.phase
        steps = expert.infer(seen).actions[:, HAND["right"]][:, TRANSLATION]
        assert expert.phase is phase
        assert np.linalg.norm(steps, axis=1).max() < 0.03


def test_the_same_seed_begins_in_the_same_place(env):
    first, second = (begun(env, 3)[1].state for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", ["grasp@seen#1", "pour_left@seen", "sweep@unseen_category"])
def test_every_goal_is_begun_midway_without_throwing_anything(env, name):
    for seed in range(6):
        env.reset(seed=seed, options={"task": name})
        start_midway(env, ExpertPolicy(env.calibration, return_s=0.25), np.random.default_rng(seed))
        before = env.world.object_poses()
        env.world.step(20)
        for thing, pose in env.world.object_poses().items():
            assert np.linalg.norm(pose[:3, 3] - before[thing][:3, 3]) < 0.05, (seed, thing)
