"""A reader's own copy of the running world, for rendering: model and positions out of shared memory."""

from __future__ import annotations

from typing import Any

import mujoco

from vitra_sim.realtime.shared_state import SharedState
from vitra_sim.scene.camera import HeadCamera


class SceneView:
    """The camera's own copy of the world's model, kept up to date.

    Args:
        camera: told when the model changes.
    """

    def __init__(self, camera: HeadCamera) -> None:
        self._camera = camera
        self._generation: int | None = None
        self.data: Any = None

    def show(self, state: SharedState) -> bool:
        """Take over a state; False if its model has gone already (the next state has another)."""
        if state.generation != self._generation:
            try:
                model = mujoco.MjModel.from_binary_path(str(state.model_path))
            except ValueError:
                return False
            self._camera.load(model)
            self._model, self.data, self._generation = model, mujoco.MjData(model), state.generation
        self.data.qpos[:] = state.qpos
        mujoco.mj_kinematics(self._model, self.data)
        mujoco.mj_camlight(self._model, self.data)
        return True
