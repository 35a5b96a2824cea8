"""A driver over a link that only remembers, stepped by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from realman_driver import frames
from realman_driver.arm_driver import ArmDriver
from realman_driver.frames import Operation
from realman_driver.link import LinkState
from realman_driver.parameters import Parameters
from vitra_description.postures import home
from vitra_safety.setpoint_stream import Beginning, SetpointStream

PERIOD_S = 0.005
HOME = home("right")


class RememberingLink:
    def __init__(self) -> None:
        self.state = LinkState.UP
        self.problem = self.stalled = ""
        self.streamed: list[np.ndarray] = []
        self.requests: list[Operation] = []
        self.begins = 0

    def stream(self, position_rad: Sequence[float], *, judged_s: float, begins: Beginning = Beginning.NONE) -> bool:
        self.begins += bool(begins)
        self.streamed.append(np.array(position_rad))
        return True

    def request(self, operation: Operation) -> bool:
        self.requests.append(operation)
        return True


class Bench:
    """A driver, its arm (which is where it was told to be) and its surroundings, stepped by hand."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.link = RememberingLink()
        params = Parameters()
        stream = SetpointStream(params.guard, (), params.freshness, params.rest_error_rad)
        self.driver = ArmDriver(self.link, stream, tracking_limit_rad=params.tracking_error_rad)
        self.measured_rad = HOME.copy()
        self.goal_rad = HOME.copy()
        self.epoch, self.sequence = 1, 0
        self.errors: tuple[int, ...] = ()
        self.enabled, self.status = 127, 5
        self.feeding = self.permitting = self.commanding = self.follows = True

    def feedback(self) -> frames.Feedback:
        position_deg = tuple(np.rad2deg(self.measured_rad).tolist())
        zeros = (0,) * 7
        return frames.Feedback(
            0, self.now_s, 0, 0, self.status, position_deg, zeros, zeros, self.enabled, self.errors, ()
        )

    def command(self, position_rad: Sequence[float] | np.ndarray, age_s: float = 0.001, epoch: int | None = None):
        self.sequence += 1
        epoch = self.epoch if epoch is None else epoch
        return self.driver.on_command(position_rad, sequence=self.sequence, epoch=epoch, age_s=age_s, now_s=self.now_s)

    def run(self, seconds: float, speed_rad_s: float = 0.0) -> None:
        for _ in range(round(seconds / PERIOD_S)):
            self.now_s += PERIOD_S
            if self.permitting:
                self.driver.on_permit(self.epoch, True, self.now_s)
            if self.follows and self.link.streamed:
                self.measured_rad = self.link.streamed[-1]
            if self.feeding:
                self.driver.on_feedback(self.feedback())
            if self.commanding:
                self.goal_rad = self.goal_rad + np.eye(7)[0] * speed_rad_s * PERIOD_S
                self.command(self.goal_rad)
            self.driver.tick(self.now_s)

    def speed_up(self, speed_rad_s: float = 0.5) -> None:
        """Reach a speed within the acceleration limit."""
        self.run(0.05)
        for share in np.linspace(0.0, 1.0, 21)[1:]:
            self.run(PERIOD_S, speed_rad_s * share)
