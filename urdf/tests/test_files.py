"""The shipped files: flat URDFs match the xacro sources, masses and mounting are as stated."""

import xml.etree.ElementTree as ET

import numpy as np
import pinocchio as pin
import pytest

from vitra_description.calibration import default_calibration
from vitra_description.description import FLAT_FILES, URDF_FOLDER, expand, hand_urdf, robot_description
from vitra_description.limits import ARM_VENDOR_LIMITS, HAND_VENDOR_LIMITS
from vitra_description.names import arm_joints, hand_base, hand_joints, hand_mount
from vitra_policy.action_space import SIDES
from vitra_policy.errors import UnknownNameError


def _model(text: str) -> pin.Model:
    return pin.buildModelFromXML(text)


def _frame(model: pin.Model, name: str) -> np.ndarray:
    data = model.createData()
    pin.framesForwardKinematics(model, data, pin.neutral(model))
    return np.array(data.oMf[model.getFrameId(name)].homogeneous)


@pytest.mark.parametrize("name", FLAT_FILES)
def test_a_flat_file_is_what_its_xacro_gives(name: str) -> None:
    file, arguments = FLAT_FILES[name]
    assert (URDF_FOLDER / name).read_text(encoding="utf-8") == expand(file, **arguments), (
        "run: python -m vitra_description.description"
    )


@pytest.mark.parametrize("name", FLAT_FILES)
def test_a_flat_file_names_no_folder_of_the_machine_that_made_it(name: str) -> None:
    assert str(URDF_FOLDER) not in (URDF_FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FLAT_FILES)
def test_every_collision_shape_has_a_name_of_its_own_and_no_mesh(name: str) -> None:
    root = ET.parse(URDF_FOLDER / name).getroot()
    names = [collision.get("name") for collision in root.iter("collision")]
    assert all(names)
    assert len(names) == len(set(names))
    assert not list(root.iter("mesh"))
    compiler = root.find("mujoco/compiler")
    assert compiler is not None
    assert compiler.get("fusestatic") == "false"


@pytest.mark.parametrize("name", FLAT_FILES)
def test_every_inertia_is_physically_possible(name: str) -> None:
    for inertial in ET.parse(URDF_FOLDER / name).getroot().iter("inertial"):
        values = {k: float(v) for k, v in inertial.find("inertia").attrib.items()}
        tensor = np.array(
            [
                [values["ixx"], values["ixy"], values["ixz"]],
                [values["ixy"], values["iyy"], values["iyz"]],
                [values["ixz"], values["iyz"], values["izz"]],
            ]
        )
        smallest, middle, largest = np.linalg.eigvalsh(tensor)
        assert smallest > 0
        assert smallest + middle >= largest * 0.999


@pytest.mark.parametrize(("name", "mass_kg"), [("../arms/rm75/b.urdf", 7.78), ("../arms/rm75/6f.urdf", 7.92)])
def test_an_arm_weighs_what_the_vendor_says(name: str, mass_kg: float) -> None:
    root = ET.parse(URDF_FOLDER / name).getroot()
    assert sum(float(mass.get("value")) for mass in root.iter("mass")) == pytest.approx(mass_kg, abs=0.01)


@pytest.mark.parametrize("side", SIDES)
def test_a_hand_weighs_what_the_vendor_says(side: str) -> None:
    root = ET.parse(hand_urdf(side)).getroot()
    assert sum(float(mass.get("value")) for mass in root.iter("mass")) == pytest.approx(1.101, abs=0.001)


def test_the_urdf_limits_are_the_vendor_limits_of_the_code() -> None:
    root = ET.fromstring(robot_description())
    joints = {joint.get("name"): joint.find("limit") for joint in root.iter("joint")}
    for side in SIDES:
        for names, limits in ((arm_joints(side), ARM_VENDOR_LIMITS), (hand_joints(side), HAND_VENDOR_LIMITS)):
            lower = [float(joints[name].get("lower")) for name in names]
            upper = [float(joints[name].get("upper")) for name in names]
            # The code takes the tighter of URDF and SDK.
            np.testing.assert_allclose(limits.lower_rad, lower, atol=3e-3)
            np.testing.assert_allclose(limits.upper_rad, upper, atol=3e-3)
            assert np.all(limits.lower_rad >= np.array(lower) - 1e-12)
            assert np.all(limits.upper_rad <= np.array(upper) + 1e-12)


def test_the_mounting_in_the_xacro_defaults_is_the_simulator_calibration() -> None:
    plain, inserted = _model(robot_description()), _model(robot_description("both", default_calibration()))
    for name in [frame.name for frame in plain.frames]:
        np.testing.assert_allclose(_frame(plain, name), _frame(inserted, name), atol=1e-9)


def test_the_description_puts_every_frame_where_the_calibration_says() -> None:
    calibration = default_calibration()
    model = _model(robot_description("both", calibration))
    np.testing.assert_allclose(
        _frame(model, "head_camera_color_optical_frame"), calibration.base_from_head_camera, atol=1e-12
    )
    link = _frame(model, "head_camera_link")
    np.testing.assert_allclose(link[:3, 0], calibration.base_from_head_camera[:3, 2], atol=1e-12)  # x ahead
    np.testing.assert_allclose(link[:3, 2], -calibration.base_from_head_camera[:3, 1], atol=1e-12)  # z up
    for side in SIDES:
        extrinsics = calibration.side(side)
        np.testing.assert_allclose(_frame(model, f"{side}_arm_base"), extrinsics.base_from_arm_base, atol=1e-12)
        hand_from_mount = np.linalg.inv(_frame(model, hand_base(side))) @ _frame(model, hand_mount(side))
        np.testing.assert_allclose(hand_from_mount, extrinsics.hand_base_from_hand_mount, atol=1e-12)


def test_one_side_alone_has_only_its_joints() -> None:
    names = list(_model(robot_description("left")).names)[1:]
    assert sorted(names) == sorted([*arm_joints("left"), *hand_joints("left")])


def test_an_unknown_side_is_answered_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'right'"):
        robot_description("rigth")
    with pytest.raises(UnknownNameError, match="Unknown arm"):
        robot_description("both", model="6fb")
