"""Motion of the controller double: pure, stepped by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vitra_sim.doubles.realman_kinematic import KinematicArm
from vitra_sim.doubles.realman_model import ErrorCode
from vitra_sim.doubles.realman_motion import ControllerMotion, Status

TICK_S = 0.005
START_DEG = [0.0, 20.0, 0.0, 40.0, 0.0, 30.0, 0.0]


class Bench:
    """A motion with its own clock."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.arm = KinematicArm(np.deg2rad(START_DEG), clock=lambda: self.now_s)
        self.motion = ControllerMotion(self.arm)

    def step(self, ticks: int = 1) -> None:
        for _ in range(ticks):
            self.now_s += TICK_S
            self.motion.step(TICK_S, self.now_s)

    def stream(self, joint: int, speed_deg_s: float, frames: int) -> int:
        """Pass frames through at a constant speed; how many were taken."""
        q = self.arm.target()
        taken = 0
        for _ in range(frames):
            self.step()
            q = q.copy()
            q[joint] += math.radians(speed_deg_s) * TICK_S
            taken += self.motion.pass_through(q, self.now_s)
        return taken


@pytest.fixture
def bench() -> Bench:
    return Bench()


def degrees(bench: Bench) -> np.ndarray:
    return np.rad2deg(bench.arm.target())


def target(**joints_deg: float) -> np.ndarray:
    q = np.array(START_DEG)
    for name, value in joints_deg.items():
        q[int(name[1:]) - 1] = value
    return np.deg2rad(q)


def test_a_stream_at_90_deg_s_passes_through_unchanged(bench: Bench) -> None:
    assert bench.stream(0, 90.0, 100) == 100
    assert degrees(bench)[0] == pytest.approx(45.0)
    assert bench.motion.status is Status.THROUGH_JOINT
    assert not bench.motion.errors


def test_frames_bunched_by_the_network_are_taken(bench: Bench) -> None:
    bench.stream(0, 90.0, 20)
    q = bench.arm.target()
    for n in range(1, 6):
        assert bench.motion.pass_through(q + np.eye(7)[0] * math.radians(0.45 * n), bench.now_s + n * 1e-4)


def test_a_stream_above_the_joint_speed_is_refused_as_overspeed(bench: Bench) -> None:
    taken = bench.stream(0, 400.0, 60)
    assert taken < 60
    assert bench.motion.errors == [ErrorCode.JOINT_OVERSPEED]


def test_a_step_above_10_degrees_does_not_move_the_arm(bench: Bench) -> None:
    assert not bench.motion.pass_through(target(j1=12.0), 0.0)
    assert bench.motion.errors == [ErrorCode.JOINT_OVERSPEED]
    assert bench.arm.targets == 0


def test_an_arm_that_was_held_back_from_its_target_may_begin_where_it_is(bench: Bench) -> None:
    bench.arm.blocked = True
    bench.stream(0, 90.0, 60)
    bench.step(20)
    assert bench.motion.status is Status.IDLE
    assert degrees(bench)[0] == pytest.approx(27.0)
    assert bench.motion.pass_through(target(j1=0.1), bench.now_s)
    assert degrees(bench)[0] == pytest.approx(0.1)


@pytest.mark.parametrize("bad_deg", [178.1, -178.1, -2147483.648, math.nan, math.inf])
def test_a_target_beyond_a_limit_is_error_1002_and_does_not_move_the_arm(bench: Bench, bad_deg: float) -> None:
    assert not bench.motion.pass_through(target(j1=bad_deg), 0.0)
    assert bench.motion.errors == [ErrorCode.BEYOND_LIMIT]
    assert bench.arm.targets == 0


def test_the_next_good_command_clears_an_error_about_a_command(bench: Bench) -> None:
    bench.motion.pass_through(target(j1=200.0), 0.0)
    assert bench.motion.pass_through(target(j1=0.1), 0.005)
    assert not bench.motion.errors


def test_a_collision_stays_until_it_is_cleared(bench: Bench) -> None:
    bench.motion.raise_error(ErrorCode.COLLISION)
    assert not bench.motion.pass_through(target(j1=0.1), 0.0)
    bench.motion.clear_errors()
    assert bench.motion.pass_through(target(j1=0.1), 0.0)


def test_movej_arrives_within_the_speed_share_it_was_given(bench: Bench) -> None:
    arrived = []
    bench.motion.on_arrival = lambda: arrived.append(bench.now_s)
    assert bench.motion.plan(target(j1=30.0, j2=50.0), 0.2, more_to_come=False)
    speeds = []
    while not arrived and bench.now_s < 10.0:
        before = degrees(bench)
        bench.step()
        speeds.append(np.abs(degrees(bench) - before).max() / TICK_S)
    assert degrees(bench)[:2] == pytest.approx([30.0, 50.0])
    assert max(speeds) <= 36.0 + 1e-6
    assert 30.0 / 36.0 < arrived[0] < 1.2
    assert bench.motion.status is Status.IDLE


def test_a_paused_motion_rests_and_goes_on(bench: Bench) -> None:
    bench.motion.plan(target(j1=30.0), 0.5, more_to_come=False)
    bench.step(40)
    bench.motion.pause()
    bench.step(60)
    resting = degrees(bench)[0]
    bench.step(20)
    assert degrees(bench)[0] == resting
    assert 0.0 < resting < 30.0
    bench.motion.resume()
    bench.step(400)
    assert degrees(bench)[0] == pytest.approx(30.0)


@pytest.mark.parametrize("slow", [False, True])
def test_a_stop_brakes_within_the_acceleration_and_ends_the_motion(bench: Bench, slow: bool) -> None:
    bench.stream(0, 90.0, 40)
    began = degrees(bench)[0]
    bench.motion.stop(slow=slow)
    assert not bench.motion.pass_through(target(j1=began), bench.now_s)
    bench.step(80)
    allowed = 90.0**2 / (2 * 600.0 * (0.5 if slow else 1.0))
    assert bench.motion.status is Status.IDLE
    assert 0.0 < degrees(bench)[0] - began <= allowed + 0.5


def test_following_tracks_the_newest_target_within_limits(bench: Bench) -> None:
    bench.motion.follow(target(j1=20.0), 0.0)
    bench.step(10)
    bench.motion.follow(target(j1=-5.0), bench.now_s)
    bench.step(400)
    assert degrees(bench)[0] == pytest.approx(-5.0, abs=1e-3)
    assert bench.motion.status is Status.IDLE


def test_a_disabled_joint_refuses_motion(bench: Bench) -> None:
    bench.motion.enabled[3] = False
    assert not bench.motion.plan(target(j1=5.0), 0.5, more_to_come=False)
    assert bench.motion.errors == [ErrorCode.JOINT_DISABLED]


def test_in_simulation_mode_the_real_arm_stays(bench: Bench) -> None:
    bench.motion.real = False
    assert bench.motion.pass_through(target(j1=1.0), 0.0)
    assert bench.arm.targets == 0
