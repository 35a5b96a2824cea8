"""The world's ground truth in the words of an observation; only the expert and the judge may use it."""

from __future__ import annotations

import numpy as np

from vitra_description.calibration import Calibration
from vitra_policy.inference.policy import (
    BASE_FROM_CAMERA,
    SIM_OBJECT_NAMES,
    SIM_OBJECT_POSES,
    SIM_OBJECT_SIZES,
    SIM_SUCCESS,
    SIM_TASK,
    SIM_TIME_S,
    Extra,
)
from vitra_sim.objects import yaw_pose
from vitra_sim.scene import BOX_NAME
from vitra_sim.world import Array, World


def named_objects(world: World) -> list[tuple[str, Array, tuple[float, float, float]]]:
    """Name, `base_from_object` (4, 4) and half extents of every object, then of the box (its outer block)."""
    sizes = world.object_sizes()
    objects = [(name, pose, sizes[name]) for name, pose in world.object_poses().items()]
    box = world.layout.box
    x, y, z = box.position_m
    half = (box.inner_half_m[0], box.inner_half_m[1], box.height_m / 2)
    return [*objects, (BOX_NAME, yaw_pose((x, y, z + half[2]), 0.0), half)]


def ground_truth_extras(world: World, calibration: Calibration) -> dict[str, Extra]:
    """Extras of an observation."""
    names, poses, sizes = zip(*named_objects(world), strict=True)
    return {
        BASE_FROM_CAMERA: calibration.base_from_head_camera,
        SIM_TIME_S: np.array(world.time_s),
        SIM_TASK: world.task.name,
        SIM_SUCCESS: np.array(world.verdict().success),
        SIM_OBJECT_NAMES: np.array(names),
        SIM_OBJECT_POSES: np.stack(poses),
        SIM_OBJECT_SIZES: np.array(sizes),
    }
