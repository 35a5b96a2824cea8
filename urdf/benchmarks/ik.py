"""Times and errors of the differential IK against pink + quadprog, and the cost of guard and collision checks; JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pinocchio as pin
import tyro
from numpy.typing import NDArray

from vitra_description.calibration import default_calibration
from vitra_description.description import arm_urdf
from vitra_description.ik import DifferentialIk, pose_error
from vitra_description.kinematics import ArmModel
from vitra_description.limits import ARM_TELEOP_LIMITS
from vitra_description.postures import home
from vitra_policy.transforms import make_pose, matrix_from_rotvec
from vitra_safety.collision import CollisionModel
from vitra_safety.guard import ARM_GUARD, CommandGuard
from vitra_safety.posture_checks import arm_posture_checks

Array = NDArray[np.float64]
Step = Callable[[Array, Array], Array]
PERIOD_S = 0.005


@dataclass
class Config:
    """Benchmark of the arm's kinematics."""

    out: Path = Path("runs/bench/ik.json")
    """Where the figures go."""
    ticks: int = 1000
    """Control ticks per path."""


def paths(arm: ArmModel, ticks: int) -> dict[str, tuple[Array, list[Array]]]:
    """Start posture and wrist targets of each path."""
    q = home("right")
    stretched = q.copy()
    stretched[3] = 0.1
    near = q.copy()
    near[5] = ARM_TELEOP_LIMITS.lower_rad[5] + 0.15
    phase = np.linspace(0, 2 * np.pi, ticks)
    result = {}
    for name, start, size, away_m in (
        ("nominal", q, 0.04, 0.0),
        ("near_limits", near, 0.03, 0.0),
        ("straight_elbow", stretched, 0.03, 0.0),
        ("out_of_reach", q, 0.0, 0.3),
    ):
        pose = arm.wrist_pose(start)
        outward = pose[:3, 3] - np.array([0.0, 0.0, 0.2405])  # away from the shoulder
        outward /= np.linalg.norm(outward)
        targets = []
        for t in phase:
            offset = np.array([np.sin(t), np.sin(2 * t) / 2, np.cos(t) - 1]) * size + outward * away_m * np.sin(t / 2)
            turn = matrix_from_rotvec(np.array([0.0, 0.3, 0.2]) * np.sin(t) * (size > 0))
            targets.append(np.asarray(make_pose(pose[:3, 3] + offset, turn @ pose[:3, :3])))
        result[name] = (start, targets)
    return result


def pink_step(arm: ArmModel, tool: Array) -> Step:
    """The same step as a quadratic program of pink, solved by quadprog."""
    import pink
    from pink.tasks import FrameTask, PostureTask

    model = pin.buildModelFromUrdf(str(arm_urdf()))
    model.velocityLimit[:] = ARM_TELEOP_LIMITS.velocity_rad_s
    model.lowerPositionLimit[:] = ARM_TELEOP_LIMITS.lower_rad
    model.upperPositionLimit[:] = ARM_TELEOP_LIMITS.upper_rad
    configuration = pink.Configuration(model, model.createData(), home("right"))
    wrist = FrameTask("ee", position_cost=1.0, orientation_cost=1.0, lm_damping=1e-6)
    posture = PostureTask(cost=1e-3, gain=0.02)
    posture.set_target(home("right"))
    inverse = np.linalg.inv(tool)

    def step(q: Array, target: Array) -> Array:
        configuration.update(q)
        wrist.set_target(pin.SE3(target @ inverse))
        velocity = pink.solve_ik(configuration, [wrist, posture], PERIOD_S, solver="quadprog")
        return np.asarray(q + velocity * PERIOD_S)

    return step


def follow(arm: ArmModel, start: Array, targets: list[Array], step: Step) -> dict[str, float]:
    """Errors and times along one path."""
    q, errors, seconds, speed = start.copy(), [], [], 0.0
    for target in targets:
        began = time.perf_counter()
        after = step(q, target)
        seconds.append(time.perf_counter() - began)
        speed = max(speed, float(np.max(np.abs(after - q) / PERIOD_S / ARM_TELEOP_LIMITS.velocity_rad_s)))
        q = after
        errors.append(pose_error(arm.wrist_pose(q), target))
    error = np.array(errors)
    p50, p99 = np.percentile(np.array(seconds) * 1e6, [50, 99])
    return {
        "position_error_max_mm": float(np.linalg.norm(error[:, :3], axis=1).max() * 1e3),
        "rotation_error_max_deg": float(np.rad2deg(np.linalg.norm(error[:, 3:], axis=1).max())),
        "velocity_share_max": speed,
        "time_p50_us": float(p50),
        "time_p99_us": float(p99),
    }


def cost_us(call: Callable[[int], object], repeats: int = 2000) -> dict[str, float]:
    """Median and 99th percentile of a call, microseconds."""
    seconds = []
    for i in range(repeats):
        began = time.perf_counter()
        call(i)
        seconds.append(time.perf_counter() - began)
    p50, p99 = np.percentile(np.array(seconds) * 1e6, [50, 99])
    return {"time_p50_us": float(p50), "time_p99_us": float(p99)}


def main(config: Config) -> None:
    """Run everything and write the figures."""
    calibration = default_calibration()
    side = calibration.right
    arm = ArmModel(side=side)
    ours = DifferentialIk(arm, home("right"))
    solvers: dict[str, Step] = {"dls": lambda q, target: ours.step(q, target).position_rad}
    solvers["pink_quadprog"] = pink_step(arm, side.ee_from_hand_mount)
    report: dict[str, object] = {
        name: {path: follow(arm, *run, step) for path, run in paths(arm, config.ticks).items()}
        for name, step in solvers.items()
    }
    q, both = home("right"), CollisionModel(calibration, table_height_m=0.75)
    pair = np.concatenate([home("left"), q])
    guard = CommandGuard(ARM_GUARD, arm_posture_checks("right", calibration, table_height_m=0.75))
    guard.rearm(1, q)

    def check(i: int) -> None:
        refusal = guard.check(q + 1e-3 * np.sin(i * 0.01), sequence=i, epoch=1, age_s=0.001, now_s=i * PERIOD_S)
        assert refusal is None, refusal

    report["collision_two_arms"] = cost_us(lambda i: both.closest(pair + 1e-3 * np.sin(i)))
    report["guard_check"] = cost_us(check)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    config.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Config))
