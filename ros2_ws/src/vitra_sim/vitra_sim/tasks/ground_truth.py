"""The world's ground truth in the words of an observation; only the expert and the judge may use it."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import Calibration
from vitra_policy.policies.policy import (
    BASE_FROM_CAMERA,
    SIM_OBJECT_NAMES,
    SIM_OBJECT_POSES,
    SIM_OBJECT_SIZES,
    SIM_SUCCESS,
    SIM_TASK,
    SIM_TIME_S,
    Extra,
)
from vitra_sim.scene.objects import yaw_pose
from vitra_sim.scene.scene import BOX_NAME
from vitra_sim.scene.world import World
from vitra_sim.tasks.judge import Verdict

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SceneTruth:
    """Objects, the task's own first, the box last.

    Attributes:
        names: Their names.
        poses: `base_from_object`, each (4, 4).
        sizes_m: Half extents; of the box those of its inside and half its height.
        verdict: How the episode stands.
    """

    names: list[str]
    poses: list[Array]
    sizes_m: list[tuple[float, float, float]]
    verdict: Verdict


def scene_truth(world: World) -> SceneTruth:
    """Ground truth of a world at rest or in this thread."""
    sizes = world.object_sizes()
    poses = world.object_poses()
    box = world.layout.box
    x, y, z = box.position_m
    half = (box.inner_half_m[0], box.inner_half_m[1], box.height_m / 2)
    return SceneTruth(
        [*poses, BOX_NAME],
        [*poses.values(), yaw_pose((x, y, z + half[2]), 0.0)],
        [*(sizes[name] for name in poses), half],
        world.verdict(),
    )


class GroundTruth:
    """Ground truth of a world that another thread is stepping, from copies of its state."""

    def __init__(self) -> None:
        self._copy: World | None = None
        self._of: World | None = None

    def read(self, world: World, qpos: Array, qvel: Array) -> SceneTruth:
        """Ground truth of the given state of the world.

        Args:
            world: Names of things and joints.
            qpos: Generalised positions (nq,).
            qvel: Generalised velocities (nv,).
        """
        if self._copy is None or self._of is not world:
            self._copy, self._of = world.with_own_data(), world
        data = self._copy.data
        data.qpos[:], data.qvel[:] = qpos, qvel
        mujoco.mj_kinematics(self._copy.model, data)
        mujoco.mj_comPos(self._copy.model, data)
        mujoco.mj_collision(self._copy.model, data)
        return scene_truth(self._copy)


def ground_truth_extras(world: World, calibration: Calibration) -> dict[str, Extra]:
    """Extras of an observation."""
    truth = scene_truth(world)
    return {
        BASE_FROM_CAMERA: calibration.base_from_head_camera,
        SIM_TIME_S: np.array(world.time_s),
        SIM_TASK: world.task.name,
        SIM_SUCCESS: np.array(truth.verdict.success),
        SIM_OBJECT_NAMES: np.array(truth.names),
        SIM_OBJECT_POSES: np.stack(truth.poses),
        SIM_OBJECT_SIZES: np.array(truth.sizes_m),
    }
