"""The piece that is a pose: of a wrist, or of a tool fixed to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.mappings.part import AnswerRefusedError, LackingInputError, Plan, Situation
from vitra_policy.mappings.parts import MEANINGS, UNITS, OfSide
from vitra_policy.mappings.plausible import pose_fault
from vitra_policy.mappings.rotations import matrices_of, numbers_of
from vitra_policy.policies.policy import BASE_FROM_CAMERA
from vitra_policy.transforms import invert_pose, make_pose

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wrist(OfSide):
    """Pose of a wrist or of a tool fixed to it: place, then rotation."""

    frame: str
    rotation: str
    tool_from_wrist: Array

    def measure(self, now: Situation) -> Array:  # noqa: D102
        numbers: Array = self._numbers(self._tool(now.wrist(self.side), now)[None])[0]
        return numbers

    def decode(self, values: Array, now: Situation, plan: Plan) -> None:  # noqa: D102
        observed = self._tool(now.wrist(self.side), now)
        poses = self._poses(values, observed, self.scale, self.meaning)
        if fault := pose_fault(poses, observed, now.step_s):
            unit, other = ("mm", "m") if self.scale == UNITS["mm"] else ("m", "mm")
            for where, hint, scale, meaning in (
                (self.section.where("unit"), f"they would fit if they were {other}", UNITS[other], self.meaning),
                *((self.section.where("meaning"), f"they would fit as {m}", self.scale, m) for m in MEANINGS),
            ):
                if not pose_fault(self._poses(values, observed, scale, meaning), observed, now.step_s):
                    raise AnswerRefusedError(
                        f"{where}: the {self.side} wrist {fault} as {unit}, {self.meaning}; {hint}."
                    )
            raise AnswerRefusedError(
                f"{self.section.where('what')}: the {self.side} wrist {fault} as {unit}, {self.meaning}, in the "
                f"{self.frame} frame, rotations as {self.rotation}."
            )
        plan.wrists[self.side] = self._camera_from_frame(now) @ poses @ self.tool_from_wrist

    def encode(self, plan: Plan, now: Situation, steps: int) -> Array:  # noqa: D102
        poses = self._tool(plan.wrists[self.side][:steps], now)
        before = self._tool(now.wrist(self.side), now)
        match self.meaning:
            case "absolute":
                return self._numbers(poses)
            case "from_observation":
                return self._numbers(invert_pose(before) @ poses)
            case _:
                return self._numbers(invert_pose(np.concatenate([before[None], poses[:-1]])) @ poses)

    def believe(self, values: Array, now: dict[str, Array]) -> None:  # noqa: D102
        pose: Array = self._poses(values[None], np.eye(4), self.scale, "absolute")[0]
        now[f"{self.side}_wrist_in_{self.frame}"] = pose @ self.tool_from_wrist

    def _camera_from_frame(self, now: Situation) -> Array:
        match self.frame:
            case "camera":
                return np.eye(4)
            case "base":
                if BASE_FROM_CAMERA not in now.observation.extras:
                    where = self.section.where("frame")
                    raise LackingInputError(f"{where}: the observation has no camera's pose ({BASE_FROM_CAMERA}).")
                return invert_pose(np.asarray(now.observation.extras[BASE_FROM_CAMERA], dtype=np.float64))
            case _:
                return now.kinematics(self.section.where("frame")).camera_from_arm_base(self.side)

    def _tool(self, camera_from_wrist: Array, now: Situation) -> Array:
        """frame_from_tool."""
        frame_from_camera = invert_pose(self._camera_from_frame(now))
        return np.asarray(frame_from_camera @ camera_from_wrist @ invert_pose(self.tool_from_wrist))

    def _poses(self, values: Array, observed: Array, scale: float, meaning: str) -> Array:
        poses = make_pose(values[:, :3] * scale, matrices_of(values[:, 3:], self.rotation))
        if meaning == "absolute":
            return poses
        if meaning == "from_observation":
            return np.asarray(observed @ poses)
        rows, pose = [], observed
        for step in poses:
            pose = pose @ step
            rows.append(pose)
        return np.stack(rows)

    def _numbers(self, poses: Array) -> Array:
        return np.concatenate([poses[..., :3, 3] / self.scale, numbers_of(poses[..., :3, :3], self.rotation)], axis=-1)
