"""A double of an EgoSteer server: a policy of ours answers in EgoSteer's terms, for tests and trials of the client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES
from vitra_policy.hand.xhand_map import xhand_from_mano
from vitra_policy.mappings import egosteer
from vitra_policy.mappings.egosteer import STATE_DIM, STEP_S, STEPS, HandPose
from vitra_policy.policies.policy import ActionChunk, Observation
from vitra_policy.policies.robot import RobotKinematics
from vitra_policy.policies.rtc import AnchoredChunk
from vitra_policy.transforms import interpolate_pose

FADE_STEPS = 10
METADATA = {"mode": "flow", "action_horizon": STEPS, "action_dim": STATE_DIM}


class RequestRefusedError(ValueError):
    """A request that a real EgoSteer server could not read."""


def answer_of(chunk: ActionChunk, observation: Observation, states: Any, robot: RobotKinematics) -> dict[str, Any]:
    """EgoSteer's answer for a chunk: absolute wrists and fingertips, relative to the newest state; the end is held.

    Args:
        chunk: What the policy behind says.
        observation: What it was asked with.
        states: The request's history of states.
        robot: Turns hands into fingertips.
    """
    state = np.asarray(states, dtype=np.float64)[-1]
    rows = np.tile(state, (STEPS, 1))
    anchored = AnchoredChunk(chunk, 0.0, observation.state)
    below, share = anchored.between(np.arange(1, STEPS + 1) * STEP_S / chunk.step_s)
    for side, moves in zip(SIDES, chunk.valid, strict=True):
        if not moves:
            continue
        poses, fingers = anchored.wrist_poses(side), xhand_from_mano(anchored.fingers(side))
        poses = interpolate_pose(poses[below], poses[below + 1], share)
        fingers = fingers[below] + (fingers[below + 1] - fingers[below]) * share[:, None]
        for k in range(STEPS):
            one = egosteer.write_state({side: HandPose(poses[k], robot.fingertips(side, fingers[k]))})
            for part in (egosteer.TRANSLATION[side], egosteer.ROTATION[side], egosteer.TIPS[side]):
                rows[k, part] = one[part]
    return {"pred_actions": egosteer.relative_actions(state, rows).astype(np.float32)}


def check_request(request: dict[str, Any]) -> None:
    """Whether the published server could read a request.

    Raises:
        RequestRefusedError: names the key.
    """
    image, K, states = request.get("image"), request.get("camera_intrinsics"), request.get("states")
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 4 or image.shape[3] != 3:
        raise RequestRefusedError("image must be uint8 (T, H, W, 3)")
    if K is None or np.shape(K) not in ((3, 3), (4,)):
        raise RequestRefusedError("camera_intrinsics must be (3, 3) or (4,)")
    if not isinstance(states, np.ndarray) or states.ndim != 2 or states.shape[1] != STATE_DIM or not len(states):
        raise RequestRefusedError(f"states must be (T, {STATE_DIM})")
    if not isinstance(request.get("instruction"), str) or not request["instruction"].strip():
        raise RequestRefusedError("instruction must be words")
    prefix = request.get("action_rtc")
    if prefix is not None and (np.ndim(prefix) != 2 or np.shape(prefix)[1] != STATE_DIM):
        raise RequestRefusedError(f"action_rtc must be (d, {STATE_DIM}) or None")


def server_of(
    think: Callable[[], tuple[ActionChunk, Observation]], robot: RobotKinematics
) -> Callable[[dict[str, Any]], dict[str, NDArray[Any]]]:
    """What `vitra_policy.serving.openpi_double.OpenpiDouble` calls: the published server's checks, then the policy.

    Args:
        think: gives the chunk and the observation that it answers, which the policy sees by a way of its own.
        robot: kinematics.
    """

    def infer(request: dict[str, Any]) -> dict[str, NDArray[Any]]:
        check_request(request)
        chunk, observation = think()
        answer = answer_of(chunk, observation, request["states"], robot)
        return {"pred_actions": continued(answer["pred_actions"], request["action_rtc"])}

    return infer


def continued(rows: NDArray[np.float32], prefix: Any) -> NDArray[np.float32]:
    """Rows (32, 48) that repeat a prefix (d, 48) and go over from it to themselves, as a model trained for it does."""
    if prefix is None or not len(prefix):
        return rows
    steps, made = len(prefix), rows.copy()
    fade = np.clip(1 - np.arange(1, STEPS - steps + 1) / FADE_STEPS, 0, 1)[:, None]
    made[:steps] = prefix
    made[steps:] += (fade * (prefix[-1] - rows[steps - 1])).astype(np.float32)
    return made
