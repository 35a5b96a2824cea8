"""The other direction: a server of ours answers requests that are made in a mapping's terms."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Mapping as Map
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import ACTION_DIM, FINGERS, HAND, ROTATION, SIDES, TRANSLATION, WRIST
from vitra_policy.mappings.fields import TextField
from vitra_policy.mappings.mapping import Mapping, leaves
from vitra_policy.mappings.part import LackingInputError, Plan, Situation
from vitra_policy.policies.bounds import check_camera
from vitra_policy.policies.policy import ARM_RAD, BASE_FROM_CAMERA, ActionChunk, Extra, Observation
from vitra_policy.policies.robot import RobotKinematics
from vitra_policy.policies.rtc import AnchoredChunk
from vitra_policy.prompt import InstructionError, format_instruction, hands_of
from vitra_policy.transforms import euler_xyz_from_matrix, interpolate_pose, invert_pose

Array = NDArray[np.float64]
_EXTRA = "extras/"
_DEFAULT_WIDE_DEG = 79.0
"""Horizontal field of view of our head camera."""


class Translator:
    """Reads requests and writes answers.

    Args:
        mapping: the client's terms.
        robot: kinematics, where the terms need them.
        base_from_camera: (4, 4), where states are in the base's frame.
        now_s: clock for observations, whose requests carry no time.
    """

    def __init__(
        self,
        mapping: Mapping,
        robot: RobotKinematics | None = None,
        base_from_camera: Array | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.mapping, self._robot, self._base, self._now_s = mapping, robot, base_from_camera, now_s

    def observation(self, message: Map[str, Any]) -> Observation:
        """The observation of a request.

        Raises:
            LackingInputError: a key is missing, or a value is not what the mapping says.
            InvalidObservationError: a value that no camera or hand has.
        """
        seen: dict[str, Any] = {"state": {}, "text": "", "image": None}
        for path, field in leaves(self.mapping.tree):
            value: Any = message
            for key in path:
                if not isinstance(value, Map) or key not in value:
                    if isinstance(field, TextField) or "optional" in path:
                        value = None
                        break
                    raise LackingInputError(
                        f"The request lacks '{'/'.join(path)}' ({field.section.where()}); it has "
                        f"{sorted(map(str, message))}. Serve in the client's terms: vitra-policy serve --mapping ..."
                    )
                value = value[key]
            if value is not None:
                field.read(value, seen, "/".join(path))
        extras: dict[str, Extra] = {k[len(_EXTRA) :]: v for k, v in message.items() if str(k).startswith(_EXTRA)}
        if self._base is not None:
            extras.setdefault(BASE_FROM_CAMERA, self._base)
        state, valid = self._state(seen["state"], extras)
        image = seen["image"]
        intrinsics, fov_rad = self._camera(message, image)
        instruction = self._instruction(seen["text"])
        named = hands_of(instruction)
        stamp_s = message.get("stamp_s", self._now_s())
        observation = Observation(
            stamp_s=stamp_s.item() if isinstance(stamp_s, np.ndarray) and stamp_s.size == 1 else stamp_s,
            instruction=instruction,
            image=image,
            intrinsics=intrinsics,
            fov_rad=fov_rad,
            state=state,
            state_valid=valid,
            hands=np.array([named.left, named.right]),
            extras=extras,
        )
        check_camera(observation.image, observation.intrinsics, observation.fov_rad)
        return observation

    def answer(self, chunk: ActionChunk, observation: Observation) -> dict[str, Any]:
        """The message for a chunk: the mapping's rows at the mapping's rate.

        Raises:
            LackingInputError: the observation lacks what the answer refers to.
        """
        mapping = self.mapping
        now = Situation(observation, mapping.step_s, self._robot)
        plan = Plan(own=np.asarray(chunk.actions, dtype=np.float64))
        steps = mapping.answer.horizon or chunk.steps
        if mapping.answer.horizon or abs(mapping.step_s - chunk.step_s) > 1e-6:
            plan.own = None
        anchored = AnchoredChunk(chunk, 0.0, observation.state)
        below, share = anchored.between(np.arange(1, steps + 1) * mapping.step_s / chunk.step_s)
        for side in SIDES:
            poses, fingers = anchored.wrist_poses(side), anchored.fingers(side)
            plan.wrists[side] = interpolate_pose(poses[below], poses[below + 1], share)
            plan.fingers[side] = fingers[below] + (fingers[below + 1] - fingers[below]) * share[:, None]
        if plan.own is None:
            plan.own = self._own(plan, now, steps)
        rows = np.concatenate([part.encode(plan, now, steps) for part in mapping.answer.parts], axis=1)
        return {mapping.answer.key: rows.astype(np.float32)}

    @staticmethod
    def _own(plan: Plan, now: Situation, steps: int) -> Array:
        from vitra_policy.transforms import delta_wrist

        rows = np.zeros((steps, ACTION_DIM))
        for side in SIDES:
            rows[:, HAND[side]][:, WRIST] = delta_wrist(np.concatenate([now.wrist(side)[None], plan.wrists[side]]))
            rows[:, HAND[side]][:, FINGERS] = plan.fingers[side]
        return rows

    def _state(self, believed: dict[str, Array], extras: dict[str, Extra]) -> tuple[Array, NDArray[np.bool_]]:
        state, valid = np.zeros(ACTION_DIM), np.zeros(2, dtype=bool)
        for index, side in enumerate(SIDES):
            hand, pose = state[HAND[side]], None
            if f"{side}_state" in believed:
                hand[:] = believed[f"{side}_state"]
                valid[index] = True
                continue
            if f"{side}_wrist_in_camera" in believed:
                pose = believed[f"{side}_wrist_in_camera"]
            elif f"{side}_wrist_in_base" in believed:
                if BASE_FROM_CAMERA not in extras:
                    raise LackingInputError("Wrists in the base's frame need the camera's pose; give a calibration.")
                pose = invert_pose(extras[BASE_FROM_CAMERA]) @ believed[f"{side}_wrist_in_base"]
            elif self._robot is not None and f"{side}_wrist_in_arm_base" in believed:
                pose = self._robot.camera_from_arm_base(side) @ believed[f"{side}_wrist_in_arm_base"]
            if f"{side}_arm" in believed:
                extras[ARM_RAD[side]] = believed[f"{side}_arm"]
                if pose is None and self._robot is not None:
                    pose = self._robot.camera_from_wrist(side, believed[f"{side}_arm"])
            if pose is None:
                continue
            hand[TRANSLATION], hand[ROTATION] = pose[:3, 3], euler_xyz_from_matrix(pose[:3, :3])
            hand[FINGERS] = believed.get(f"{side}_fingers", np.zeros(hand[FINGERS].shape))
            valid[index] = True
        return state, valid

    def _camera(self, message: Map[str, Any], image: Any) -> tuple[Array, Array]:
        width, height = (640, 480) if image is None else (image.shape[1], image.shape[0])
        if "intrinsics" in message and "fov_rad" in message:
            try:
                return np.asarray(message["intrinsics"]), np.asarray(message["fov_rad"])
            except ValueError as error:
                raise LackingInputError(f"'intrinsics' and 'fov_rad' must be arrays of numbers: {error}.") from None
        wide_deg, high_deg = self.mapping.fov_deg or (_DEFAULT_WIDE_DEG, 0.0)
        fx = width / 2 / np.tan(np.deg2rad(wide_deg) / 2)
        fy = height / 2 / np.tan(np.deg2rad(high_deg) / 2) if high_deg else fx  # pixels are square, whatever the shape
        K = np.array([[fx, 0, width / 2], [0, fy, height / 2], [0, 0, 1]])
        return K, 2 * np.arctan2([width / 2, height / 2], [fx, fy])

    def _instruction(self, text: str) -> str:
        """The client's words as our prompt: plain words are given to the hands that the mapping moves."""
        if not text.strip():
            raise LackingInputError("The request has no instruction; say in its text what the robot is to do.")
        try:
            hands_of(text)
            return text
        except InstructionError:
            sides = self.mapping.sides
            side = "right" if "right" in sides else "left"
            return format_instruction(**{side: text})
