"""One arm with its hand: wrist and finger targets in, joint setpoints out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_control.settings import ARM_PERIOD_S, HAND_PERIOD_S, GeneratorSettings
from vitra_control.smoothing import JointSmoother
from vitra_description.calibration import Calibration
from vitra_description.description import ArmVariant
from vitra_description.ik import DifferentialIk
from vitra_description.kinematics import ArmModel
from vitra_description.limits import HAND_LIMITS
from vitra_description.names import Side
from vitra_description.postures import home, open_hand
from vitra_policy.chunks.curve import WRIST_AND_HAND, TimedSteps
from vitra_policy.chunks.ensemble import TemporalEnsemble
from vitra_policy.chunks.timeline import ChunkTimeline, Phase, Sample, Verdict
from vitra_policy.transforms import quaternion_from_matrix
from vitra_safety.posture_checks import WorkspaceBox
from vitra_safety.stop_profile import StopProfile

Array = NDArray[np.float64]

_WORKSPACE_MARGIN_M = 0.015
_OUT_OF_REACH_M = 0.01
_LAGGING_RAD = 0.1
_ARRIVED_RAD = 1e-3


class SideExecutor:
    """Timeline, inverse kinematics and smoothing of one side; every setpoint keeps the driver guard's limits.

    Args:
        side: Which one.
        calibration: Where the arm and the hand are.
        settings: Tuning.
        variant: Arm model.
        ready_rad: Arm posture of `approach_ready`, shape (7,); None takes the description's home posture.
        box: Where the wrist may go, in base coordinates; targets outside are moved to its border.
    """

    def __init__(
        self,
        side: Side,
        calibration: Calibration,
        settings: GeneratorSettings,
        *,
        variant: str = ArmVariant.RM75_6F,
        ready_rad: ArrayLike | None = None,
        box: WorkspaceBox | None = None,
    ) -> None:
        extrinsics = calibration.side(side)
        self.side = side
        self.limit = ""
        self.timeline = ChunkTimeline(WRIST_AND_HAND, blend_s=settings.blend_s, stop_s=settings.stop_s)
        decay = settings.ensemble_decay
        self._ensemble = None if decay is None else TemporalEnsemble(WRIST_AND_HAND, decay=decay)
        self._model = ArmModel(variant, extrinsics)
        self._ready = home(side) if ready_rad is None else np.array(ready_rad, dtype=np.float64)
        self._ik = DifferentialIk(self._model, self._ready, settings.ik_limits)
        self._arm = JointSmoother(settings.arm_limits, settings.arm_jerk_rad_s3, ARM_PERIOD_S)
        self._hand = JointSmoother(settings.hand_limits, settings.hand_jerk_rad_s3, HAND_PERIOD_S)
        self._home_speed = settings.home_speed
        self._base_from_arm = extrinsics.base_from_arm_base
        box = box or WorkspaceBox()
        self._box = np.array([box.lower_m, box.upper_m]) + [[_WORKSPACE_MARGIN_M], [-_WORKSPACE_MARGIN_M]]
        self._goal: Array = self._arm.position_rad
        self._fingers: Array = self._hand.position_rad
        self._sample: Sample | None = None

    @property
    def arm_rad(self) -> Array:
        """Arm setpoint given last, shape (7,)."""
        return self._arm.position_rad.copy()

    @property
    def hand_rad(self) -> Array:
        """Hand setpoint given last, shape (12,)."""
        return self._hand.position_rad.copy()

    @property
    def resting_hand_rad(self) -> Array:
        """Where the driver brings the hand to rest when setpoints cease, shape (12,)."""
        stop = StopProfile(self._hand.position_rad, self._hand.velocity_rad_s, HAND_LIMITS)
        return stop.position_rad(stop.duration_s)

    @property
    def sample(self) -> Sample | None:
        """The target of the last tick."""
        return self._sample

    def seed(self, arm_rad: ArrayLike, hand_rad: ArrayLike, now_s: float) -> None:
        """Be at rest at these joints, forget all chunks, and refuse what was observed before now."""
        self._arm.reset(self._arm.limits.clip(arm_rad))
        self._hand.reset(self._hand.limits.clip(hand_rad))
        self._arm.set_speed(1.0)
        self._hand.set_speed(1.0)
        self._rest(now_s)

    def offer(self, steps: TimedSteps, now_s: float) -> Verdict:
        """Take a chunk in, or say why not.

        Raises:
            StepsError: for a chunk no curve can be drawn through.
        """
        return self.timeline.offer(steps if self._ensemble is None else self._ensemble.merge(steps), now_s)

    def follow(self, now_s: float) -> Array:
        """Arm setpoint of this tick on the way along the chunks, shape (7,)."""
        sample = self.timeline.sample(now_s)
        rate = np.zeros_like(self._goal)
        self._sample, self.limit = sample, ""
        if sample is not None and sample.phase is not Phase.HOLDING:
            step = self._ik.step(self._goal, self._reachable(sample.value))
            self._goal, rate = step.position_rad, step.velocity_rad_s
            if step.position_error_m > _OUT_OF_REACH_M:
                self._note(f"wrist {step.position_error_m * 1e3:.0f} mm from its target")
        arm = self._arm.track(self._goal, rate)
        lag = float(np.abs(self._goal - arm).max())
        if lag > _LAGGING_RAD:
            self._note(f"speed: joints {lag:.2f} rad behind")
        return arm

    def follow_hand(self) -> Array:
        """Hand setpoint for the target of the last `follow`, every second tick, shape (12,)."""
        if self._sample is None:
            return self._hand.track(self._fingers, np.zeros_like(self._fingers))
        limits = self._hand.limits
        fingers = np.minimum(np.maximum(self._sample.value[7:], limits.lower_rad), limits.upper_rad)
        rate = (fingers - self._fingers) / HAND_PERIOD_S
        self._fingers = fingers
        return self._hand.track(fingers, rate)

    def begin_ready(self) -> None:
        """Leave the chunks for a slow move to the ready posture with an open hand."""
        self._arm.set_speed(self._home_speed)
        self._hand.set_speed(self._home_speed)

    def approach_ready(self, with_hand: bool) -> tuple[Array, Array]:
        """Arm and hand setpoints of one tick of that move."""
        arm = self._arm.approach(self._ready)
        hand = self._hand.approach(open_hand()) if with_hand else self.hand_rad
        return arm, hand

    def arrived(self, now_s: float) -> bool:
        """Whether that move has ended; if so, chunks are followed from here."""
        goals = ((self._arm, self._ready), (self._hand, open_hand()))
        for joints, goal in goals:
            distance = float(np.abs(joints.position_rad - joints.limits.clip(goal)).max())
            if distance > _ARRIVED_RAD or not joints.at_rest:
                return False
        self._arm.set_speed(1.0)
        self._hand.set_speed(1.0)
        self._rest(now_s)
        return True

    def _rest(self, now_s: float) -> None:
        if self._ensemble is not None:
            self._ensemble.flush()
        self._goal, self._fingers = self.arm_rad, self.hand_rad
        pose = self._model.wrist_pose(self._goal)
        wrist = np.concatenate([pose[:3, 3], quaternion_from_matrix(pose[:3, :3])])
        self.timeline.rest_at(np.concatenate([wrist, self._fingers]), now_s)
        self._sample, self.limit = None, ""

    def _note(self, limit: str) -> None:
        self.limit = f"{self.limit}; {limit}" if self.limit else f"{self.side}: {limit}"

    def _reachable(self, value: Array) -> Array:
        """The target wrist pose (4, 4) with its position inside the box."""
        pose = _pose(value)
        wanted = self._base_from_arm[:3, :3] @ pose[:3, 3] + self._base_from_arm[:3, 3]
        allowed = np.minimum(np.maximum(wanted, self._box[0]), self._box[1])
        if (allowed != wanted).any():
            self._note(f"workspace: target {np.abs(wanted - allowed).max() * 1e3:.0f} mm outside the box")
            pose[:3, 3] = self._base_from_arm[:3, :3].T @ (allowed - self._base_from_arm[:3, 3])
        return pose


def _pose(value: Array) -> Array:
    """Wrist pose (4, 4) of a target; ten times faster for one pose than the batched functions of `transforms`."""
    px, py, pz, x, y, z, w = value[:7].tolist()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w), px],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w), py],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y), pz],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )
