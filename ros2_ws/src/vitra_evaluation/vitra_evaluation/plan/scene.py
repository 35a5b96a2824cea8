"""Whether the robot can reach what a plan puts in front of it; nothing moves for that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import Calibration, calibration_path, load_calibration
from vitra_evaluation.errors import PlanError
from vitra_evaluation.plan.plan import Plan, Robot, Setting
from vitra_policy.errors import UnknownNameError
from vitra_safety.reachability import ReachDemands, check_reachability, grasp_hand_pose

Array = NDArray[np.float64]
Place = tuple[str, str, str, int]
"""(side, object, layout, seed); object and seed only matter in simulation."""

_PITCHES_RAD = tuple(float(np.deg2rad(deg)) for deg in (40.0, 55.0))
_YAWS_RAD = tuple(float(np.deg2rad(deg)) for deg in (10.0, -20.0, 40.0))


def check_scene(plan: Plan, path: Path | str) -> None:
    """Refuse unknown simulator tasks and layouts out of the arm's reach.

    Raises:
        PlanError: every setting that cannot be, with its line.
    """
    calibration = load_calibration(calibration_path(plan.calibration))
    simulated = plan.robot is Robot.SIM
    places: dict[Place, tuple[int, Setting]] = {}
    for setting in plan.settings():
        cell = plan.cells[setting.cell]
        place = (plan.task(cell.task).side, setting.thing if simulated else "", setting.layout, setting.seed)
        places.setdefault(place, (cell.line, setting))
    candidates = {place: _wrist_poses(plan, calibration, place[0], setting) for place, (_, setting) in places.items()}
    verdicts = _judge(candidates, calibration)
    problems = [
        (line, f"'{setting.thing}' in layout '{setting.layout}': {verdicts[place]}")
        for place, (line, setting) in places.items()
        if verdicts[place]
    ]
    if problems:
        raise PlanError(path, list(dict.fromkeys(problems)))


def _judge(candidates: dict[Place, list[Array] | str], calibration: Calibration) -> dict[Place, str]:
    """What is wrong with each setting; one pose that is reached is enough."""
    verdicts = {}
    for side in sorted({setting[0] for setting in candidates}):
        mine = {s: poses for s, poses in candidates.items() if s[0] == side}
        reports = iter(
            check_reachability(
                side,
                calibration,
                [p for c in mine.values() if not isinstance(c, str) for p in c],
                demands=ReachDemands(restarts=4),
            ).poses
        )
        for setting, poses in mine.items():
            if isinstance(poses, str):
                verdicts[setting] = poses
                continue
            tries = [next(reports) for _ in poses]
            miss_mm = 1e3 * min(t.position_error_m for t in tries)
            verdicts[setting] = (
                ""
                if any(t.reached for t in tries)
                else f"out of reach: the {side} arm cannot grasp there, its best try ends {miss_mm:.0f} mm away. "
                "Move the object closer, or give it to the other arm"
            )
    return verdicts


def _wrist_poses(plan: Plan, calibration: Calibration, side: str, setting: Setting) -> list[Array] | str:
    """Wrist poses that would grasp it, or why there are none."""
    if plan.robot is Robot.SIM:
        return _sim_wrist_poses(plan.object(setting.thing).sim_task, setting.seed, side, calibration)
    point = plan.layout(setting.layout).point_m
    assert point is not None
    mount = calibration.side(side).hand_base_from_hand_mount
    return [grasp_hand_pose(side, point, pitch, yaw) @ mount for pitch in _PITCHES_RAD for yaw in _YAWS_RAD]


def _sim_wrist_poses(sim_task: str, seed: int, side: str, calibration: Calibration) -> list[Array] | str:
    from vitra_sim.expert.grasp import base_from_wrist, plan_grasp
    from vitra_sim.scene.layout import LayoutError, make_layout
    from vitra_sim.scene.objects import yaw_pose
    from vitra_sim.tasks.tasks import get_task

    try:
        task = get_task(sim_task)
        target = make_layout(task, seed).target
    except (UnknownNameError, LayoutError) as error:
        return str(error)
    if task.side != side:
        return f"simulator task '{sim_task}' is for the {task.side} hand, the plan's task for the {side} one"
    pose = yaw_pose(target.position_m, target.yaw_rad)
    grasp = plan_grasp(task.side, task.kind, pose, np.asarray(target.spec.half_extents_m))
    return [base_from_wrist(calibration, grasp, pose[:3, 3], grasp.yaw_rad)]
