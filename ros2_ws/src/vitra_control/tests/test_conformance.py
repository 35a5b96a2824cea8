"""The robot's own executor, inverse kinematics, limits and guards included, put through the suite for clients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_robot import FakeRobot

from vitra_control.settings import ARM_PERIOD_S
from vitra_policy.action_space import Side
from vitra_policy.chunks.curve import TimedSteps
from vitra_policy.chunks.timeline import Phase
from vitra_policy.conformance.client import ClientFactory
from vitra_policy.conformance.client_cases import CLIENT_CASES
from vitra_policy.conformance.rehearsal import ORIGIN_S, START, STEP_S
from vitra_policy.conformance.verdict import Case
from vitra_policy.policies.rtc import DelayMeter
from vitra_policy.transforms import quaternion_from_matrix

SCALE_M = 0.3
"""What one unit of the suite's plan is at the wrist; its swing is 9 cm."""
FORWARD = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
"""Directions of its two columns in the arm's base."""


class ExecutorClient:
    """The setpoint generator on a fake clock; what it sends is taken through the drivers' guards to the joints."""

    def __init__(self) -> None:
        self.robot, self.delay = FakeRobot(), DelayMeter()
        self.robot.now_s = ORIGIN_S - 0.5
        self.robot.arm_and_settle()
        pose = self.robot.wrist()
        self._centre, self._rotation = pose[:3, 3].copy(), quaternion_from_matrix(pose[:3, :3])

    def start(self, position: np.ndarray, now_s: float) -> None:
        self.robot.run(now_s - self.robot.now_s)

    def request(self, now_s: float) -> np.ndarray:
        side = self.robot.generator.sides[Side.RIGHT]
        sample, path_s = side.sample, self.robot.generator.path_s
        if sample is None or sample.phase is not Phase.TRACKING:
            self.delay.clear()
        shown_s = self.robot.generator._arms.shown_path_s
        times = [shown_s + (k + 1) * STEP_S for k in range(self.delay.steps)]
        rows = [self._plan_of(side.timeline.value(t)[:3]) for t in times if not side.timeline.rests_from(t - STEP_S)]
        assert path_s >= shown_s
        return np.array(rows).reshape(-1, 2)

    def receive(self, chunk: TimedSteps, now_s: float) -> None:
        values = np.asarray(chunk.values)
        if values.ndim != 2 or values.shape[1] != 2:
            values = np.full((1, 19), np.nan)
        else:
            wrist = self._centre + SCALE_M * (values - START) @ FORWARD
            hand = np.tile(self.robot.hands[Side.RIGHT].position, (len(values), 1))
            values = np.concatenate([wrist, np.tile(self._rotation, (len(values), 1)), hand], axis=1)
        self.robot.generator.offer({Side.RIGHT: replace(chunk, values=values)}, now_s)

    def target(self, now_s: float) -> np.ndarray:
        self.robot.run(ARM_PERIOD_S)
        sample = self.robot.generator.newest_sample()
        if sample is not None and sample.phase is Phase.TRACKING:
            self.delay.report(sample.sequence, sample.first_step)
        return self._plan_of(self.robot.wrist()[:3, 3])

    def _plan_of(self, wrist_m: np.ndarray) -> np.ndarray:
        return START + (wrist_m - self._centre) @ FORWARD.T / SCALE_M


@pytest.mark.parametrize("case", CLIENT_CASES, ids=lambda case: case.name)
def test_the_executor_passes(case: Case[ClientFactory]) -> None:
    made: list[ExecutorClient] = []

    def make() -> ExecutorClient:
        made.append(ExecutorClient())
        return made[-1]

    assert case.run(make) == []
    assert all(client.robot.refused == {} for client in made)
