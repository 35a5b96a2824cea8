"""What the controller holds outlives the driver: an arm under load goes on from there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from arm_bench import HOME, Bench

from realman_driver.arm_driver import ArmDriver, DriverStatus
from realman_driver.parameters import Parameters
from vitra_runtime.held_memory import RECALL_WITHIN_S, HeldMemory
from vitra_safety.setpoint_stream import SetpointStream


class SaggingBench(Bench):
    """An arm that load keeps 0.9 deg below what its controller holds; its driver can be started again."""

    SAG_RAD = np.eye(7)[1] * np.deg2rad(0.9)

    def __init__(self, memory: HeldMemory | None) -> None:
        super().__init__()
        self._memory, self.held_rad = memory, HOME.copy()
        self.restart()

    def restart(self) -> None:
        if self.link.streamed:
            self.held_rad = self.link.streamed[-1]
        self.link.streamed.clear()
        params = Parameters()
        stream = SetpointStream(params.guard, (), params.freshness, params.rest_error_rad)
        self.driver = ArmDriver(
            self.link, stream, tracking_limit_rad=params.tracking_error_rad, memory=self._memory
        )  # fmt: skip
        self.follows, self.commanding, self.permitting = False, False, False
        self.epoch, self.sequence = self.epoch + 1, 0

    def move_a_little(self) -> None:
        """The executor's way: re-armed, it begins at what is held, or where that is unknown, at what is measured."""
        self.measured_rad = self.held_rad - self.SAG_RAD
        self.run(0.1)
        self.permitting = True
        self.run(0.05)
        held_rad = np.array(self.driver.held_rad)
        self.goal_rad, self.commanding = held_rad if held_rad.size else self.measured_rad, True
        self.run(0.1)
        assert self.driver.status is DriverStatus.MOVING


def test_an_arm_under_load_does_not_sink_by_restarts_of_its_driver(tmp_path: Path) -> None:
    bench = SaggingBench(HeldMemory("arm", 7, tmp_path))
    bench.move_a_little()
    before_rad = bench.link.streamed[-1]
    for _ in range(9):
        bench.restart()
        bench.move_a_little()
        np.testing.assert_allclose(bench.link.streamed, [before_rad] * len(bench.link.streamed), atol=1e-9)


def test_what_is_held_is_not_taken_over_where_the_arm_was_led_away_or_has_stopped_by_itself(tmp_path: Path) -> None:
    bench = SaggingBench(HeldMemory("arm", 7, tmp_path))
    bench.move_a_little()
    bench.restart()
    bench.measured_rad = bench.measured_rad - np.deg2rad(2.0)
    bench.run(0.1)
    assert bench.driver.held_rad == []
    bench.move_a_little()
    bench.restart()
    bench.errors = (0x100D,)
    bench.run(0.1)
    assert bench.driver.held_rad == []


def test_a_driver_that_was_away_for_long_begins_where_the_arm_is(tmp_path: Path) -> None:
    bench = SaggingBench(HeldMemory("arm", 7, tmp_path))
    bench.move_a_little()
    bench.restart()
    bench.now_s += RECALL_WITHIN_S
    bench.run(0.1)
    assert bench.driver.held_rad == []
