"""Where things are in the middle of an expert's plan that nobody played: what is held, poured or swept by then."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import Side
from vitra_policy.transforms import invert_pose
from vitra_sim.expert.motion import Phase, Plan
from vitra_sim.expert.scene import Scene
from vitra_sim.scene.objects import BRUSH_HEAD_HALF_M, PlacedObject, yaw_pose
from vitra_sim.scene.table import TABLE_HEIGHT_M
from vitra_sim.scene.world import World
from vitra_sim.tasks.tasks import Goal

Array = NDArray[np.float64]

_HELD = (Phase.LIFT, Phase.CARRY, Phase.POUR, Phase.SWEEP, Phase.RETURN, Phase.LOWER)
_LET_GO = (Phase.RELEASE, Phase.RETREAT)
_SPILLS_RAD = np.deg2rad(80.0)  # a cup that is tilted more has lost its balls
_BALL_EVERY_M, _BALL_JITTER_M = 0.055, 0.016
_FREE = 1.15  # cubes lie this many times their size apart


def target_pose(scene: Scene, plan: Plan, time_s: float, wrist: Array) -> Array | None:
    """Pose (4, 4) of the target at a time of the plan; None: it is where it stood.

    Args:
        scene: Before the plan began.
        plan: The plan.
        time_s: How far it is.
        wrist: Pose (4, 4) of the wrist by then, on the path or near it.
    """
    phase = plan.phase(time_s)
    if phase in _LET_GO:
        wrist = plan.at(np.array([plan.begin_s(Phase.RELEASE)]))[0][0]
    elif phase not in _HELD:
        return None
    at_object = scene.wrist_for(scene.object_pose[:3, 3], scene.grasp.yaw_rad)
    return np.asarray(wrist @ invert_pose(at_object) @ scene.object_pose)


def moved_objects(
    world: World, scene: Scene, plan: Plan, time_s: float, target: Array | None, rng: np.random.Generator
) -> dict[str, Array]:
    """Poses (4, 4), by name, of what is not where it stood.

    Args:
        world: At the start.
        scene: The same, as the expert saw it.
        plan: The plan.
        time_s: How far it is.
        target: Pose (4, 4) of the target by then; None: not moved.
        rng: Source of chance.
    """
    if target is None:
        return {}
    moved = {scene.task.target: target}
    pieces = world.layout.judged
    if scene.task.goal is Goal.POURED:
        spilt = target[2, 2] < np.cos(_SPILLS_RAD) or time_s >= plan.begin_s(Phase.RETURN)
        moved |= _in_box(world, pieces, rng) if spilt else _in_cup(world, pieces, target)
    elif scene.task.goal is Goal.SWEPT and time_s >= plan.begin_s(Phase.SWEEP):
        moved |= _pushed(world, pieces, target, scene.task.side)
    return moved


def _in_cup(world: World, balls: tuple[PlacedObject, ...], cup: Array) -> dict[str, Array]:
    now = world.object_poses()
    cup_from_base = invert_pose(now[world.layout.target.spec.name])
    return {ball.spec.name: cup @ cup_from_base @ now[ball.spec.name] for ball in balls}


def _in_box(world: World, balls: tuple[PlacedObject, ...], rng: np.random.Generator) -> dict[str, Array]:
    box, poses = world.layout.box, {}
    for index, ball in enumerate(balls):
        row, column = divmod(index, 3)
        cell_m = _BALL_EVERY_M * np.array([row - 0.5, column - 1.0])
        x, y = box.position_m[:2] + cell_m + rng.uniform(-_BALL_JITTER_M, _BALL_JITTER_M, 2)
        z = box.position_m[2] + box.wall_m + ball.spec.half_extents_m[2]
        poses[ball.spec.name] = yaw_pose((float(x), float(y), z), 0.0)
    return poses


def _pushed(world: World, cubes: tuple[PlacedObject, ...], brush: Array, side: Side) -> dict[str, Array]:
    """Cubes that the brush has met lie against it or against each other, turned as it is."""
    along = brush[:2, 0] / np.linalg.norm(brush[:2, 0])
    ahead = np.array([-along[1], along[0]])
    ahead *= np.sign(ahead[1]) * (1.0 if side is Side.RIGHT else -1.0)
    yaw_rad = float(np.arctan2(along[1], along[0]))
    now, poses = world.object_poses(), {}
    lying: list[tuple[float, float]] = []
    offsets = {cube.spec.name: now[cube.spec.name][:2, 3] - brush[:2, 3] for cube in cubes}
    half_m = cubes[0].spec.half_extents_m[2]
    for name, offset in sorted(offsets.items(), key=lambda item: float(item[1] @ ahead)):
        beside, before = float(offset @ along), float(offset @ ahead)
        free = max(before, BRUSH_HEAD_HALF_M[1] + _FREE * half_m)
        for other_beside, other_before in lying:
            if abs(other_beside - beside) < 2 * _FREE * half_m:
                free = max(free, other_before + 2 * _FREE * half_m)
        lying.append((beside, free))
        if free > before:
            x, y = brush[:2, 3] + beside * along + free * ahead
            poses[name] = yaw_pose((float(x), float(y), TABLE_HEIGHT_M + half_m), yaw_rad)
    return poses
