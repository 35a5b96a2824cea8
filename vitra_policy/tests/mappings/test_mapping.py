"""Mapping files: what is sent, what an answer becomes, and that a wrong answer names the wrong line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_policy.action_space import ACTION_DIM, FINGERS, HAND, SIDES, Hands, Side
from vitra_policy.hand.xhand_map import xhand_from_mano
from vitra_policy.mappings.fields import fitted, plain_words
from vitra_policy.mappings.mapping import Mapping, load_mapping, mapping_names
from vitra_policy.mappings.part import AnswerRefusedError, LackingInputError, Situation
from vitra_policy.mappings.parts import CLOSED_RAD, OPEN_RAD
from vitra_policy.mappings.translator import Translator
from vitra_policy.policies.policy import ARM_RAD, ActionChunk, Observation, make_example_observation
from vitra_policy.policies.rtc import AnchoredChunk
from vitra_policy.transforms import make_pose, matrix_from_rotvec

BOTH = Hands(True, True)


class ToyRobot:
    """A robot whose wrist is where the first six joints say: three metres and a rotation vector."""

    def camera_from_arm_base(self, side: str) -> np.ndarray:
        pose = np.eye(4)
        pose[:3, 3] = (0.1, 0.2, 0.3)
        return pose

    def camera_from_wrist(self, side: str, arm_rad: Any) -> np.ndarray:
        q = np.asarray(arm_rad)
        return make_pose(q[:3], matrix_from_rotvec(q[3:6]))

    def arm_for_wrist(self, side: str, camera_from_wrist: Any, seed_rad: Any) -> np.ndarray:
        from vitra_policy.transforms import rotvec_from_matrix

        pose = np.asarray(camera_from_wrist)
        return np.r_[pose[:3, 3], rotvec_from_matrix(pose[:3, :3]), seed_rad[6]]


def seen(hands: Hands = BOTH) -> Observation:
    """An observation whose arm joints are those of its wrists."""
    observation = make_example_observation(height=48, width=64, hands=hands)
    robot = ToyRobot()
    arms = {}
    for side in SIDES:
        pose = Situation(observation, 1 / 30).wrist(side)
        arms[ARM_RAD[side]] = robot.arm_for_wrist(side, pose, np.zeros(7))
    return dataclasses.replace(observation, extras={**observation.extras, **arms})


def situation(mapping: Mapping, observation: Observation | None = None) -> Situation:
    return Situation(observation or seen(), mapping.step_s, ToyRobot())  # type: ignore[arg-type]


def chunk_of(observation: Observation, steps: int, step_s: float) -> ActionChunk:
    """A gentle motion of both hands; fingers on their way from open to closed."""
    from vitra_policy.hand.xhand_map import mano_from_xhand

    actions = np.zeros((steps, ACTION_DIM))
    for side in SIDES:
        hand = actions[:, HAND[side]]
        hand[:, :3], hand[:, 3:6] = (0.002, -0.001, 0.003), (0.004, 0.002, -0.003)
        start = xhand_from_mano(observation.state[HAND[side]][FINGERS])
        way = np.linspace(0, 1, steps + 1)[1:, None]
        hand[:, FINGERS] = mano_from_xhand(start + way * (OPEN_RAD - start) * 0.2)
    return ActionChunk(actions, np.array([True, True]), step_s, "toy")


@pytest.mark.parametrize("name", mapping_names())
def test_every_mapping_of_ours_survives_the_way_there_and_back(name: str) -> None:
    """A server of ours, asked in these terms, and our client behind it give the plan that the policy made."""
    mapping = load_mapping(name)
    now = situation(mapping)
    steps = mapping.steps
    made = chunk_of(now.observation, steps, mapping.step_s)
    translator = Translator(mapping, ToyRobot())  # type: ignore[arg-type]
    message = mapping.request(now)
    read = translator.observation(message)
    assert (read.image is None) == (now.observation.image is None)
    answered = mapping.chunk(translator.answer(made, now.observation), now)
    assert answered.steps == steps
    for side in mapping.sides:
        before, after = (AnchoredChunk(c, 0.0, now.observation.state) for c in (made, answered))
        np.testing.assert_allclose(after.wrist_poses(side), before.wrist_poses(side), atol=1e-5)
        assert read.state_valid[SIDES.index(side)]
        if "aloha" not in name and "droid" not in name:  # a gripper knows less than a hand
            np.testing.assert_allclose(
                xhand_from_mano(after.fingers(side)), xhand_from_mano(before.fingers(side)), atol=1e-5
            )
        np.testing.assert_allclose(Situation(read, 1 / 30).wrist(side)[:3, 3], now.wrist(side)[:3, 3], atol=1e-5)


def test_a_droid_request_has_droids_keys_and_shapes() -> None:
    mapping = load_mapping("openpi-droid")
    now = situation(mapping)
    message = mapping.request(now)
    assert message["observation/exterior_image_1_left"].shape == (224, 224, 3)
    assert message["observation/exterior_image_1_left"][:20].max() == 0, "padded above and below"
    assert not message["observation/wrist_image_left"].any()
    np.testing.assert_allclose(message["observation/joint_position"], now.observation.extras[ARM_RAD["right"]], 1e-5)
    assert message["observation/gripper_position"].shape == (1,)
    assert message["prompt"] == "Put the red cube into the box."


def test_an_aloha_request_is_nested_and_has_channels_first() -> None:
    mapping = load_mapping("openpi-aloha")
    message = mapping.request(situation(mapping))
    assert message["images"]["cam_high"].shape == (3, 224, 224)
    assert message["state"].shape == (16,)


def test_a_gripper_opens_and_closes_the_hand() -> None:
    mapping = load_mapping("openpi-droid")
    now = situation(mapping)
    answer = np.zeros((15, 8), dtype=np.float32)
    answer[:, 7] = np.linspace(0, 1, 15)
    chunk = mapping.chunk({"actions": answer}, now)
    fingers = xhand_from_mano(chunk.actions[:, HAND["right"]][:, FINGERS])
    np.testing.assert_allclose(fingers[0], OPEN_RAD, atol=1e-6)
    np.testing.assert_allclose(fingers[-1], CLOSED_RAD, atol=1e-6)
    assert chunk.valid.tolist() == [False, True]


def lines_of(name: str, word: str) -> list[int]:
    text = Path(load_mapping.__code__.co_filename).parent / "files" / f"{name}.yaml"
    return [n for n, line in enumerate(text.read_text().splitlines(), start=1) if word in line]


def droid(change: Any) -> dict[str, Any]:
    answer = np.zeros((15, 8), dtype=np.float32)
    return {"actions": change(answer)}


def put(index: Any, value: float) -> Any:
    def change(answer: np.ndarray) -> np.ndarray:
        answer[index] = value
        return answer

    return change


@pytest.mark.parametrize(
    ("message", "says", "word"),
    [
        ({"action": np.zeros((15, 8))}, "has no 'actions'", "key: actions"),
        ({"actions": [[1.0]]}, "must be numbers", "key: actions"),
        (droid(lambda a: a[None]), "must be numbers", "key: actions"),
        (droid(lambda a: a.astype(str)), "must be numbers", "key: actions"),
        (droid(lambda a: a[:10]), "has 10 steps", "horizon"),
        (droid(lambda a: a[:, :7]), "7 numbers per step", "parts:"),
        (droid(put((3, 2), np.nan)), "not finite in step 3", "per_step"),
        (droid(put((3, 7), np.inf)), "not finite in step 3", "meaning: absolute"),
        (droid(put(np.s_[:, 7], 40.0)), "gripper is to go to 40", "meaning: absolute"),
        (droid(put(np.s_[:, 0], 30.0)), "they would fit if they were deg", "per_step"),
        (droid(put(np.s_[4, 0], 1e5)), "would go to", "per_step"),
    ],
)
def test_a_wrong_answer_names_the_wrong_line(message: dict[str, Any], says: str, word: str) -> None:
    mapping = load_mapping("openpi-droid")
    with pytest.raises(AnswerRefusedError, match=says) as refused:
        mapping.chunk(message, situation(mapping))
    line = int(str(refused.value).split(":")[1])
    assert str(refused.value).startswith("openpi-droid.yaml:")
    assert line in lines_of("openpi-droid", word)


def test_degrees_and_offsets_are_recognised_in_absolute_joints(tmp_path: Path) -> None:
    text = (
        "request:\n  prompt: {text: instruction}\nanswer:\n  rate_hz: 30\n  parts:\n    - what: arm_joints\n"
        "      side: right\n      unit: rad\n      meaning: absolute\n"
    )
    (tmp_path / "own.yaml").write_text(text)
    mapping = load_mapping(tmp_path / "own.yaml")
    now = situation(mapping)
    joints = np.tile(now.observation.extras[ARM_RAD["right"]], (8, 1))
    mapping.chunk({"actions": joints}, now)
    with pytest.raises(AnswerRefusedError, match=r"own.yaml:8: .*they would fit if they were deg"):
        mapping.chunk({"actions": np.rad2deg(joints)}, now)
    far = Situation(
        dataclasses.replace(now.observation, extras={**now.observation.extras, ARM_RAD["right"]: np.full(7, 2.0)}),
        now.step_s, now.robot,
    )  # fmt: skip
    with pytest.raises(AnswerRefusedError, match=r"own.yaml:9: .*they would fit as from_observation"):
        mapping.chunk({"actions": np.full((8, 7), 0.05)}, far)


def test_millimetres_and_another_frame_are_recognised_in_wrist_poses() -> None:
    mapping = load_mapping("being-h0")
    now = situation(mapping)
    made = Translator(mapping).answer(chunk_of(now.observation, 16, 1 / 30), now.observation)["actions"]
    mapping.chunk({"actions": made}, now)
    large = made.copy()
    large[:, :3] *= 1000
    with pytest.raises(AnswerRefusedError, match=r"they would fit if they were mm"):
        mapping.chunk({"actions": large}, now)
    elsewhere = made.copy()
    elsewhere[:, :3] += (0.5, 0.5, 1.0)
    with pytest.raises(AnswerRefusedError, match=r"in the camera frame, rotations as rotvec"):
        mapping.chunk({"actions": elsewhere}, now)


def test_what_an_observation_lacks_is_named_with_the_line() -> None:
    mapping = load_mapping("openpi-droid")
    observation = dataclasses.replace(make_example_observation(), extras={})
    with pytest.raises(LackingInputError, match=r"openpi-droid.yaml:\d+: the observation has no joints of the right"):
        mapping.request(situation(mapping, observation))


def test_images_are_padded_cropped_or_stretched() -> None:
    image = np.zeros((40, 80, 3), dtype=np.uint8)
    image[:, 20:60] = 200
    assert fitted(image, 40, 40, "pad")[0].max() == 0
    assert fitted(image, 40, 40, "crop").min() == 200
    assert fitted(image, 40, 40, "stretch").shape == (40, 40, 3)


def test_plain_words_leave_out_the_hands() -> None:
    assert plain_words("Left hand: None. Right hand: Open it.") == "Open it."
    assert plain_words("Open it.") == "Open it."


@pytest.mark.parametrize("size", [(424, 240), (64, 48), (224, 224)])
def test_pixels_of_a_camera_that_no_request_describes_are_square(size: tuple[int, int]) -> None:
    mapping = load_mapping("lerobot-right")
    message = mapping.request(situation(mapping))
    message["observation.images.head_camera"] = np.zeros((size[1], size[0], 3), np.uint8)
    seen_there = Translator(mapping, ToyRobot()).observation(message)  # type: ignore[arg-type]
    K = seen_there.intrinsics
    assert K[0, 0] == K[1, 1]
    np.testing.assert_allclose(K[:2, 2], np.array(size) / 2)
    np.testing.assert_allclose(seen_there.fov_rad, 2 * np.arctan2(np.array(size) / 2, K[0, 0]))
    assert np.rad2deg(seen_there.fov_rad[0]) == pytest.approx(79)


def test_a_mapping_may_say_what_its_clients_camera_sees(tmp_path: Path) -> None:
    text = (
        "camera_fov_deg: [60, 45]\nrequest:\n  x: {image: head}\n  y: {text: prompt}\n"
        "answer:\n  rate_hz: 30\n  parts: [{what: hands}]\n"
    )
    (tmp_path / "own.yaml").write_text(text)
    message = {"x": np.zeros((48, 64, 3), np.uint8), "y": "Wave."}
    seen_there = Translator(load_mapping(tmp_path / "own.yaml")).observation(message)
    np.testing.assert_allclose(np.rad2deg(seen_there.fov_rad), [60, 45])


WRIST_IN_BASE = "{what: wrist, side: right, frame: base}"


def test_a_wrist_in_the_robots_frame_says_that_the_cameras_pose_is_missing(tmp_path: Path, whole: str) -> None:
    (tmp_path / "x.yaml").write_text(whole.replace("{what: arm_joints, side: right}", WRIST_IN_BASE, 1))
    mapping = load_mapping(tmp_path / "x.yaml")
    observation = dataclasses.replace(make_example_observation(), extras={})
    with pytest.raises(LackingInputError, match=r"x.yaml:6: the observation has no camera's pose"):
        mapping.request(situation(mapping, observation))


def test_a_rotation_that_is_none_is_refused_with_its_line(tmp_path: Path, whole: str) -> None:
    rotation = "{what: wrist, side: right, rotation: rot6d}"
    (tmp_path / "x.yaml").write_text(whole.replace("{what: arm_joints, side: right, scale: 1.0}", rotation))
    mapping = load_mapping(tmp_path / "x.yaml")
    with pytest.raises(AnswerRefusedError, match=r"x.yaml:13: the right wrist "):
        mapping.chunk({"actions": np.zeros((16, 12), np.float32)}, situation(mapping))


@pytest.mark.parametrize("number", [80.0, np.inf, np.nan, -1.0])
def test_a_gripper_in_another_unit_is_refused_with_its_line(number: float) -> None:
    mapping = load_mapping("openpi-droid")
    message = mapping.request(situation(mapping)) | {"observation/gripper_position": np.array([number])}
    with pytest.raises(
        LackingInputError, match=r"openpi-droid.yaml:\d+: in the request the right gripper is at .*unit"
    ):
        Translator(mapping, ToyRobot()).observation(message)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [[[1], [2, 3]], "words", {}, np.zeros((4, 4))])
def test_what_is_no_image_is_refused_with_its_line(wrong: Any) -> None:
    mapping = load_mapping("openpi-generic")
    message = mapping.request(situation(mapping)) | {"observation/image": wrong}
    with pytest.raises(LackingInputError, match=r"must be one image \(openpi-generic.yaml:\d+\)"):
        Translator(mapping).observation(message)


def test_a_request_in_degrees_is_refused_with_its_line() -> None:
    mapping = load_mapping("openpi-joints")
    message = mapping.request(situation(mapping))
    translator = Translator(mapping, ToyRobot())  # type: ignore[arg-type]
    translator.observation(message)
    message["observation/state"] = np.full(19, 60.0)
    with pytest.raises(LackingInputError, match=r"openpi-joints.yaml:8: in the request the right ArmJoints .*unit"):
        translator.observation(message)


def test_a_grippers_scale_holds_for_states_as_for_answers(tmp_path: Path, whole: str) -> None:
    """A server that counts in millimetres gets millimetres."""
    text = whole.replace("closed: 1.0", "closed: 0.08, scale: 0.001").replace(
        "- {what: ignored, width: 3}", "- {what: gripper, side: right, closed: 0.08, scale: 0.001}"
    )
    (tmp_path / "x.yaml").write_text(text)
    mapping = load_mapping(tmp_path / "x.yaml")
    now = situation(mapping)
    message = mapping.request(now)
    way = CLOSED_RAD - OPEN_RAD
    share = float((now.xhand_rad(Side.RIGHT) - OPEN_RAD) @ way / (way @ way))
    assert 0 < share < 1
    assert message["state"][7] == pytest.approx(80 * share)
    seen_there = Translator(mapping, ToyRobot()).observation(message)  # type: ignore[arg-type]
    again = Situation(seen_there, mapping.step_s, ToyRobot())  # type: ignore[arg-type]
    assert mapping.request(again)["state"][7] == pytest.approx(80 * share, rel=1e-4)
