"""Arms and hands are described once, and a description that contradicts itself is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml

from vitra_description.arm_description import ArmDescriptionError
from vitra_description.arms import ARMS, arm_description
from vitra_description.calibration import CalibrationError, calibration_path, load_calibration
from vitra_description.description import robot_description
from vitra_description.hand_description import HandDescriptionError
from vitra_description.hands import HANDS, hand_description
from vitra_description.joint_limits import JointLimits
from vitra_description.kinematics import HandModel
from vitra_policy.action_space import SIDES
from vitra_safety.guard import arm_guard, hand_guard


@pytest.mark.parametrize("name", HANDS.built_in)
def test_a_hand_s_urdf_has_its_joints_with_its_vendor_limits(name: str) -> None:
    hand = hand_description(name)
    for side in SIDES:
        model = HandModel(side, hand)._model
        ids = [model.getJointId(joint) for joint in hand.joint_names(side)]
        assert sorted(ids) == list(range(1, hand.dof + 1))
        index = [model.joints[i].idx_q for i in ids]
        np.testing.assert_allclose(model.lowerPositionLimit[index], hand.vendor_limits.lower_rad, atol=1e-6)
        np.testing.assert_allclose(model.upperPositionLimit[index], hand.vendor_limits.upper_rad, atol=1e-6)


@pytest.mark.parametrize("name", HANDS.built_in)
def test_the_links_that_may_touch_are_shapes_of_the_hand(name: str) -> None:
    hand = hand_description(name)
    text = hand.urdf("right").read_text()
    for link in (*hand.thumb_links, *hand.finger_links):
        assert f'<collision name="right_hand_{link}_shape"' in text


@pytest.mark.parametrize("name", HANDS.built_in)
def test_left_and_right_hands_are_mirror_images(name: str) -> None:
    hand = hand_description(name)
    q = hand.limits.middle_rad
    left, right = (HandModel(side, hand).fingertips(q) for side in SIDES)
    np.testing.assert_allclose(left, right * [1, -1, 1], atol=1e-3)


def test_the_guards_keep_to_the_descriptions() -> None:
    slow = replace(arm_description(), limits=arm_description().limits.with_velocity(0.1), planning_velocity_rad_s=0.1)
    assert arm_guard(slow).limits.velocity_rad_s.max() == 0.1
    six = hand_description("sixdof")
    assert hand_guard(six).limits is six.limits
    assert hand_guard(six).max_step_rad == six.max_step_rad


def test_arms_are_found_by_their_name() -> None:
    assert {"6f", "b"} <= set(ARMS.names())
    assert arm_description("b").urdf != arm_description("6f").urdf


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"open_rad": np.zeros(5)}, "open_rad has 5 joints, its map 6"),
        ({"open_rad": np.full(6, 3.0)}, "open_rad .* out of limits"),
        ({"limits": JointLimits.build(np.zeros(6), np.full(6, 3.0), 1.0, 1.0)}, "beyond the vendor's"),
    ],
)
def test_a_hand_that_contradicts_itself_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(HandDescriptionError, match=words):
        replace(hand_description("sixdof"), **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"home_right_rad": np.zeros(6)}, "home_right_rad has 6 joints"),
        ({"home_right_rad": np.full(7, 3.0)}, "home posture is out of limits"),
        ({"limits": JointLimits.build(np.full(7, -7.0), np.full(7, 7.0), 1.0, 1.0)}, "beyond the vendor's"),
    ],
)
def test_an_arm_that_contradicts_itself_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ArmDescriptionError, match=words):
        replace(arm_description(), **changes)


def test_the_example_s_calibration_is_the_simulator_s_with_another_hand() -> None:
    sim, six = (yaml.safe_load(calibration_path(name).read_text()) for name in ("sim", "sim_sixdof"))
    assert six["hardware"].pop("hand") == "sixdof"
    assert sim.pop("version") != six.pop("version")
    assert sim == six


def test_the_robot_has_the_hand_that_its_calibration_names() -> None:
    text = robot_description("right", load_calibration(calibration_path("sim_sixdof")))
    assert "right_hand_thumb_flex_joint" in text
    assert "right_hand_thumb_rota_joint1" not in text


def test_a_calibration_that_names_an_unknown_hand_is_refused(tmp_path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(calibration_path("sim_sixdof").read_text().replace("hand: sixdof", "hand: sixdofs"))
    with pytest.raises(CalibrationError, match="Did you mean 'sixdof'"):
        load_calibration(path)
