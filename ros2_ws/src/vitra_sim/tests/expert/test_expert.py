import dataclasses

import numpy as np
import pytest

from vitra_policy.action_space import HAND
from vitra_policy.policies.policy import InvalidObservationError, Policy, PolicyError
from vitra_policy.policies.registry import create_policy
from vitra_sim.expert.expert import returning
from vitra_sim.expert.motion import Phase
from vitra_sim.lockstep.env import EnvSettings, VitraSimEnv


@pytest.fixture
def expert():
    return create_policy("expert")


def run(env, policy, task, seed, answer=None, on_step=None):
    """One episode; `answer(chunk, observation)` may replace what is executed."""
    policy.reset()
    observation, _ = env.reset(seed=seed, options={"task": task})
    done, info, step = False, {}, 0
    while not done:
        executed = (policy.infer(observation), observation)
        if answer:
            executed = answer(*executed)
        observation, _, terminated, truncated, info = env.step(*executed)
        if on_step:
            on_step(env.world, policy, step)
        done, step = terminated or truncated, step + 1
    return info


def test_the_registry_knows_it_and_it_is_a_policy(expert):
    assert isinstance(expert, Policy)
    assert expert.metadata.is_privileged
    assert not expert.metadata.needs_image


@pytest.mark.parametrize("side", ["left", "right"])
def test_only_the_acting_hand_moves(expert, side):
    env = VitraSimEnv("place_cube_in_box" if side == "right" else "place_cube_in_box_left")
    chunk = expert.infer(env.reset(seed=0)[0])
    assert chunk.actions.shape == (16, 102)
    assert chunk.valid.tolist() == [side == "left", side == "right"]
    other = "right" if side == "left" else "left"
    assert not chunk.actions[:, HAND[other]].any()
    assert np.abs(chunk.actions[:, HAND[side]]).max() > 0.01


@pytest.mark.parametrize(
    ("task", "seed"),
    [
        ("place_cube_in_box", 0),
        ("place_cube_in_box_left", 1),
        ("place_can_in_box", 2),
        ("place_bottle_in_box_left", 3),
        ("place_ball_in_box", 4),
        ("place_mug_in_box", 5),
    ],
)
def test_it_places_the_object(expert, task, seed):
    env = VitraSimEnv(task)
    info = run(env, expert, task, seed)
    assert info["success"], info
    assert 5.0 < env.world.time_s < 14.0


def test_late_chunks_do_not_matter(expert):
    assert run(VitraSimEnv(settings=EnvSettings(latency_s=0.2)), expert, "place_cube_in_box", 6)["success"]


def test_dropped_chunks_do_not_matter(expert):
    rng, last = np.random.default_rng(0), []

    def drop_half(chunk, observation):
        if not last or rng.random() < 0.5:
            last[:] = [chunk, observation]
        return tuple(last)

    assert run(VitraSimEnv(settings=EnvSettings(executed_steps=3)), expert, "place_can_in_box", 7, answer=drop_half)[
        "success"
    ]


def test_a_pause_of_the_arm_is_waited_for(expert):
    """The arm holds for three seconds in the middle, as after a stop; the plan must not run away."""
    env = VitraSimEnv()
    policy_phases = []

    def hold(world, policy, step):
        policy_phases.append(policy.phase)
        if step == 6:
            from vitra_policy.action_space import Side

            world.set_arm_target(Side.RIGHT, world.arm_q(Side.RIGHT))
            world.step(600)

    assert run(env, expert, "place_cube_in_box", 1, on_step=hold)["success"]
    assert policy_phases[7] in (Phase.APPROACH, Phase.DESCEND)


def test_an_object_that_moved_is_followed(expert):
    def push(world, policy, step):
        if step == 4:
            joint = world.model.joint(world.task.target)
            world.data.qpos[int(joint.qposadr[0]) + 1] += 0.03

    assert run(VitraSimEnv(), expert, "place_can_in_box", 8, on_step=push)["success"]


def test_an_object_taken_out_of_the_hand_is_picked_again(expert):
    taken = []

    def take(world, policy, step):
        if policy.phase is Phase.CARRY and not taken:
            taken.append(step)
            joint = world.model.joint(world.task.target)
            place = world.layout.target
            world.data.qpos[int(joint.qposadr[0]) :][:7] = [*place.position_m, 1, 0, 0, 0]
            world.data.qvel[int(joint.dofadr[0]) :][:6] = 0

    assert run(VitraSimEnv(), expert, "place_cube_in_box", 2, on_step=take)["success"]
    assert taken


def test_without_ground_truth_it_says_what_is_missing(expert):
    observation, _ = VitraSimEnv().reset(seed=0)
    blind = dataclasses.replace(observation, extras={})
    with pytest.raises(InvalidObservationError, match="sim/task"):
        expert.infer(blind)


def test_an_instruction_for_the_other_hand_is_refused(expert):
    observation, _ = VitraSimEnv().reset(seed=0)
    with pytest.raises(PolicyError, match="right hand"):
        expert.infer(dataclasses.replace(observation, hands=np.array([True, False])))


def test_a_hand_off_its_path_comes_back_smoothly_and_ends_on_it() -> None:
    wanted = np.eye(4)
    wrist = np.eye(4)
    wrist[:3, 3] = (0.03, 0.0, -0.01)
    ages_s = np.arange(1, 17) / 15
    path = np.tile(np.eye(4), (16, 1, 1))
    path[:, 0, 3] = 0.1 * ages_s
    back = returning(path, wrist, wanted, ages_s, 0.25)
    off = np.linalg.norm(back[:, :3, 3] - path[:, :3, 3], axis=1)
    assert np.all(np.diff(off) < 0)
    assert off[0] > 0.7 * np.linalg.norm(wrist[:3, 3])
    assert off[-1] < 0.002
    assert np.allclose(returning(path, wanted, wanted, ages_s, 0.25), path)
