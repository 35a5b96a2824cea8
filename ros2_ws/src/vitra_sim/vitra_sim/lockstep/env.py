"""Lockstep environment in gymnasium's manner: chunks in, observations out, no clock but the simulated one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitra_control.settings import GeneratorSettings
from vitra_description.calibration import Calibration, default_calibration
from vitra_policy.action_space import SIDES, Side, join_hands
from vitra_policy.policies.observation import fov_from_intrinsics
from vitra_policy.policies.policy import ARM_RAD, ActionChunk, Observation
from vitra_sim.lockstep.chain import RobotChain
from vitra_sim.scene.camera import HeadCamera, scaled_intrinsics
from vitra_sim.scene.scene import TICK_S
from vitra_sim.scene.world import World
from vitra_sim.tasks.ground_truth import ground_truth_extras
from vitra_sim.tasks.tasks import DEFAULT_TASK


@dataclass(frozen=True, slots=True)
class EnvSettings:
    """How episodes are run."""

    executed_steps: int = 4
    """Leading steps of a chunk that are executed before the next observation."""
    image_size: tuple[int, int] | None = None
    """(width, height) of the rendered head camera image, pixels; None leaves images out."""
    time_limit_s: float = 30.0
    """Simulated time after which an episode is truncated."""
    latency_s: float = 0.0
    """A chunk takes effect this long after its observation; until then the one before goes on."""
    executor: GeneratorSettings | None = None
    """Tuning of the executor; None takes its defaults."""
    chunk_period_s: float | None = None
    """Executed time of a chunk before the next observation; None: `executed_steps` of it."""


class VitraSimEnv:
    """One robot and one task in lockstep: `reset`, then `step(chunk)` until terminated or truncated.

    A step executes the leading part of a chunk as the robot does: by the retargeting and the executor of the nodes
    (`RobotChain`), whose setpoints go to the joint drives.

    Args:
        task: name of a task.
        settings: how it is run.
        calibration: mounting of the robot; None takes the simulator's.
        on_tick: called after every control tick.
    """

    def __init__(
        self,
        task: str = DEFAULT_TASK,
        settings: EnvSettings | None = None,
        *,
        calibration: Calibration | None = None,
        on_tick: Callable[[World], None] | None = None,
    ) -> None:
        settings = settings or EnvSettings()
        self.calibration = calibration or default_calibration()
        self.world = World(task, 0, self.calibration)
        self._executed_steps, self._time_limit_s = settings.executed_steps, settings.time_limit_s
        self._chunk_period_s, self._on_tick = settings.chunk_period_s, on_tick
        self._latency_s = settings.latency_s
        self._intrinsics = scaled_intrinsics(self.calibration.head_camera, *(settings.image_size or (424, 240)))
        self._camera = HeadCamera(self._intrinsics) if settings.image_size else None
        self.chain = RobotChain(self.calibration, settings.executor)
        self._on_the_way: deque[tuple[float, ActionChunk, Observation]] = deque()
        self._following: ActionChunk | None = None

    def reset(self, *, seed: int = 0, options: Mapping[str, str] | None = None) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; `options={"task": name}` changes the task.

        Raises:
            UnknownNameError: no such task.
        """
        self.world.reset((options or {}).get("task"), seed)
        self.chain.reset(self.world)
        self._on_the_way.clear()
        self._following = None
        if self._camera:
            self._camera.load(self.world.model)
        return self.observe(), {"task": self.world.task.name, "seed": seed}

    def observe(self) -> Observation:
        """What a policy sees now; ground truth included."""
        world, lens = self.world, self._intrinsics
        state = {side: self.chain.hand_state(side, world.arm_q(side), world.hand_q(side)) for side in SIDES}
        return Observation(
            stamp_s=world.time_s,
            instruction=world.task.instruction,
            image=self._camera.render(world.data).colour.copy() if self._camera else None,
            intrinsics=lens.matrix,
            fov_rad=fov_from_intrinsics(lens.matrix, lens.width_px, lens.height_px),
            state=join_hands(state[Side.LEFT], state[Side.RIGHT]),
            state_valid=np.array([True, True]),
            hands=np.array([side is world.task.side for side in SIDES]),
            extras=ground_truth_extras(world, self.calibration) | {ARM_RAD[s]: world.arm_q(s) for s in SIDES},
        )

    def step(
        self, chunk: ActionChunk, observation: Observation
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Execute the leading steps of a chunk.

        Args:
            chunk: the policy's answer.
            observation: what it answers; its state anchors the deltas.

        Returns:
            observation, reward (1 on success), terminated, truncated, info with `success`, `failed`, `reason`.
        """
        executed_s = self._chunk_period_s or min(self._executed_steps, chunk.steps) * chunk.step_s
        self._on_the_way.append((observation.stamp_s + self._latency_s, chunk, observation))
        for _ in range(round(executed_s / TICK_S)):
            while self._on_the_way and self._on_the_way[0][0] <= self.world.time_s + TICK_S / 2:
                _, arrived, seen = self._on_the_way.popleft()
                self._following = arrived
                self.chain.offer(arrived, seen.state, seen.stamp_s, self.world.time_s)
            self.chain.apply(self.world)
            self.world.step()
            if self._on_tick is not None:
                self._on_tick(self.world)
        verdict = self.world.verdict()
        info = {"success": verdict.success, "failed": verdict.failed, "reason": verdict.reason}
        truncated = self.world.time_s >= self._time_limit_s
        return self.observe(), float(verdict.success), verdict.success or verdict.failed, truncated, info

    @property
    def late_s(self) -> float:
        """How far the robot is behind the plan of the chunk that it follows."""
        sample = self.chain.generator.newest_sample()
        if sample is None or not sample.sequence or self._following is None:
            return 0.0
        return max(self.world.time_s - sample.stamp_s - sample.position_steps * self._following.step_s, 0.0)

    def close(self) -> None:
        """Free the renderer."""
        if self._camera:
            self._camera.close()
