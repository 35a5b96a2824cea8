"""EgoSteer's terms: the 48 numbers, history, real-time chunking, and answers that no hand can follow."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from vitra_policy.action_space import ACTION_DIM, FINGERS, HAND, Hands
from vitra_policy.conformance.policy_cases import POLICY_CASES, PolicySubject
from vitra_policy.conformance.verdict import judge
from vitra_policy.hand.xhand_map import XHAND_MAP, mano_from_xhand, xhand_from_mano
from vitra_policy.mappings import egosteer, egosteer_double
from vitra_policy.mappings.egosteer import HandPose
from vitra_policy.mappings.part import AnswerRefusedError
from vitra_policy.policies.policy import (
    ActionChunk,
    CommittedPrefix,
    Observation,
    PolicyError,
    make_example_observation,
)
from vitra_policy.policies.registry import PolicyOptionError
from vitra_policy.policies.rtc import AnchoredChunk, wrist_pose
from vitra_policy.serving.egosteer_client import EgoSteerPolicy, make_egosteer_policy
from vitra_policy.serving.openpi_double import OpenpiDouble
from vitra_policy.serving.wire import HandshakeError
from vitra_policy.transforms import make_pose, matrix_from_rotvec

_LINKS = np.random.default_rng(1).normal(0, 0.02, (15, XHAND_MAP.dof))


class ToyRobot:
    """Fingertips that are linear in the joints."""

    def fingertips(self, side: str, xhand_rad: Any) -> np.ndarray:
        return (_LINKS @ np.asarray(xhand_rad)).reshape(5, 3) - [0.15, 0, 0]

    def hand_for_fingertips(self, side: str, tips: Any, seed: Any, search: bool = False) -> np.ndarray:
        return np.linalg.lstsq(_LINKS, (np.asarray(tips) + [0.15, 0, 0]).ravel(), rcond=None)[0]


ROBOT: Any = ToyRobot()


def seen(hands: Hands = Hands(right=True), **more: Any) -> Observation:  # noqa: B008
    observation = make_example_observation(height=48, width=64, hands=hands)
    state = observation.state.copy()
    for side in ("left", "right"):
        fingers = state[HAND[side]][FINGERS]  # type: ignore[index]
        state[HAND[side]][FINGERS] = mano_from_xhand(xhand_from_mano(fingers))  # type: ignore[index]
    return dataclasses.replace(observation, state=state, **more)


def gentle(observation: Observation) -> ActionChunk:
    actions = np.zeros((32, ACTION_DIM))
    for side in ("left", "right"):
        hand = actions[:, HAND[side]]  # type: ignore[index]
        hand[:, :6] = (0.002, 0.001, -0.001, 0.003, -0.002, 0.001)
        joints = xhand_from_mano(observation.state[HAND[side]][FINGERS])  # type: ignore[index]
        hand[:, FINGERS] = mano_from_xhand(joints + np.linspace(0, 0.1, 32)[:, None])
    return ActionChunk(actions, observation.hands, 1 / 30, "gentle")


class Trial:
    def __init__(self, spoil: Any = lambda answer: answer, metadata: Any = None) -> None:
        self.now = seen()
        serve = egosteer_double.server_of(lambda: (gentle(self.now), self.now), ROBOT)
        self.server = OpenpiDouble(lambda request: spoil(serve(request)), metadata or egosteer_double.METADATA)

    def __enter__(self) -> Trial:
        self.server.__enter__()
        self.policy = EgoSteerPolicy(self.server.url, ROBOT, (32, 24), 5.0, 5.0)
        return self

    def __exit__(self, *_: object) -> None:
        self.policy.close()
        self.server.__exit__()

    def infer(self, observation: Observation) -> ActionChunk:
        self.now = observation
        return self.policy.infer(observation)


def test_relative_and_absolute_actions_are_each_others_inverse() -> None:
    draw = np.random.default_rng(0)

    def pose() -> np.ndarray:
        return make_pose(draw.normal(0, 0.3, 3), matrix_from_rotvec(draw.normal(0, 1, 3)))

    rows = [
        egosteer.write_state({side: HandPose(pose(), draw.normal(0, 0.1, (5, 3))) for side in ("left", "right")})  # type: ignore[misc]
        for _ in range(9)
    ]
    state, future = rows[0], np.array(rows[1:])
    relative = egosteer.relative_actions(state, future)
    np.testing.assert_allclose(egosteer.absolute_actions(state, relative), future, atol=1e-12)
    still = egosteer.relative_actions(state, state[None])[0]
    np.testing.assert_allclose(still[:18], [*[0] * 6, *[1, 0, 0, 0, 1, 0] * 2], atol=1e-12)
    np.testing.assert_allclose(still[18:], 0, atol=1e-12)


@pytest.mark.parametrize("hands", [Hands(right=True), Hands(left=True), Hands(True, True)])
def test_the_plan_of_the_server_is_the_plan_of_the_chunk(hands: Hands) -> None:
    with Trial() as trial:
        trial.policy.warm_up()
        observation = seen(hands)
        chunk = trial.infer(observation)
        wanted = gentle(observation)
    assert chunk.steps == 32
    for side in hands.active:
        made, meant = (AnchoredChunk(c, 0.0, observation.state) for c in (chunk, wanted))
        np.testing.assert_allclose(made.wrist_poses(side), meant.wrist_poses(side), atol=1e-5)
        np.testing.assert_allclose(xhand_from_mano(made.fingers(side)), xhand_from_mano(meant.fingers(side)), atol=1e-4)


def test_a_request_holds_what_egosteer_reads() -> None:
    with Trial() as trial:
        trial.policy.warm_up()
        observation = seen()
        trial.infer(observation)
    (request,) = trial.server.requests
    assert request["image"].shape == (1, 24, 32, 3)
    np.testing.assert_allclose(request["camera_intrinsics"][0], observation.intrinsics[0] / 2)
    assert request["states"].shape == (1, 48)
    np.testing.assert_allclose(request["states"][0, 3:6], wrist_pose(observation.state, "right")[:3, 3], atol=1e-6)
    assert request["instruction"] == "Put the red cube into the box."
    assert request["action_rtc"] is None


def test_images_and_states_are_kept_a_second_apart_and_six_at_most() -> None:
    with Trial() as trial:
        trial.policy.warm_up()
        for tenth in range(90):
            trial.infer(seen(stamp_s=1000.0 + tenth / 10))
        lengths = [len(request["states"]) for request in trial.server.requests]
        assert lengths[:12] == [1] + [2] * 10 + [3]
        assert lengths[-1] == 6
        trial.policy.reset()
        trial.infer(seen(stamp_s=1100.0))
        assert len(trial.server.requests[-1]["image"]) == 1
        trial.infer(seen(stamp_s=1099.0))
        assert len(trial.server.requests[-1]["image"]) == 1, "a clock that goes back begins anew"


def test_committed_steps_are_sent_relative_to_the_state_and_come_back_exactly() -> None:
    with Trial() as trial:
        trial.policy.warm_up()
        observation = seen()
        plan = gentle(observation).actions[:9].astype(np.float64)
        committed = CommittedPrefix(plan, observation.hands)
        chunk = trial.infer(dataclasses.replace(observation, committed=committed))
    prefix = trial.server.requests[0]["action_rtc"]
    assert prefix.shape == (6, 48)
    assert chunk.committed_steps == 6
    np.testing.assert_allclose(chunk.actions[:6], plan[:6], atol=1e-7)
    made, meant = (AnchoredChunk(c, 0.0, observation.state) for c in (chunk, gentle(observation)))
    np.testing.assert_allclose(made.wrist_poses("right"), meant.wrist_poses("right"), atol=1e-5)


def test_a_robot_that_is_late_on_its_path_is_no_fault_of_the_server() -> None:
    """Decided steps may begin up to 10 cm from where the hand is; they are ours, and come back as they were sent."""
    with Trial() as trial:
        trial.policy.warm_up()
        observation = seen()
        plan = gentle(observation).actions[:4].astype(np.float64)
        plan[0, HAND["right"]][:3] += (0.09, 0.0, 0.0)
        late = dataclasses.replace(observation, committed=CommittedPrefix(plan, observation.hands))
        chunk = trial.infer(late)
    np.testing.assert_allclose(chunk.actions[:4], plan, atol=1e-7)


def test_a_leap_behind_what_is_decided_is_refused_also_where_the_server_changes_what_is_decided() -> None:
    def leaps(answer: dict[str, Any]) -> dict[str, Any]:
        answer["pred_actions"][:, 3:6] += (0.0, 0.2, 0.0)
        return answer

    with Trial(leaps) as trial:
        trial.policy.warm_up()
        observation = seen()
        plan = gentle(observation).actions[:4].astype(np.float64)
        with pytest.raises(AnswerRefusedError, match=r"moves the right wrist by 0\.\d+ m"):
            trial.infer(dataclasses.replace(observation, committed=CommittedPrefix(plan, observation.hands)))


def spoiled(change: Any) -> Any:
    def spoil(answer: dict[str, Any]) -> dict[str, Any]:
        change(answer["pred_actions"])
        return answer

    return spoil


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda answer: {"actions": answer["pred_actions"]}, "must hold 'pred_actions'"),
        (lambda answer: {"actions": 1, b"raw": 2}, "got keys"),
        (lambda answer: {"pred_actions": answer["pred_actions"][:16]}, "must hold 'pred_actions'"),
        (spoiled(lambda a: a.__setitem__((3, 4), np.nan)), "not finite"),
        (spoiled(lambda a: a.__setitem__((slice(None), slice(12, 18)), 0.0)), "no rotations"),
        (spoiled(lambda a: a.__setitem__((slice(None), slice(3, 6)), 0.45)), "relative to the state"),
        (spoiled(lambda a: a.__imul__(1000)), "no rotations"),
    ],
)
def test_an_answer_that_no_hand_can_follow_is_refused(spoil: Any, says: str) -> None:
    with Trial(spoil) as trial:
        trial.policy.warm_up()
        with pytest.raises(AnswerRefusedError, match=says):
            trial.infer(seen())


def test_another_server_is_refused_before_anything_is_asked() -> None:
    for metadata in ({"x": 1}, {"action_horizon": 16, "action_dim": 48}, {"action_horizon": np.full(2, 32)}):
        with Trial(metadata=metadata) as trial, pytest.raises(HandshakeError, match="EgoSteer server"):
            trial.policy.warm_up()


def test_the_double_reads_no_more_than_the_published_server() -> None:
    with Trial() as trial:
        trial.policy.warm_up()
        with pytest.raises(PolicyError, match="instruction must be words"):
            trial.infer(seen(instruction=" "))


def test_it_keeps_the_rules_of_real_time_chunking() -> None:
    """With the published limit of six committed steps; longer prefixes are cut, and said to be."""
    with Trial() as trial:
        trial.policy.warm_up()
        subject = PolicySubject(Watching(trial))  # type: ignore[arg-type]
        verdicts = {v.name: v.complaints for v in judge(POLICY_CASES, subject) if not v.passed}
    assert set(verdicts) <= {"committed prefix"}
    said = verdicts.get("committed prefix", ())
    assert all("6 steps are committed" in one or "come back" in one for one in said)


class Watching:
    """Tells the double what it answers."""

    def __init__(self, trial: Trial) -> None:
        self._trial, self.metadata = trial, trial.policy.metadata

    def infer(self, observation: Observation) -> ActionChunk:
        return self._trial.infer(observation)

    def reset(self) -> None:
        self._trial.policy.reset()


@pytest.mark.parametrize("size", ["0x0", "-5x5", "99999x9"])
def test_an_image_of_a_size_that_none_has_is_refused_when_the_policy_is_made(size: str) -> None:
    with pytest.raises(PolicyOptionError, match=f"image_px={size}: give sides from 1 to 4096"):
        make_egosteer_policy(image_px=size)
