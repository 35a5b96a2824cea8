"""A robot in memory that obeys through the drivers' own guarded streams, on a fake clock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vitra_control.generator import SetpointGenerator
from vitra_control.setpoints import Feedback, PermitSample, Setpoints
from vitra_control.settings import ARM_PERIOD_S, GeneratorSettings
from vitra_control.side import SideExecutor
from vitra_description.calibration import Calibration, default_calibration
from vitra_description.kinematics import ArmModel
from vitra_description.postures import home, open_hand
from vitra_policy.action_space import Side
from vitra_policy.chunks.curve import TimedSteps
from vitra_policy.transforms import quaternion_from_matrix
from vitra_safety.guard import ARM_GUARD, HAND_GUARD
from vitra_safety.setpoint_stream import SetpointStream

CALIBRATION = default_calibration()
STEP_S = 1 / 30


class FakeDevice:
    """Joints that are where the guarded stream puts them."""

    def __init__(self, guard, start: np.ndarray) -> None:
        self.stream = SetpointStream(guard)
        self.position = start.copy()
        self.sequence = 0
        self.sent: list[np.ndarray] = []
        self.lost = lambda: False

    @property
    def refused(self) -> dict[str, int]:
        return dict(self.stream.guard.refused)

    def permit(self, epoch: int, allowed: bool, now_s: float) -> None:
        self.stream.on_feedback(self.position, now_s)
        self.stream.on_permit(epoch, allowed, now_s)

    def command(self, position: np.ndarray, epoch: int, now_s: float) -> None:
        self.sequence += 1
        if self.lost():
            return
        self.stream.on_command(position, sequence=self.sequence, epoch=epoch, age_s=0.0, now_s=now_s)

    def tick(self, now_s: float) -> None:
        setpoint = self.stream.tick(now_s)
        if setpoint is not None:
            self.position = setpoint
        self.sent.append(self.position)
        self.stream.on_feedback(self.position, now_s)


class FakeRobot:
    """Generator, guarded devices and the clock."""

    def __init__(
        self,
        sides: Sequence[Side] = (Side.RIGHT,),
        settings: GeneratorSettings | None = None,
        calibration: Calibration = CALIBRATION,
    ) -> None:
        self.settings = settings or GeneratorSettings()
        self.now_s = 100.0
        self.arms = {side: FakeDevice(ARM_GUARD, home(side)) for side in sides}
        self.hands = {side: FakeDevice(HAND_GUARD, open_hand()) for side in sides}
        self.models = {side: ArmModel(side=CALIBRATION.side(side)) for side in sides}
        self.feedback_age_s = 0.0
        self.permit: PermitSample | None = None
        self.permit_stays_fresh = True
        self.generator = SetpointGenerator(
            {side: SideExecutor(side, calibration, self.settings) for side in sides}, self.settings, self.feedback
        )
        self.setpoints: list[Setpoints | None] = []

    def feedback(self, side: Side) -> Feedback | None:
        arm, hand = self.arms[side], self.hands[side]
        return Feedback(arm.position, hand.position, self.feedback_age_s, arm.stream.held_rad, hand.stream.held_rad)

    def allow(self, epoch: int = 1, allowed: bool = True) -> None:
        self.permit = PermitSample(epoch, allowed, self.now_s)

    def run(self, seconds: float, *, stalled: bool = False) -> None:
        """Let time pass; a stalled generator gets no ticks, the drivers do."""
        for _ in range(round(seconds / ARM_PERIOD_S)):
            self.now_s += ARM_PERIOD_S
            if self.permit is not None and self.permit_stays_fresh:
                self.permit = PermitSample(self.permit.epoch, self.permit.allowed, self.now_s)
                for device in (*self.arms.values(), *self.hands.values()):
                    device.permit(self.permit.epoch, self.permit.allowed, self.now_s)
            if not stalled:
                self._tick_generator()
            for arm in self.arms.values():
                arm.tick(self.now_s)
            for hand in self.hands.values():
                hand.tick(self.now_s)

    def _tick_generator(self) -> None:
        setpoints = self.generator.tick(self.now_s, self.permit)
        self.setpoints.append(setpoints)
        if setpoints is None:
            return
        for side, position in setpoints.arms.items():
            self.arms[side].command(position, setpoints.epoch, self.now_s)
        for side, position in setpoints.hands.items():
            self.hands[side].command(position, setpoints.epoch, self.now_s)

    def arm_and_settle(self) -> None:
        self.allow()
        self.run(0.3)

    @property
    def refused(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for device in (*self.arms.values(), *self.hands.values()):
            for reason, count in device.refused.items():
                total[reason] = total.get(reason, 0) + count
        return total

    def wrist(self, side: Side = Side.RIGHT) -> np.ndarray:
        return self.models[side].wrist_pose(self.arms[side].position)

    def chunk(
        self,
        velocity_m_s: Sequence[float] = (0.0, 0.0, 0.0),
        *,
        side: Side = Side.RIGHT,
        stamp_s: float | None = None,
        steps: int = 16,
        fingers: np.ndarray | None = None,
        sequence: int = 1,
        offset_m: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> dict[Side, TimedSteps]:
        """A straight line from where the wrist is, at constant speed."""
        pose = self.wrist(side)
        times = STEP_S * np.arange(1, steps + 1)[:, None]
        position = pose[:3, 3] + np.array(offset_m) + times * np.array(velocity_m_s)
        quaternion = np.tile(quaternion_from_matrix(pose[:3, :3]), (steps, 1))
        hand = np.tile(self.hands[side].position if fingers is None else fingers, (steps, 1))
        values = np.concatenate([position, quaternion, hand], axis=1)
        return {side: TimedSteps(sequence, self.now_s if stamp_s is None else stamp_s, STEP_S, values)}
