"""Servers of other people's terms, a scripted policy behind them, our clients before them: the task is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vitra_policy.mappings import egosteer_double
from vitra_policy.mappings.mapping import load_mapping
from vitra_policy.mappings.translator import Translator
from vitra_policy.policies.policy import ActionChunk, Observation, Policy
from vitra_policy.policies.registry import create_policy
from vitra_policy.policies.robot import find_robot
from vitra_policy.serving.client import make_remote_policy
from vitra_policy.serving.egosteer_client import make_egosteer_policy
from vitra_policy.serving.openpi_double import OpenpiDouble
from vitra_sim.lockstep.env import VitraSimEnv
from vitra_sim.tasks.tasks import DEFAULT_TASK


class Trial:
    """An episode whose policy asks a server that sees the world by a way of its own."""

    def __init__(self) -> None:
        self.env = VitraSimEnv()
        self.expert = create_policy("expert", {"step_s": str(1 / 30)})
        self.seen: Observation | None = None

    def think(self) -> tuple[ActionChunk, Observation]:
        assert self.seen is not None
        return self.expert.infer(self.seen), self.seen

    def run(self, policy: Policy, seed: int = 3, prefix: Callable[[Observation], Observation] = lambda o: o) -> bool:
        """Whether the task is done."""
        policy.warm_up()
        self.expert.reset()
        policy.reset()
        observation, _ = self.env.reset(seed=seed, options={"task": DEFAULT_TASK})
        ended = truncated = False
        info: dict[str, Any] = {}
        while not (ended or truncated):
            self.seen = observation
            shown = dataclasses.replace(observation, image=np.zeros((24, 32, 3), np.uint8))
            chunk = policy.infer(prefix(shown))
            observation, _, ended, truncated, info = self.env.step(chunk, observation)
        policy.close()
        return bool(info["success"])


@pytest.fixture(scope="module")
def trial() -> Trial:
    return Trial()


@pytest.mark.parametrize("terms", ["openpi-generic", "openpi-joints", "vpp", "being-h0"])
def test_a_scripted_policy_behind_an_openpi_server_does_the_task(trial: Trial, terms: str) -> None:
    translator = Translator(load_mapping(terms), find_robot())

    def infer(request: dict[str, Any]) -> dict[str, Any]:
        return translator.answer(*trial.think())

    with OpenpiDouble(infer) as server:
        assert trial.run(make_remote_policy(server.url, mapping=terms, infer_timeout_s="20"))


def test_a_scripted_policy_behind_an_egosteer_server_does_the_task(trial: Trial) -> None:
    with OpenpiDouble(egosteer_double.server_of(trial.think, find_robot()), egosteer_double.METADATA) as server:
        assert trial.run(make_egosteer_policy(server.url, infer_timeout_s="20", image_px="32x24"))
