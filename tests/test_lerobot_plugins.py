"""The LeRobot plugins: by a stand-in of lerobot's interface always, with the genuine package where it is installed."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lerobot_standin
import numpy as np
import pytest
import torch

from vitra_policy.policies import registry
from vitra_policy.policies.policy import ActionChunk, Observation, PolicyMetadata

PACKAGES = ("lerobot_policy_vitra", "lerobot_env_vitra", "lerobot_robot_vitra")
CAMERA = "observation.images.head_camera"
LEFT, RIGHT = slice(0, 19), slice(19, 38)


class Lifting:
    """Lifts the right hand by 2 mm a step, its fingers as they are."""

    metadata = PolicyMetadata("lifting", needs_image=True, needs_state=True)

    def __init__(self) -> None:
        self.seen: list[Observation] = []
        self.resets = 0

    def infer(self, observation: Observation) -> ActionChunk:
        self.seen.append(observation)
        actions = np.tile(observation.state, (16, 1))
        actions[:, [*range(6), *range(51, 57)]] = 0
        actions[:, 52] = -0.002
        return ActionChunk(actions.astype(np.float32), observation.hands, 1 / 30, "lifting")

    def warm_up(self) -> None: ...

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def plugins() -> Iterator[SimpleNamespace]:
    """Our packages over the stand-in."""
    root = Path(__file__).resolve().parent.parent / "neighbours"
    with pytest.MonkeyPatch.context() as patch:
        for name, module in lerobot_standin.modules().items():
            patch.setitem(sys.modules, name, module)
        for package in PACKAGES:
            patch.syspath_prepend(str(root / package))
        yield SimpleNamespace(**{name.split("_")[1]: importlib.import_module(name) for name in PACKAGES})
        for name in [name for name in sys.modules if name.split(".")[0] in PACKAGES]:
            patch.delitem(sys.modules, name)


@pytest.fixture
def lifting(monkeypatch: pytest.MonkeyPatch) -> Lifting:
    policy = Lifting()
    monkeypatch.setattr(registry, "_registered", {"lifting": lambda **_: policy})
    return policy


@pytest.fixture
def policy(plugins: SimpleNamespace, lifting: Lifting) -> Any:
    return plugins.policy.VitraPolicy(plugins.policy.VitraConfig(policy="lifting"))


@pytest.fixture
def robot(plugins: SimpleNamespace) -> Iterator[Any]:
    made = plugins.robot.VitraSim(plugins.robot.VitraSimConfig(seed=1))
    made.connect()
    yield made
    made.disconnect()


def frame(plugins: SimpleNamespace, robot: Any) -> dict[str, Any]:
    """An observation as lerobot hands it to the processors: tensors, pictures with channels first from 0 to 1."""
    seen = robot.get_observation()
    state = torch.tensor([seen[name] for name in robot.action_features])
    picture = torch.from_numpy(np.array(seen["head_camera"])).permute(2, 0, 1) / 255
    return {"observation.state": state, CAMERA: picture, "task": "Put the red cube into the box."}


def batch(plugins: SimpleNamespace, robot: Any) -> dict[str, Any]:
    before, _ = plugins.policy.make_vitra_pre_post_processors(plugins.policy.VitraConfig())
    return before(frame(plugins, robot))


def test_lerobot_finds_them_by_its_naming_rules(plugins: SimpleNamespace) -> None:
    """Distributions by prefix, policy and processors beside their configuration, a device class without `Config`."""
    root = Path(__file__).resolve().parent.parent / "neighbours"
    for package, kind in zip(PACKAGES, ("policy", "env", "robot"), strict=True):
        text = (root / package / "pyproject.toml").read_text()
        assert re.search(rf'^name = "{package}"$', text, re.MULTILINE)
        assert package.startswith(f"lerobot_{kind}_")
    assert lerobot_standin.PreTrainedConfig.choices["vitra"] is plugins.policy.VitraConfig
    assert lerobot_standin.EnvConfig.choices["vitra"] is plugins.env.VitraEnv
    assert lerobot_standin.RobotConfig.choices["vitra_sim"] is plugins.robot.VitraSimConfig
    where = plugins.policy.VitraConfig.__module__
    assert importlib.import_module(where.replace("configuration_", "modeling_")).VitraPolicy
    assert importlib.import_module(where.replace("configuration_", "processor_")).make_vitra_pre_post_processors
    assert getattr(plugins.robot, plugins.robot.VitraSimConfig.__name__.removesuffix("Config"))


def test_a_batch_becomes_an_observation_and_its_chunk_joint_targets(
    plugins: SimpleNamespace, policy: Any, lifting: Lifting, robot: Any
) -> None:
    asked = batch(plugins, robot)
    chunk = policy.predict_action_chunk(asked)
    assert chunk.shape == (1, 16, 38)
    (seen,) = lifting.seen
    assert seen.instruction == "Left hand: None. Right hand: Put the red cube into the box."
    assert np.abs(seen.image.astype(int) - robot.get_observation()["head_camera"]).max() <= 1
    state = asked["observation.state"][0].numpy()
    moved = np.abs(chunk[0].numpy() - state)
    assert 0.005 < moved[-1, RIGHT][:7].max() < 0.3
    assert (np.diff(moved[:, RIGHT][:, :7].max(axis=1)) > 0).all(), "farther with every step"


def test_the_arm_that_a_mapping_leaves_out_stays_where_it_is(plugins: SimpleNamespace, policy: Any, robot: Any) -> None:
    asked = batch(plugins, robot)
    chunk = policy.predict_action_chunk(asked)[0].numpy()
    np.testing.assert_array_equal(chunk[:, LEFT], np.tile(asked["observation.state"][0, LEFT], (16, 1)))


def test_ignored_numbers_of_a_robot_with_another_state_are_refused(
    plugins: SimpleNamespace, lifting: Lifting, robot: Any, tmp_path: Path
) -> None:
    text = (Path(registry.__file__).parent.parent / "mappings/files/lerobot-right.yaml").read_text()
    (tmp_path / "own.yaml").write_text(text.replace("width: 19", "width: 3", 1))
    odd = plugins.policy.VitraPolicy(plugins.policy.VitraConfig(policy="lifting", mapping=str(tmp_path / "own.yaml")))
    asked = batch(plugins, robot)
    asked["observation.state"] = asked["observation.state"][:, 16:]
    with pytest.raises(ValueError, match="ignores 19 of 38 numbers of the action, and the state has 22"):
        odd.predict_action_chunk(asked)


def test_a_chunk_is_taken_step_by_step_and_a_reset_forgets_it(
    plugins: SimpleNamespace, policy: Any, lifting: Lifting, robot: Any
) -> None:
    asked = batch(plugins, robot)
    taken = [policy.select_action(asked) for _ in range(9)]
    assert all(one.shape == (1, 38) for one in taken)
    assert len(lifting.seen) == 2
    assert lifting.seen[1].stamp_s == pytest.approx(8 / 30), "time goes on with the steps"
    policy.reset()
    policy.select_action(asked)
    assert (len(lifting.seen), lifting.resets, lifting.seen[-1].stamp_s) == (3, 1, 0)


def test_two_robots_in_a_batch_are_refused(plugins: SimpleNamespace, policy: Any, robot: Any) -> None:
    asked = batch(plugins, robot)
    asked["observation.state"] = asked["observation.state"].repeat(2, 1)
    with pytest.raises(ValueError, match="holds 2 robots; this policy moves one at a time"):
        policy.select_action(asked)


def test_a_package_is_what_lerobot_loads_by_path(
    plugins: SimpleNamespace, lifting: Lifting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = importlib.import_module("lerobot_policy_vitra.package")
    given = [str(tmp_path / "p"), "--policy", "lifting", "--options", "", "--mapping", "lerobot-both"]
    assert package.main(given) == 0
    steps = json.loads((tmp_path / "p" / "policy_preprocessor.json").read_text())["steps"]
    assert {"RenameObservationsProcessorStep", "DeviceProcessorStep"} < set(steps), "lerobot's commands override these"
    assert (tmp_path / "p" / "policy_postprocessor.json").is_file()
    loaded = plugins.policy.VitraPolicy.from_pretrained(tmp_path / "p")
    assert (loaded.config.policy, loaded.config.mapping, loaded.training) == ("lifting", "lerobot-both", False)
    assert package.main(given) == 2
    assert "not empty" in capsys.readouterr().err


def test_the_simulated_robot_goes_where_it_is_told_within_its_limits(robot: Any) -> None:
    before = robot.get_observation()
    assert robot.observation_features["head_camera"] == np.shape(before["head_camera"])
    names = list(robot.action_features)
    assert (len(names), names[0], names[-1]) == (38, "left_joint_1.pos", "right_hand_pinky_joint2.pos")
    for _ in range(20):
        robot.send_action({"right_joint_7.pos": before["right_joint_7.pos"] + 0.2})
    after = robot.get_observation()
    assert after["right_joint_7.pos"] == pytest.approx(before["right_joint_7.pos"] + 0.2, abs=0.02)
    assert abs(after["left_joint_2.pos"] - before["left_joint_2.pos"]) < 0.02
    robot.send_action({"right_joint_7.pos": after["right_joint_7.pos"] + 3.0})
    assert robot.get_observation()["right_joint_7.pos"] < after["right_joint_7.pos"] + 0.2, "no leap"


def test_the_simulated_robot_refuses_what_is_no_action(plugins: SimpleNamespace, robot: Any) -> None:
    with pytest.raises(ValueError, match=r"elbow\.pos: no joint of this robot"):
        robot.send_action({"elbow.pos": 0.0})
    with pytest.raises(ValueError, match="not finite"):
        robot.send_action({"right_joint_1.pos": float("nan")})
    with pytest.raises(ConnectionError, match="connect"):
        plugins.robot.VitraSim(plugins.robot.VitraSimConfig()).get_observation()


def test_the_loop_of_lerobot_rollout_does_the_task_with_the_expert_behind(
    plugins: SimpleNamespace, robot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vitra_sim.tasks.ground_truth import ground_truth_extras

    expert = registry.create_policy("expert", {})

    class Told(Lifting):
        metadata = PolicyMetadata("told", needs_image=True, needs_state=True)

        def infer(self, observation: Observation) -> ActionChunk:
            truth = ground_truth_extras(robot._env._world, robot._env._calibration)
            return expert.infer(replace(observation, extras={**observation.extras, **truth}))

    expert.warm_up()
    monkeypatch.setattr(registry, "_registered", {"told": lambda **_: Told()})
    policy = plugins.policy.VitraPolicy(plugins.policy.VitraConfig(policy="told"))
    before, behind = plugins.policy.make_vitra_pre_post_processors(policy.config)
    for _ in range(600):
        action = behind(policy.select_action(before(frame(plugins, robot))))
        robot.send_action(dict(zip(robot.action_features, action[0].tolist(), strict=True)))
        if robot.success:
            break
    assert robot.success


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "lerobot-rollout or lerobot-eval"),
        (["lerobot-rollout"], "give a checkpoint"),
        (["lerobot-rollout", "."], "run requirements/open-lerobot.sh first"),
    ],
)
def test_the_command_says_what_it_lacks(repo_root: Path, tmp_path: Path, arguments: list[str], says: str) -> None:
    command = [repo_root / "requirements/run-lerobot.sh", *arguments]
    environment = os.environ | {"LEROBOT_ENV": str(tmp_path)}
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert run.returncode != 0
    assert says in run.stderr


@pytest.mark.slow
def test_lerobot_rollout_runs_a_checkpoint_for_one_episode(repo_root: Path, tmp_path: Path) -> None:
    environment = Path(os.environ.get("LEROBOT_ENV", repo_root / ".venv-lerobot"))
    if not (environment / "bin/lerobot-rollout").exists():
        pytest.skip("run requirements/open-lerobot.sh once: it makes the environment of lerobot")
    subprocess.run(["vitra-policy", "new-mini", str(tmp_path / "mini")], check=True, capture_output=True, timeout=120)
    command = [repo_root / "requirements/run-lerobot.sh", "lerobot-rollout", tmp_path / "mini", "--duration=5"]
    run = subprocess.run(
        [*command, "--task=Put the red cube into the box.", "--return_to_initial_position=false"],
        capture_output=True, text=True, timeout=600, env=os.environ | {"LEROBOT_ENV": str(environment)},
    )  # fmt: skip
    said = run.stdout + run.stderr
    assert run.returncode == 0, said[-3000:]
    assert re.search(r"[1-9]\d* actions, .* of simulated time; the task was", said), said[-3000:]
    assert "Rollout finished" in said
