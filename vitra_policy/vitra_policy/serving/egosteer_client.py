"""The `egosteer` policy: asks an EgoSteer server, with its history, its 48 numbers and its real-time chunking."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import ACTION_DIM, FINGERS, HAND, SIDES, WRIST, Side
from vitra_policy.hand.xhand_map import mano_from_xhand, xhand_from_mano
from vitra_policy.mappings import egosteer
from vitra_policy.mappings.egosteer import STATE_DIM, STEP_S, STEPS, HandPose
from vitra_policy.mappings.fields import LARGEST_PX, fitted, plain_words
from vitra_policy.mappings.part import AnswerRefusedError
from vitra_policy.policies.policy import ActionChunk, InvalidObservationError, Observation, PolicyMetadata
from vitra_policy.policies.registry import PolicyOptionError
from vitra_policy.policies.robot import RobotKinematics, find_robot
from vitra_policy.policies.rtc import wrist_pose
from vitra_policy.serving import wire
from vitra_policy.serving.connection import ServerConnection
from vitra_policy.transforms import delta_wrist, integrate_wrist, rotation_angle

Array = NDArray[np.float64]

PORT = 8765
HISTORY = 6
HISTORY_PERIOD_S = 1.0
"""EgoSteer looks at an image and a state a second, six of each."""
LONGEST_PREFIX = 6
"""What it was trained to continue (arXiv 2607.09701)."""
_WRIST_M_S, _WRIST_RAD_S, _TIP_M = 2.5, 12.0, 0.3
_ORTHOGONAL = 0.1


class EgoSteerPolicy:
    """An EgoSteer server behind our interface.

    Args:
        url: websocket address.
        robot: kinematics: fingertips of an XHand, and joints for fingertips.
        image_px: width and height of the images sent; None: as the camera gives them.
        connect_timeout_s: how long `warm_up` waits for the server to appear.
        infer_timeout_s: deadline of one `infer`, reconnecting included.
        api_key: key the server asks for, if any.
    """

    def __init__(
        self,
        url: str,
        robot: RobotKinematics,
        image_px: tuple[int, int] | None = (384, 384),
        connect_timeout_s: float = 10.0,
        infer_timeout_s: float = 1.0,
        api_key: str = "",
    ) -> None:
        self.url, self._robot, self._image_px = url, robot, image_px
        self._connection = ServerConnection(
            url, self._greet, connect_timeout_s, infer_timeout_s, api_key, text_ends=True
        )
        self._said: dict[str, str] | None = None
        self._history: deque[tuple[float, Any, Array]] = deque(maxlen=HISTORY)
        self._metadata = PolicyMetadata(
            "egosteer", steps=STEPS, step_s=STEP_S, needs_image=True, needs_state=True, uses_committed=True
        )

    @property
    def metadata(self) -> PolicyMetadata:
        """32 steps at 30 Hz, with real-time chunking."""
        return self._metadata

    def warm_up(self) -> None:
        """Connect.

        Raises:
            ConnectionLostError: no server within `connect_timeout_s`.
            HandshakeError: the server is no EgoSteer server.
        """
        self._connection.open()

    def reset(self) -> None:
        """Forget the images and states of the run before."""
        self._history.clear()

    def close(self) -> None:
        """Leave the server."""
        self._connection.close()

    def infer(self, observation: Observation) -> ActionChunk:
        """Ask the server.

        Raises:
            ConnectionLostError: no answer in time; the next call connects anew.
            AnswerRefusedError: an answer that no pair of hands can follow.
        """
        state = self._state(observation)
        self._remember(observation, state)
        prefix = self._prefix(observation, state)
        request = {
            "image": np.stack([image for _, image, _ in self._history]),
            "camera_intrinsics": self._intrinsics(observation),
            "states": np.stack([row for _, _, row in self._history]).astype(np.float32),
            "instruction": plain_words(observation.instruction),
            "action_rtc": None if prefix is None else prefix.astype(np.float32),
        }
        started_s = time.monotonic()
        answer = self._connection.request(request)
        answered_s = time.monotonic()
        rows = self._checked(answer, observation, prefix)
        chunk = self._chunk(observation, state, rows, 0 if prefix is None else len(prefix))
        spent = {"server": answered_s - started_s, "fingertips": time.monotonic() - answered_s}
        return ActionChunk(
            chunk.actions, chunk.valid, chunk.step_s, chunk.policy_id, spent, committed_steps=chunk.committed_steps
        )

    def _state(self, observation: Observation) -> Array:
        hands: dict[Side, HandPose] = {}
        for side, known in zip(SIDES, observation.state_valid, strict=True):
            if known:
                joints = xhand_from_mano(observation.state[HAND[side]][FINGERS])
                hands[side] = HandPose(wrist_pose(observation.state, side), self._robot.fingertips(side, joints))
        return egosteer.write_state(hands)

    def _remember(self, observation: Observation, state: Array) -> None:
        """Keep one image and state a second, and the newest; a clock that goes back begins anew."""
        if observation.image is None:
            raise InvalidObservationError("EgoSteer needs the head camera's image.")
        image = observation.image
        if self._image_px is not None:
            image = fitted(image, *self._image_px, "stretch")
        now_s = observation.stamp_s
        if self._history and now_s <= self._history[-1][0]:
            self._history.clear()
        if len(self._history) >= 2 and self._history[-1][0] - self._history[-2][0] < HISTORY_PERIOD_S - 1e-6:
            self._history.pop()
        self._history.append((now_s, image, state))

    def _intrinsics(self, observation: Observation) -> Array:
        K = observation.intrinsics.copy()
        if self._image_px is not None and observation.image is not None:
            height, width = observation.image.shape[:2]
            K[0] *= self._image_px[0] / width
            K[1] *= self._image_px[1] / height
        return K

    def _prefix(self, observation: Observation, state: Array) -> Array | None:
        """Committed steps as `action_rtc` (d, 48), relative to the state that goes with them."""
        committed = observation.committed
        if committed is None or not committed.steps:
            return None
        acting = [side for side, asked in zip(SIDES, observation.hands, strict=True) if asked]
        if not all(committed.valid[SIDES.index(side)] for side in acting):
            return None
        steps = min(committed.steps, LONGEST_PREFIX)
        rows = np.tile(state, (steps, 1))
        for side in acting:
            actions = committed.actions[:steps, HAND[side]]
            poses = integrate_wrist(wrist_pose(observation.state, side), actions[:, WRIST])
            tips = np.stack([self._robot.fingertips(side, q) for q in xhand_from_mano(actions[:, FINGERS])])
            for row, pose, points in zip(rows, poses, tips, strict=True):
                one = egosteer.write_state({side: HandPose(pose, points)})
                for part in (egosteer.TRANSLATION[side], egosteer.ROTATION[side], egosteer.TIPS[side]):
                    row[part] = one[part]
        return egosteer.relative_actions(state, rows)

    def _checked(self, answer: dict[str, Any], observation: Observation, prefix: Array | None) -> Array:
        """Rows (32, 48) of an answer; what was decided before stands in front, as it was sent."""
        value = answer.get("pred_actions")
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.shape != (STEPS, STATE_DIM):
            got = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else f"keys {[*map(str, answer)]}"
            raise AnswerRefusedError(
                f"EgoSteer's answer must hold 'pred_actions' ({STEPS}, {STATE_DIM}), got {got}. Serve a checkpoint "
                "with action_horizon 32 and fingertip actions (docs/neighbours/egosteer.md)."
            )
        rows = value.astype(np.float64)
        if not np.isfinite(rows).all():
            raise AnswerRefusedError("EgoSteer's answer has numbers that are not finite.")
        committed = 0 if prefix is None else len(prefix)
        if prefix is not None:
            rows[:committed] = prefix
        for side, asked in zip(SIDES, observation.hands, strict=True):
            if asked:
                _plausible(side, rows, committed)
        return rows

    def _chunk(self, observation: Observation, state: Array, rows: Array, committed: int) -> ActionChunk:
        hands = egosteer.read_state(egosteer.absolute_actions(state, rows))
        actions = np.zeros((STEPS, ACTION_DIM))
        valid = observation.hands & observation.state_valid
        for side, moves in zip(SIDES, valid, strict=True):
            if not moves:
                continue
            hand, seen = actions[:, HAND[side]], wrist_pose(observation.state, side)
            hand[:, WRIST] = delta_wrist(np.concatenate([seen[None], hands[side].camera_from_wrist]))
            joints = xhand_from_mano(observation.state[HAND[side]][FINGERS])
            for k, points in enumerate(hands[side].fingertips_m):
                joints = self._robot.hand_for_fingertips(side, points, joints)
                hand[k, FINGERS] = mano_from_xhand(joints)
            if committed and observation.committed is not None:  # what is decided is not changed by rounding
                hand[:committed] = observation.committed.actions[:committed, HAND[side]]
                hand[committed:, WRIST] = delta_wrist(
                    np.concatenate(
                        [integrate_wrist(seen, hand[:committed, WRIST])[-1:], hands[side].camera_from_wrist[committed:]]
                    )
                )
        return ActionChunk(
            actions.astype(np.float32), valid, STEP_S, self._metadata.policy_id, committed_steps=committed
        )

    def _greet(self, greeting: dict[str, Any]) -> None:
        wanted = {"action_horizon": STEPS, "action_dim": STATE_DIM}
        for key, value in wanted.items():
            if not isinstance(greeting.get(key), int | float | np.number) or greeting[key] != value:
                raise wire.HandshakeError(
                    f"{self.url} says {key} = {greeting.get(key)!r}, an EgoSteer server for fingertip actions says "
                    f"{value}. Start it as docs/neighbours/egosteer.md says; for other servers use policy:=remote."
                )
        said = {key: repr(value) for key, value in greeting.items()}
        if self._said is not None and said != self._said:
            raise wire.HandshakeError(
                f"The server at {self.url} says something else of itself than before. Restart the policy node if "
                "another model is what you want."
            )
        self._said = said


def _plausible(side: Side, rows: Array, committed: int) -> None:
    """Refuse what no hand does; wrong units, another layout, or absolute instead of relative actions look like this.

    The first rows are our own: a robot that is late on its path is some way from them, which is no fault of the server.
    """
    rotation = rows[:, egosteer.ROTATION[side]]
    first, second = rotation[:, :3], rotation[:, 3:]
    lengths = np.linalg.norm(np.stack([first, second]), axis=-1)
    product = np.abs((first * second).sum(axis=1))
    if np.abs(lengths - 1).max() > _ORTHOGONAL or product.max() > _ORTHOGONAL:
        raise AnswerRefusedError(f"EgoSteer's answer: the {side} hand's rot6d are no rotations; is the layout another?")
    poses = egosteer.read_state(rows)[side].camera_from_wrist
    before = np.concatenate([np.eye(4)[None], poses[:-1]])
    poses, before = poses[committed:], before[committed:]
    steps_m = np.linalg.norm(poses[:, :3, 3] - before[:, :3, 3], axis=1)
    turns = rotation_angle(np.swapaxes(before[:, :3, :3], 1, 2) @ poses[:, :3, :3])
    tips_m = np.abs(rows[:, egosteer.TIPS[side]])
    if steps_m.max() > _WRIST_M_S * STEP_S or turns.max() > _WRIST_RAD_S * STEP_S or tips_m.max() > _TIP_M:
        raise AnswerRefusedError(
            f"EgoSteer's answer moves the {side} wrist by {steps_m.max():.3g} m and {turns.max():.3g} rad in a step, "
            f"fingertips by {tips_m.max():.3g} m. Actions must be relative to the state (use_relative_action: True), "
            "in metres."
        )


def make_egosteer_policy(
    url: str = "",
    host: str = "127.0.0.1",
    port: str = str(PORT),
    *,
    connect_timeout_s: str = "10",
    infer_timeout_s: str = "1",
    api_key: str = "",
    image_px: str = "384x384",
    calibration: str = "sim",
    arm_variant: str = "6f",
) -> EgoSteerPolicy:
    """Factory of `egosteer`; options come by name, as text.

    Args:
        url: ``ws://host:port``; empty: of host and port.
        host: Of the server.
        port: Of the server.
        connect_timeout_s: For the connection.
        infer_timeout_s: For an answer.
        api_key: What the server wants to hear; empty: nothing.
        image_px: WIDTHxHEIGHT that the checkpoint was trained on; empty: the camera's own size.
        calibration: Of the robot whose kinematics are needed.
        arm_variant: Kind of its arms.

    Raises:
        PolicyOptionError: a number is none.
        VitraError: the robot's kinematics are not installed.
    """
    try:
        address = url or f"ws://{host}:{int(port)}"
        width, height = (int(n) for n in image_px.split("x")) if image_px else (0, 0)
        timeouts_s = float(connect_timeout_s), float(infer_timeout_s)
    except ValueError as error:
        raise PolicyOptionError(
            f"Policy 'egosteer': port and timeouts must be numbers, image_px like 384x384: {error}."
        ) from error
    if image_px and not (0 < width <= LARGEST_PX and 0 < height <= LARGEST_PX):
        raise PolicyOptionError(f"Policy 'egosteer': image_px={image_px}: give sides from 1 to {LARGEST_PX}.")
    size = (width, height) if image_px else None
    return EgoSteerPolicy(address, find_robot(calibration, arm_variant), size, *timeouts_s, api_key)
