"""Calibration files: what is read, and how broken ones are answered."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from vitra_description.calibration import (
    CALIBRATION_VARIABLE,
    CalibrationError,
    calibration_path,
    default_calibration,
    load_calibration,
)
from vitra_description.hardware import RobotKind
from vitra_description.names import ArmVariant
from vitra_policy.errors import UnknownNameError


@pytest.fixture
def raw() -> dict:
    return yaml.safe_load(calibration_path("sim").read_text(encoding="utf-8"))


@pytest.fixture
def load(tmp_path: Path) -> Callable[[object], object]:
    def write_and_load(content: object) -> object:
        path = tmp_path / "test.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
        return load_calibration(path)

    return write_and_load


def test_the_default_mounting_is_symmetric() -> None:
    calibration = default_calibration()
    mirror = np.diag([1.0, -1.0, 1.0, 1.0])
    left, right = calibration.left, calibration.right
    np.testing.assert_allclose(left.base_from_arm_base, mirror @ right.base_from_arm_base @ mirror, atol=1e-12)
    np.testing.assert_allclose(left.ee_from_hand_base, mirror @ right.ee_from_hand_base @ mirror, atol=1e-12)


def test_the_wrist_axes_are_those_of_the_mano_hand() -> None:
    calibration = default_calibration()
    fingers, back, thumb_right = np.array([0, 0, 1.0]), np.array([-1.0, 0, 0]), np.array([0, 1.0, 0])
    right = calibration.right.hand_base_from_hand_mount[:3, :3]
    left = calibration.left.hand_base_from_hand_mount[:3, :3]
    np.testing.assert_allclose(right, np.column_stack([-fingers, back, thumb_right]))
    np.testing.assert_allclose(left, np.column_stack([fingers, back, -thumb_right]))


def test_the_hash_changes_with_the_text(raw: dict, load: Callable) -> None:
    first = load(raw)
    raw["version"] = "other"
    second = load(raw)
    assert second.version == "other"
    assert first.sha256 != second.sha256


def test_the_camera_sees_the_arm_bases_where_the_base_does(raw: dict) -> None:
    calibration = default_calibration()
    np.testing.assert_allclose(
        calibration.base_from_head_camera @ calibration.head_camera_from_arm_base("left"),
        calibration.left.base_from_arm_base,
        atol=1e-12,
    )


def test_a_mirrored_rotation_is_refused(raw: dict, load: Callable) -> None:
    raw["base_from_head_camera"]["rotation"] = [[1, 0, 0], [0, 1, 0], [0, 0, -1]]
    with pytest.raises(CalibrationError, match="base_from_head_camera.rotation has determinant -1"):
        load(raw)


def test_a_rotation_that_is_not_orthonormal_is_refused(raw: dict, load: Callable) -> None:
    raw["right_ee_from_hand_base"]["rotation"] = [[1.01, 0, 0], [0, 1, 0], [0, 0, 1]]
    with pytest.raises(CalibrationError, match="not orthonormal"):
        load(raw)


@pytest.mark.parametrize("value", [[0, 0], [0, 0, float("nan")], ["a", 0, 0], 3, None])
def test_a_bad_translation_is_named(raw: dict, load: Callable, value: object) -> None:
    raw["base_from_left_arm_base"]["translation_m"] = value
    with pytest.raises(CalibrationError, match="base_from_left_arm_base.*translation_m"):
        load(raw)


@pytest.mark.parametrize("key", ["version", "base_from_head_camera", "head_camera", "left_ee_from_hand_base"])
def test_a_missing_key_is_named(raw: dict, load: Callable, key: str) -> None:
    del raw[key]
    with pytest.raises(CalibrationError, match=f"'{key}' is missing"):
        load(raw)


def test_a_misspelt_key_gets_a_suggestion(raw: dict, load: Callable) -> None:
    raw["base_from_head_camara"] = raw.pop("base_from_head_camera")
    with pytest.raises(CalibrationError, match="Did you mean 'base_from_head_camera'"):
        load(raw)


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "just words"])
def test_a_file_that_is_no_mapping_is_refused(load: Callable, text: str) -> None:
    with pytest.raises(CalibrationError):
        load(text)


def test_a_focal_length_must_be_positive(raw: dict, load: Callable) -> None:
    raw["head_camera"]["fx_px"] = 0
    with pytest.raises(CalibrationError, match="fx_px must be positive"):
        load(raw)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="nowhere.yaml"):
        load_calibration(tmp_path / "nowhere.yaml")


def test_files_of_the_users_own_folder_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sim.yaml").write_text("mine", encoding="utf-8")
    monkeypatch.setenv(CALIBRATION_VARIABLE, str(tmp_path))
    assert calibration_path("sim") == tmp_path / "sim.yaml"


def test_a_path_to_a_file_is_as_good_as_a_name() -> None:
    assert calibration_path("/robots/lab.yaml") == Path("/robots/lab.yaml")
    assert calibration_path("~/lab.yml") == Path.home() / "lab.yml"


def test_an_unknown_calibration_is_answered_with_those_found() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'sim'"):
        calibration_path("sin")


def scaled(raw: dict, *keys: str) -> None:
    for key in keys:
        raw[key]["translation_m"] = [1000.0 * value for value in raw[key]["translation_m"]]


def inverted(raw: dict, *keys: str) -> None:
    for key in keys:
        rotation, translation = np.array(raw[key]["rotation"]), np.array(raw[key]["translation_m"])
        raw[key] = {"rotation": rotation.T.tolist(), "translation_m": (-rotation.T @ translation).tolist()}


def swapped(raw: dict, first: str, second: str) -> None:
    raw[first], raw[second] = raw[second], raw[first]


@pytest.mark.parametrize(
    ("change", "keys", "words"),
    [
        (scaled, ("base_from_left_arm_base",), "millimetres"),
        (scaled, ("right_ee_from_hand_base",), "millimetres"),
        (scaled, ("base_from_head_camera",), "millimetres"),
        (inverted, ("base_from_head_camera",), "base_from_head_camera inverted"),
        (inverted, ("base_from_left_arm_base", "base_from_right_arm_base"), "base_from_arm_base inverted"),
        (swapped, ("base_from_left_arm_base", "base_from_right_arm_base"), "sides swapped"),
        (swapped, ("left_hand_base_from_hand_mount", "right_hand_base_from_hand_mount"), "sides swapped"),
    ],
)
def test_a_calibration_that_cannot_be_true_is_refused(
    raw: dict, load: Callable, change: Callable, keys: tuple[str, ...], words: str
) -> None:
    raw = copy.deepcopy(raw)
    change(raw, *keys)
    with pytest.raises(CalibrationError, match=words):
        load(raw)


def test_the_simulators_calibration_says_that_it_is_the_simulators() -> None:
    hardware = default_calibration().hardware
    assert (hardware.robot, hardware.arm_variant) == (RobotKind.SIM, ArmVariant.RM75_6F)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (3, "must be a mapping"),
        ({"robot": "reel"}, "Did you mean 'real'"),
        ({"arm_variant": "9f"}, "arm_variant"),
        ({"left_arm_ipp": "1.2.3.4"}, "Did you mean 'left_arm_ip'"),
        ({"left_arm_ip": "here"}, "must be an address"),
        ({"left_arm_ip": "1.2.3.4", "right_arm_ip": "1.2.3.4"}, "both arms"),
    ],
)
def test_a_hardware_entry_nobody_understands_is_refused(raw: dict, load: Callable, entry: object, words: str) -> None:
    raw["hardware"] = entry
    with pytest.raises(CalibrationError, match=words):
        load(raw)
