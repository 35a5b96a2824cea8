"""Lockstep and the graph give the same setpoints: the same chunks, once through each, tick by tick."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_control.executor_messages import timed_steps
from vitra_control.generator import SetpointGenerator
from vitra_control.setpoints import Feedback, PermitSample
from vitra_control.settings import GeneratorSettings
from vitra_control.side import SideExecutor
from vitra_description.calibration import default_calibration
from vitra_description.names import CAMERA_FRAME
from vitra_msgs.msg import HandActionChunk
from vitra_policy.action_space import SIDES
from vitra_policy.policies.policy import ActionChunk, Observation
from vitra_policy.policies.registry import create_policy
from vitra_retarget.retarget import Retargeter
from vitra_retarget.retarget_node import contents, robot_chunk
from vitra_runtime.timing import stamp_to_s
from vitra_sim.lockstep.env import EnvSettings, VitraSimEnv
from vitra_sim.scene.scene import TICK_S
from vitra_sim.scene.world import World


class NodesChain:
    """What the retarget node and the executor node do with a chunk, messages included, without their transport."""

    def __init__(self, env: VitraSimEnv, settings: GeneratorSettings) -> None:
        calibration, world = default_calibration(), env.world
        self._retarget = Retargeter(calibration)
        sides = {side: SideExecutor(side, calibration, settings) for side in SIDES}
        self.generator = SetpointGenerator(sides, settings, lambda s: Feedback(world.arm_q(s), world.hand_q(s), 0.0))
        for tick in range(60):
            self.tick(world.time_s + (tick - 60) * TICK_S)
        self._sequence = 0

    def tick(self, now_s: float):  # noqa: ANN201
        return self.generator.tick(now_s, PermitSample(1, True, now_s))

    def send(self, chunk: ActionChunk, observation: Observation, now_s: float) -> None:
        self._sequence += 1
        message = HandActionChunk(sequence=self._sequence, step_s=chunk.step_s, steps=chunk.steps)
        stamp_ns = round(observation.stamp_s * 1e9)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        message.header.frame_id = CAMERA_FRAME
        message.actions = np.asarray(chunk.actions, dtype=np.float32).ravel().tolist()
        message.observed = np.asarray(observation.state, dtype=np.float32).ravel().tolist()
        message.left_valid, message.right_valid = map(bool, chunk.valid)
        out = robot_chunk(message, self._retarget(contents(message)))
        self.generator.offer(timed_steps(out, stamp_to_s(out.header.stamp)), now_s)


@pytest.mark.parametrize(("speed", "latency_s"), [(1.0, 0.0), (0.4, 0.15)])
def test_setpoints_of_lockstep_and_of_the_nodes_are_the_same(speed: float, latency_s: float) -> None:
    settings = GeneratorSettings(speed=speed)
    nodes: NodesChain | None = None
    apart, ticks, moved = 0.0, 0, 0.0
    arriving: list[tuple[float, ActionChunk, Observation]] = []

    def compare(world: World) -> None:
        nonlocal apart, ticks, moved
        assert nodes is not None
        now_s = world.time_s - TICK_S  # the tick before this step
        while arriving and arriving[0][0] <= now_s + TICK_S / 2:
            _, chunk, seen = arriving.pop(0)
            nodes.send(chunk, seen, now_s)
        setpoints = nodes.tick(now_s)
        assert setpoints is not None
        for side in SIDES:
            difference = setpoints.arms[side] - world.arm(side).target(world.data)
            apart = max(apart, float(np.abs(difference).max()))
            if side in setpoints.hands:
                apart = max(apart, float(np.abs(setpoints.hands[side] - world.hand(side).target(world.data)).max()))
        ticks, moved = ticks + 1, max(moved, float(np.abs(setpoints.arms[side] - start[side]).max()))

    env = VitraSimEnv(on_tick=compare, settings=EnvSettings(executor=settings, latency_s=latency_s))
    policy = create_policy("expert")
    observation, _ = env.reset(seed=0)
    start = {side: env.world.arm_q(side) for side in SIDES}
    nodes = NodesChain(env, settings)
    while env.world.time_s < 3.0:
        chunk = policy.infer(observation)
        arriving.append((observation.stamp_s + latency_s, chunk, observation))
        observation, *_ = env.step(chunk, observation)
    env.close()
    assert ticks >= 600
    assert moved > 0.1
    assert apart < 1e-5, "only the single precision of the messages is between them"
