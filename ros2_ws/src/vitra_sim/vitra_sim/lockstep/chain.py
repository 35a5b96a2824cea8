"""From chunks of policy actions to joint targets at every control tick: the robot's own retargeting and executor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vitra_control.generator import SetpointGenerator
from vitra_control.setpoints import Feedback, PermitSample
from vitra_control.settings import GeneratorSettings
from vitra_control.side import SideExecutor
from vitra_description.calibration import Calibration
from vitra_description.kinematics import ArmModel
from vitra_description.names import CAMERA_FRAME
from vitra_policy.action_space import SIDES, Side
from vitra_policy.chunks.curve import TimedSteps
from vitra_policy.chunks.timeline import Verdict
from vitra_policy.policies.observation import hand_vector
from vitra_policy.policies.policy import ActionChunk
from vitra_retarget.retarget import HandChunk, Retargeter
from vitra_sim.scene.scene import TICK_S
from vitra_sim.scene.world import World

Array = NDArray[np.float64]

_ALWAYS = 1
_SEEDING_TICKS = 60


class RobotChain:
    """Hand state out of joints, joint targets out of chunks, for both arms.

    The same `Retargeter` and `SetpointGenerator` that run in the nodes, on the simulation's clock and under a permit
    that never ends.

    Args:
        calibration: mounting of the robot.
        settings: tuning of the executor; None takes its defaults.
        sides: driven arms.
    """

    def __init__(
        self, calibration: Calibration, settings: GeneratorSettings | None = None, sides: tuple[Side, ...] = SIDES
    ) -> None:
        self._calibration, self._settings, self._sides = calibration, settings or GeneratorSettings(), sides
        self._retarget = Retargeter(calibration)
        self._arms = {side: ArmModel("6f", calibration.side(side)) for side in SIDES}
        self._camera_from_arm_base = {side: calibration.head_camera_from_arm_base(side) for side in SIDES}
        self._executors: dict[Side, SideExecutor] = {}
        self._sequence = 0

    def hand_state(self, side: Side, arm_q_rad: Array, hand_q_rad: Array) -> Array:
        """State (51,) of a hand in the camera frame.

        Args:
            side: Which hand.
            arm_q_rad: Arm joints (7,).
            hand_q_rad: Hand joints.
        """
        return hand_vector(
            self._camera_from_arm_base[side] @ self._arms[side].wrist_pose(arm_q_rad),
            hand_q_rad,
            self._calibration.hand.map,
        )

    def reset(self, world: World) -> None:
        """Start from the joints of a world, at rest."""
        world_joints = self._joints_of(world)
        self._executors = {side: SideExecutor(side, self._calibration, self._settings) for side in self._sides}
        self.generator = SetpointGenerator(self._executors, self._settings, world_joints)
        begin_s = world.time_s - _SEEDING_TICKS * TICK_S
        for tick in range(_SEEDING_TICKS):  # joints at rest in a world that stands still: no need to wait for them
            now_s = begin_s + tick * TICK_S
            self.generator.tick(now_s, PermitSample(_ALWAYS, True, now_s))

    def offer(self, chunk: ActionChunk, observed: Array, stamp_s: float, now_s: float) -> dict[Side, Verdict]:
        """Hand a chunk over.

        Args:
            chunk: the chunk.
            observed: (102,) state of both hands at the observation.
            stamp_s: time of the observation.
            now_s: time at which the chunk arrives.

        Returns:
            What became of it, per hand that it moves.
        """
        if not chunk.valid.any():
            return {}
        hands = HandChunk(
            CAMERA_FRAME, chunk.steps, chunk.step_s, chunk.actions, observed, bool(chunk.valid[0]), bool(chunk.valid[1])
        )
        return self.offer_hands(hands, stamp_s, now_s)

    def offer_hands(self, hands: HandChunk, stamp_s: float, now_s: float) -> dict[Side, Verdict]:
        """Hand a chunk over as the retargeting gets it.

        Args:
            hands: The chunk, whatever it holds.
            stamp_s: time of the observation.
            now_s: time at which it arrives.

        Returns:
            What became of it, per hand that it moves.

        Raises:
            ChunkRefusedError, StepsError: it cannot be followed.
        """
        self._sequence += 1
        steps = {
            side: TimedSteps(self._sequence, stamp_s, hands.step_s, np.concatenate([one.wrist, one.hand], axis=1))
            for side, one in self._retarget(hands).items()
        }
        return self.generator.offer(steps, now_s)

    def apply(self, world: World) -> None:
        """Give the drives the setpoints of this tick."""
        now_s = world.time_s
        setpoints = self.generator.tick(now_s, PermitSample(_ALWAYS, True, now_s))
        if setpoints is None:
            return
        for side, arm_rad in setpoints.arms.items():
            world.set_arm_target(side, arm_rad)
        for side, hand_rad in setpoints.hands.items():
            world.set_hand_target(side, hand_rad)

    def _joints_of(self, world: World) -> Callable[[Side], Feedback]:
        return lambda side: Feedback(world.arm_q(side), world.hand_q(side), 0.0)
