"""One arm with its hand: wrist and finger targets of chunks in, a joint path and finger setpoints out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_control.joint_follower import JointFollower
from vitra_control.lift import Lift
from vitra_control.settings import HAND_PERIOD_S, PATH_SPACING_S, GeneratorSettings
from vitra_description.calibration import Calibration
from vitra_description.description import ArmVariant
from vitra_description.ik import DifferentialIk, IkSettings
from vitra_description.kinematics import ArmModel
from vitra_description.postures import home, open_hand
from vitra_policy.action_space import Side
from vitra_policy.chunks.curve import TimedSteps, wrist_and_hand
from vitra_policy.chunks.ensemble import TemporalEnsemble
from vitra_policy.chunks.timeline import ChunkTimeline, Sample, Verdict
from vitra_policy.transforms import quaternion_from_matrix
from vitra_safety.posture_checks import WorkspaceBox
from vitra_safety.stop_profile import StopProfile

Array = NDArray[np.float64]

_WORKSPACE_MARGIN_M = 0.015
_MISSED_M, _MISSED_RAD = 0.0015, float(np.deg2rad(0.4))
_ARRIVED_RAD = 1e-3
_IK_ROUNDS = 4
_EXACT_M, _EXACT_RAD = 0.008, 0.05
"""A step of inverse kinematics this long ends within 0.3 mm and 0.1 deg; a longer one is refined."""
_LEVER_M = 0.25
"""A wrist displacement over this is about the joint displacement it takes."""
_BLEND_SHARE = 0.4
"""Part of the acceleration limit that a change-over between chunks may take."""
_LONGEST_BEND_S, _LONGEST_BLEND_S = 0.6, 2.0


class SideExecutor:
    """Timeline, inverse kinematics and fingers of one side.

    Args:
        side: Which one.
        calibration: Where the arm and the hand are.
        settings: Tuning.
        variant: Arm model.
        ready_rad: Arm posture of the move to the ready posture, shape (7,); None takes the description's home posture.
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
        extrinsics, hand = calibration.side(side), calibration.hand
        layout = wrist_and_hand(hand.dof)
        self.side, self.calibration, self.variant = side, calibration, variant
        self._notes: list[str] = []
        self._missed: deque[tuple[float, str]] = deque()
        self._bend_rad_s2 = _BLEND_SHARE * float(settings.arm_limits.acceleration_rad_s2.min())
        self._top_rad_s = float(settings.arm_limits.velocity_rad_s.min())
        self.timeline = ChunkTimeline(
            layout, blend_s=settings.blend_s, stop_s=settings.stop_s, blend_for=self._blend_for
        )
        decay = settings.ensemble_decay
        self._ensemble = None if decay is None else TemporalEnsemble(layout, decay=decay)
        self._model = ArmModel(variant, extrinsics)
        self.ready_rad: Array = home(side, settings.arm) if ready_rad is None else np.array(ready_rad, dtype=np.float64)
        ik_settings = IkSettings(period_s=PATH_SPACING_S, max_linear_m_s=5.0, max_angular_rad_s=25.0)
        self._ik = DifferentialIk(self._model, self.ready_rad, settings.ik_limits, ik_settings)
        self._hand = JointFollower(settings.hand_limits(hand), settings.hand_jerk_rad_s3, HAND_PERIOD_S)
        self._hand_kind = hand
        self._home_speed = settings.home_speed
        self._base_from_arm = extrinsics.base_from_arm_base
        box = box or WorkspaceBox()
        self._box = np.array([box.lower_m, box.upper_m]) + [[_WORKSPACE_MARGIN_M], [-_WORKSPACE_MARGIN_M]]
        self._fingers: Array = self._hand.position_rad
        self._sample: Sample | None = None
        self._speed, self._resting = 1.0, True
        self._lift: Lift | None = None

    @property
    def limit(self) -> str:
        """What the arm misses of its path, from where the setpoints are on; empty if nothing."""
        return self._missed[0][1] if self._missed else ""

    @property
    def hand_rad(self) -> Array:
        """Hand setpoint given last, shape (dof,)."""
        return self._hand.position_rad.copy()

    @property
    def resting_hand_rad(self) -> Array:
        """Where the driver brings the hand to rest when setpoints cease, shape (dof,)."""
        stop = StopProfile(self._hand.position_rad, self._hand.velocity_rad_s, self._hand_kind.limits)
        return stop.position_rad(stop.duration_s)

    @property
    def sample(self) -> Sample | None:
        """The target of the last tick."""
        return self._sample

    def seed_hand(self, hand_rad: ArrayLike) -> None:
        """Be at rest with the fingers here, shape (dof,)."""
        self._hand.reset(self._hand.limits.clip(hand_rad))
        self._hand.set_speed(1.0)

    def rest(self, arm_rad: Array, now_s: float) -> None:
        """Forget all chunks, stay at these arm joints (7,), and refuse what was observed before now."""
        if self._ensemble is not None:
            self._ensemble.flush()
        self._hand.set_speed(1.0)
        self._fingers = self.hand_rad
        pose = self._model.wrist_pose(arm_rad)
        wrist = np.concatenate([pose[:3, 3], quaternion_from_matrix(pose[:3, :3])])
        self.timeline.rest_at(np.concatenate([wrist, self._fingers]), now_s)
        self._sample, self._resting = None, True
        self._missed.clear()

    def offer(self, steps: TimedSteps, now_s: float, path_at: Callable[[float], float], seam_path_s: float) -> Verdict:
        """Take a chunk in, or say why not.

        Args:
            steps: The chunk.
            now_s: Clock time.
            path_at: Path time of a clock time.
            seam_path_s: Path time from which on the chunk is followed.

        Raises:
            StepsError: for a chunk no curve can be drawn through.
        """
        merged = steps if self._ensemble is None else self._ensemble.merge(steps)
        return self.timeline.offer(merged, now_s, stamp_path_s=path_at(steps.stamp_s), seam_path_s=seam_path_s)

    def show(self, path_s: float, speed: float) -> None:
        """Note where the setpoints are on the path, and how fast they go along it."""
        self._sample, self._speed = self.timeline.sample(path_s), speed
        self._resting = self.timeline.rests_from(path_s)
        if self._resting:
            self._missed.clear()
        while self._missed and self._missed[0][0] + PATH_SPACING_S < path_s:
            self._missed.popleft()

    def turn(self, path_s: float) -> None:
        """The path beyond this place is another from here on."""
        while self._missed and self._missed[-1][0] > path_s:
            self._missed.pop()

    def node(self, path_s: float, before_rad: Array) -> Array:
        """Arm joints (7,) at a path time, near those shortly before it."""
        if self.timeline.rests_from(path_s - PATH_SPACING_S):
            return before_rad
        value = self.timeline.value(path_s)
        if value is None:
            return before_rad
        self._notes.clear()
        q = self._solve(self._reachable(value), before_rad)
        if self._notes:
            self._missed.append((path_s, f"{self.side}: {'; '.join(self._notes)}"))
        return q

    def follow_hand(self, path_s: float) -> Array:
        """Hand setpoint on the way along the chunks, every second tick, shape (12,)."""
        value = self.timeline.value(path_s)
        fingers = self._fingers if value is None else self._hand.limits.clip(value[7:])
        gap, rate = self._fingers - self._hand.planned_rad, (fingers - self._fingers) / HAND_PERIOD_S
        self._fingers = fingers
        return self._hand.follow(gap, rate)

    def begin_ready(self) -> None:
        """Leave the chunks for a slow move to the open hand."""
        self._hand.set_speed(self._home_speed)

    def begin_lift(self, arm_rad: Array, path_s: float) -> None:
        """Rest at these arm joints (7,), and rise from here to the height of the ready posture."""
        up = self._base_from_arm[2, :3]
        start, ready = self._model.wrist_pose(arm_rad), self._model.wrist_pose(self.ready_rad)
        wanted_m = float(up @ (ready[:3, 3] - start[:3, 3]))
        room_m = float(self._box[1, 2] - (up @ start[:3, 3] + self._base_from_arm[2, 3]))
        self._lift = Lift.towards(start, up, min(wanted_m, room_m), path_s)
        self._missed.clear()

    def lift_node(self, path_s: float, before_rad: Array) -> Array:
        """Arm joints (7,) of the lift at a path time; where the arm cannot reach, the lift ends."""
        if self._lift is None or path_s - PATH_SPACING_S >= self._lift.end_s:
            return before_rad
        self._notes.clear()
        q = self._solve(self._lift.pose(path_s), before_rad)
        if self._notes:
            self._lift = None
            return before_rad
        return q

    def lifted(self, path_s: float) -> bool:
        """Whether the lift has ended at this path time."""
        return self._lift is None or path_s >= self._lift.end_s

    def brake_hand(self) -> Array:
        """Hand setpoint of one cycle towards rest, shape (12,): fingers stay as they are."""
        return self._hand.brake()

    def approach_ready(self) -> Array:
        """Hand setpoint of one cycle of that move, shape (12,)."""
        return self._hand.approach(open_hand(self._hand_kind))

    @property
    def hand_arrived(self) -> bool:
        """Whether that move has ended."""
        distance = np.abs(self._hand.position_rad - self._hand.limits.clip(open_hand(self._hand_kind))).max()
        return bool(distance < _ARRIVED_RAD and self._hand.at_rest)

    def _solve(self, target: Array, before_rad: Array) -> Array:
        """Arm joints (7,) of a wrist pose, near those before; notes what it misses."""
        q = before_rad
        for _ in range(_IK_ROUNDS):
            step = self._ik.step(q, target)
            q = step.position_rad
            if step.position_error_m < _EXACT_M and step.rotation_error_rad < _EXACT_RAD:
                break
        if step.missed_m > _MISSED_M or step.missed_rad > _MISSED_RAD:
            joints = [f"joint {i + 1}" for i in np.flatnonzero(step.limited)]
            why = f"{' and '.join(joints)} at the limit" if joints else "near a singularity"
            miss = f"{step.missed_m * 1e3:.0f} mm and {np.rad2deg(step.missed_rad):.1f} deg"
            self._notes.append(f"wrist {miss} from its target ({why})")
        return q

    def _blend_for(self, offset: Array, rate: Array) -> float:
        """Shortest change-over whose speed and, in motion, whose bend the arm can take.

        A fade goes at most at ``1.5 offset / T`` and bends at most by ``6 offset / T^2 + 4 rate / T``; joints do about
        what the wrist does over a lever. An arm at rest may begin any bend, as slowly as it takes.
        """
        gap_rad, gap_rad_s = _in_joints(offset), _in_joints(rate)
        blend_s = min(1.5 * gap_rad / self._top_rad_s, _LONGEST_BLEND_S)
        if self._resting:
            return blend_s
        bend = self._bend_rad_s2
        bent_s = (2 * gap_rad_s + (4 * gap_rad_s**2 + 6 * gap_rad * bend) ** 0.5) / bend
        return max(blend_s, min(float(bent_s) * self._speed, _LONGEST_BEND_S))

    def _reachable(self, value: Array) -> Array:
        """The target wrist pose (4, 4) with its position inside the box."""
        pose = _pose(value)
        wanted = self._base_from_arm[:3, :3] @ pose[:3, 3] + self._base_from_arm[:3, 3]
        allowed = np.minimum(np.maximum(wanted, self._box[0]), self._box[1])
        if (allowed != wanted).any():
            self._notes.append(f"workspace: target {np.abs(wanted - allowed).max() * 1e3:.0f} mm outside the box")
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


def _in_joints(change: Array) -> float:
    """About how far joints go for a change of a target (19,) [rad]."""
    return float(np.linalg.norm(change[:3])) / _LEVER_M + 2 * float(np.linalg.norm(change[3:7]))
