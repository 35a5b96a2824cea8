"""Sends both wrists to random places, half of them one place for both, and measures how near the robot's shapes come.

python ros2_ws/src/vitra_control/benchmarks/two_arm_targets.py --targets 200000 --out runs/bench/two_arm_targets.json
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from vitra_control.generator import SetpointGenerator
from vitra_control.setpoints import Feedback, PermitSample
from vitra_control.settings import ARM_PERIOD_S, GeneratorSettings
from vitra_control.side import SideExecutor
from vitra_description.calibration import default_calibration
from vitra_description.kinematics import ArmModel
from vitra_description.postures import home, open_hand
from vitra_policy.action_space import SIDES, Side
from vitra_policy.chunks.curve import TimedSteps
from vitra_policy.transforms import invert_pose, matrix_from_rotvec, quaternion_from_matrix
from vitra_safety.collision import CollisionModel

_LOWER_M, _UPPER_M = np.array([0.15, -0.3, 0.78]), np.array([0.6, 0.3, 1.3])
_SEED_TICKS = 60
_TARGETS_PER_RUN = 200
_ELSEWHERE = 0.15
"""Share of targets that lie somewhere else; the others are near the ones before, so that the arms get there."""


@dataclass(frozen=True)
class Args:
    """Random targets of both arms."""

    targets: int = 2000
    """How many pairs of targets."""
    seed: int = 0
    """Seed of the first run; a run has 200 targets and a speed limit of its own."""
    out: Path = Path("runs/bench/two_arm_targets.json")
    """Where the figures go."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it.

    Attributes:
        targets: Pairs of targets sent.
        overlaps: Targets on the way to which two shapes overlapped.
        nearest_mm: Smallest distance of any two shapes.
        held: Times the arms slowed down or held because of what was ahead.
        mean_travel_rad: Mean way of the joints (norm over 14) per target: the arms do move.
        cpu_s: Processor time.
    """

    targets: int
    overlaps: int
    nearest_mm: float
    held: int
    mean_travel_rad: float
    cpu_s: float


class TwoArms:
    """A generator whose arms are exactly where it puts them."""

    def __init__(self, settings: GeneratorSettings) -> None:
        calibration = default_calibration()
        self._joints = {side: home(side) for side in SIDES}
        sides = {side: SideExecutor(side, calibration, settings) for side in SIDES}
        self.generator = SetpointGenerator(sides, settings, lambda side: Feedback(self._joints[side], open_hand(), 0.0))
        self.now_s = 0.0
        for _ in range(_SEED_TICKS):
            self.tick()

    def tick(self) -> None:
        """One cycle."""
        self.now_s += ARM_PERIOD_S
        setpoints = self.generator.tick(self.now_s, PermitSample(1, True, self.now_s))
        if setpoints is not None:
            self._joints = setpoints.arms

    @property
    def position_rad(self) -> np.ndarray:
        """Joints of both arms, shape (14,)."""
        return np.concatenate([self._joints[side] for side in SIDES])


def run(seed: int, targets: int) -> Iterator[tuple[float, float, int]]:
    """For each target: nearest distance [m], way of the joints [rad], holds so far."""
    rng, calibration = np.random.default_rng(seed), default_calibration()
    settings = GeneratorSettings(speed=float(rng.uniform(0.3, 1.8)))
    robot, model = TwoArms(settings), CollisionModel(calibration, table_height_m=settings.table_height_m)
    orientation = {s: ArmModel(side=calibration.side(s)).wrist_pose(home(s))[:3, :3] for s in SIDES}
    arm_from_base = {s: invert_pose(calibration.side(s).base_from_arm_base) for s in SIDES}

    def target(side: Side, place_m: np.ndarray) -> np.ndarray:
        rotation = matrix_from_rotvec(rng.normal(0, 0.4, 3)) @ orientation[side]
        position = (arm_from_base[side] @ np.array([*place_m, 1.0]))[:3]
        return np.concatenate([position, quaternion_from_matrix(rotation), open_hand()])

    places: dict[Side, np.ndarray] = {}
    for sequence in range(1, targets + 1):
        step_s, meet_m = float(rng.uniform(0.02, 0.1)), rng.uniform(_LOWER_M, _UPPER_M)
        if not places or rng.random() < _ELSEWHERE:
            places = {s: meet_m if rng.random() < 0.5 else rng.uniform(_LOWER_M, _UPPER_M) for s in SIDES}
        else:
            places = {s: place + rng.normal(0, 0.02, 3) for s, place in places.items()}
        rows = {side: np.tile(target(side, places[side]), (16, 1)) for side in SIDES}
        robot.generator.offer({s: TimedSteps(sequence, robot.now_s, step_s, rows[s]) for s in SIDES}, robot.now_s)
        least_m, travel_rad, before = np.inf, 0.0, robot.position_rad
        for tick in range(int(rng.choice([8, 16, 60], p=[0.5, 0.35, 0.15]))):
            robot.tick()
            if tick % 4 == 3:
                travel_rad += float(np.linalg.norm(robot.position_rad - before))
                before = robot.position_rad
                least_m = min(least_m, model.distance_m(before))
        yield least_m, travel_rad, robot.generator.holds


def measure(args: Args) -> Figures:
    """All runs, with a progress bar; figures are written after every run, so that a long one may be broken off."""
    began_s = time.process_time()
    nearest, travel, held, overlaps, done = np.inf, 0.0, 0, 0, 0
    figures = Figures(0, 0, 0.0, 0, 0.0, 0.0)
    runs = -(-args.targets // _TARGETS_PER_RUN)
    for k in track(range(runs), console=Console(stderr=True), description="targets"):
        holds = 0
        for least_m, travel_rad, holds_so_far in run(args.seed + k, min(_TARGETS_PER_RUN, args.targets - done)):
            nearest, travel, overlaps = min(nearest, least_m), travel + travel_rad, overlaps + (least_m <= 0.0)
            holds, done = holds_so_far, done + 1
        held += holds
        cpu_s = round(time.process_time() - began_s, 1)
        figures = Figures(done, overlaps, round(nearest * 1e3, 2), held, round(travel / done, 4), cpu_s)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(asdict(figures), indent=2) + "\n")
    return figures


def main() -> int:
    """Entry point; 0 if nothing overlapped."""
    figures = measure(tyro.cli(Args, description=__doc__))
    sys.stdout.write(json.dumps(asdict(figures), indent=2) + "\n")
    return 0 if figures.overlaps == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
