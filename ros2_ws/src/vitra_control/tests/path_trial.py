"""Random chunks through the generator, and how far the setpoints' wrist is from the path that was planned."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from fake_robot import FakeRobot

from vitra_control.planned_path import PlannedPath
from vitra_control.settings import ARM_PERIOD_S, GeneratorSettings
from vitra_description.postures import open_hand
from vitra_policy.action_space import Side
from vitra_policy.chunks.curve import TimedSteps
from vitra_policy.transforms import (
    matrix_from_rotvec,
    quaternion_from_matrix,
)

STEPS = 16


@dataclass(frozen=True, slots=True)
class Trial:
    """What is sent: chunks of one wandering path, each with its own small error, later than observed.

    Attributes:
        seed: Of the path and the errors.
        speed: Speed limit of the executor.
        chunk_hz: Chunks per second.
        delay_s: From observation to arrival.
        wrist_m_s: About how fast the wrist is to go.
        error_m: Size of each chunk's own error.
    """

    seed: int
    speed: float
    chunk_hz: float
    delay_s: float
    wrist_m_s: float
    error_m: float = 0.0

    @staticmethod
    def random(seed: int) -> Trial:
        """One of everything that must be kept to."""
        rng = np.random.default_rng(seed)
        return Trial(
            seed,
            speed=float(rng.uniform(0.3, 1.8)),
            chunk_hz=float(rng.uniform(2.0, 30.0)),
            delay_s=float(rng.uniform(0.0, 0.3)),
            wrist_m_s=float(rng.uniform(0.05, 0.5)),
            error_m=float(rng.choice([0.0, 0.001, 0.003])),
        )


@dataclass(frozen=True, slots=True)
class Deviation:
    """What came of it; distances leave out places where inverse kinematics named a limit.

    Attributes:
        chunks: Chunks sent.
        distance_m: Largest distance of the wrist from the planned path.
        rotation_rad: Largest rotation from it, at the place nearest to the wrist.
        slowest: Lowest speed along the path: below 1, joints were at their limits.
        velocity: Largest joint velocity over its limit.
        acceleration: Same.
        jerk: Same.
        named: Share of ticks at which a limit was named.
        refused: What the drivers' guards refused.
    """

    chunks: int
    distance_m: float
    rotation_rad: float
    slowest: float
    velocity: float
    acceleration: float
    jerk: float
    named: float
    refused: dict[str, int]


class Wander:
    """A smooth path of the wrist about a pose, at rest at its beginning."""

    def __init__(self, start: np.ndarray, wrist_m_s: float, rng: np.random.Generator) -> None:
        self._start = start
        self._move = rng.normal(0, 1, (3, 3))
        self._move *= 0.07 / np.abs(self._move).sum(axis=0).max()
        self._turn = rng.normal(0, 1, (3, 3))
        self._turn *= 0.25 / np.abs(self._turn).sum(axis=0).max()
        self._rate = rng.uniform(0.5, 1.0, 3) * wrist_m_s / 0.07
        self._phase = rng.uniform(0, 2 * np.pi, 3)

    def values(self, times_s: np.ndarray) -> np.ndarray:
        """Targets (n, 19) at times (n,)."""
        wave = np.sin(np.multiply.outer(times_s, self._rate) + self._phase) - np.sin(self._phase)
        wave *= (1 - np.exp(-4 * np.maximum(times_s, 0.0) ** 2))[:, None]
        rotation = matrix_from_rotvec(wave @ self._turn) @ self._start[:3, :3]
        fingers = np.tile(open_hand(), (len(times_s), 1))
        return np.concatenate(
            [self._start[:3, 3] + wave @ self._move, quaternion_from_matrix(rotation), fingers], axis=1
        )


def run(trial: Trial, duration_s: float = 1.5) -> Deviation:
    """Execute a trial and measure."""
    rng = np.random.default_rng(trial.seed)
    made = FakeRobot(settings=GeneratorSettings(speed=trial.speed, table_height_m=None))
    made.arm_and_settle()
    generator, side = made.generator, made.generator.sides[Side.RIGHT]
    wander, planned = Wander(made.wrist(), trial.wrist_m_s, rng), PlannedPath()
    began_s, next_s, step_s = made.now_s, made.now_s, max(1 / 15, 1.3 / trial.chunk_hz / STEPS)
    on_the_way: deque[tuple[float, TimedSteps]] = deque()
    joints, far, turned, speeds, named, chunks = [], 0.0, 0.0, [1.0], 0, 0
    for _ in range(round(duration_s / ARM_PERIOD_S)):
        if made.now_s >= next_s - 1e-9:
            chunks, next_s = chunks + 1, next_s + 1 / trial.chunk_hz
            seen_s = made.now_s - began_s - generator.lag_s  # a policy sees how far the arm has come
            values = wander.values(seen_s + step_s * np.arange(1, STEPS + 1))
            values[:, :3] += rng.normal(0, 1, 3) * trial.error_m
            on_the_way.append((made.now_s + trial.delay_s, TimedSteps(chunks, made.now_s, step_s, values)))
        while on_the_way and on_the_way[0][0] <= made.now_s + 1e-9:
            generator.offer({Side.RIGHT: on_the_way.popleft()[1]}, made.now_s)
        made.run(ARM_PERIOD_S)
        planned.add(side.timeline.value(generator.path_s))
        joints.append(generator.arm_rad(Side.RIGHT))
        speeds.append(generator.speed)
        if side.limit:
            named += 1
            continue
        distance_m, rotation_rad = planned.deviation(
            made.models[Side.RIGHT].wrist_pose(joints[-1]), 0.002, np.deg2rad(0.5)
        )
        far, turned = max(far, distance_m), max(turned, rotation_rad)
    limits, settings = made.settings.arm_limits, made.settings
    velocity = np.diff(joints, axis=0) / ARM_PERIOD_S
    acceleration = np.diff(velocity, axis=0) / ARM_PERIOD_S
    jerk = np.diff(acceleration, axis=0) / ARM_PERIOD_S
    return Deviation(
        chunks=chunks,
        distance_m=far,
        rotation_rad=turned,
        slowest=min(speeds),
        velocity=float((np.abs(velocity) / limits.velocity_rad_s).max()),
        acceleration=float((np.abs(acceleration) / limits.acceleration_rad_s2).max()),
        jerk=float(np.abs(jerk).max() / settings.arm_jerk_rad_s3),
        named=named / len(joints),
        refused=made.refused,
    )
