"""Mapping files that cannot be are refused as a whole, each with the line that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_policy.errors import UnknownNameError
from vitra_policy.mappings.document import MappingError
from vitra_policy.mappings.mapping import load_mapping
from vitra_policy.mappings.part import AnswerRefusedError


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be a map"),
        ("a: [", "x.yaml:1: this is no YAML"),
        ("request:\n  x: {image: head}\n", "x.yaml:1: 'answer'"),
        ("request:\n  x: {image: wrist}\nanswer: {}\n", "x.yaml:2: image: 'wrist' is none of head, black"),
        ("request:\n  x: {image: head, sise: [1, 2]}\nanswer: {}\n", "x.yaml:2: 'sise' means nothing"),
        ("request:\n  x: {image: head, size: [0, 2]}\nanswer: {}\n", "x.yaml:2: size"),
        ("request:\n  x: 3\nanswer: {}\n", "x.yaml:2: 'x' must be a map"),
        ("request:\n  x: {text: prompt}\nanswer:\n  horizon: 5\n  parts: []\n", "'rate_hz' is missing"),
        ("request:\n  x: {text: prompt}\nanswer:\n  rate_hz: 5\n  parts: []\n", "x.yaml:5: 'parts' must be a list"),
        (
            "request:\n  x: {text: prompt}\nanswer:\n  rate_hz: 5\n  parts:\n"
            "    - {what: arm_joint, side: left}\n",
            "x.yaml:6: what: 'arm_joint' .*Did you mean 'arm_joints'",
        ),
        (
            "request:\n  x: {text: prompt}\nanswer:\n  rate_hz: 5\n  parts:\n"
            "    - {what: gripper, side: left}\n    - {what: xhand, side: left}\n",
            "x.yaml:7: a second part moves the left fingers",
        ),
        ("request:\n  x: {text: prompt}\n  x: {text: prompt}\nanswer: {}\n", "x.yaml:3: 'x' is there twice"),
        ("request:\n  x: {text: prompt}\nanswer:\n  rate_hz: 5\n  parts:\n    - {what: ignored, width: 3}\n",
         "no part of the answer moves anything"),
    ],
)  # fmt: skip
def test_a_broken_mapping_names_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(MappingError, match=says):
        load_mapping(tmp_path / "x.yaml")


def test_an_unknown_mapping_lists_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'openpi-droid'"):
        load_mapping("openpi-drod")


@pytest.mark.parametrize(
    ("there", "instead", "says"),
    [
        ("scale: 1.0", "scale: .nan", "x.yaml:13: scale: nan .* finite"),
        ("scale: 1.0", "scale: .inf", "x.yaml:13: scale: inf .* finite"),
        ("scale: 1.0", "scale: 0", "x.yaml:13: scale: 0 .* not be 0"),
        ("closed: 1.0", "closed: .nan", "x.yaml:7: closed: nan .* finite"),
        ("width: 3", "width: -3", "x.yaml:14: width: -3 .* between 1"),
        ("width: 3", "width: 99999999999", "x.yaml:14: width: .* between 1"),
        ("horizon: 16", "horizon: 1.5", "x.yaml:10: horizon: 1.5 .* whole number"),
        ("horizon: 16", "horizon: true", "x.yaml:10: horizon: True .* whole number"),
        ("[224, 224]", "224", "x.yaml:3: size: 224 .* a list"),
        ("[224, 224]", "[224]", r"x.yaml:3: size: \[224\] .*width, height"),
        ("name: own", "name: ''", "x.yaml:1: name"),
        ("name: own", "name: own\nexpect: [1, 2]", "x.yaml:2: 'expect' must be a map"),
        ("name: own", "name: own\ncamera_fov_deg: [400, -3]", "x.yaml:2: camera_fov_deg: .* between 0 and 175"),
        ("name: own", "name: own\ncamera_fov_deg: 60", "x.yaml:2: camera_fov_deg: 60 .* a list"),
        ("{text: instruction}", "{}", "x.yaml:8: 'prompt' is empty; .* text"),
        ("{text: instruction}", "{constant: 2020-01-01}", "x.yaml:8: constant: .* must be a number, words"),
        ("{text: instruction}", "{constant: &a [*a]}", "holds itself"),
        ("rate_hz", "rate_hs", "x.yaml:9: 'rate_hz' is missing. Is it 'rate_hs' in line 11"),
        ("request:", "requests:", "'request' must be a map of keys and values. Is it 'requests' in line 2"),
        ("name: own", "\tname: own", "x.yaml:1: this is no YAML: [^\n]*$"),
        ("rate_hz: 30", "rate_hz: 2026-13-40", "x.yaml:11: '2026-13-40' is no timestamp: month"),
        ("rate_hz: 30", "rate_hz: !!int many", "x.yaml:11: 'many' is no int"),
        ("rate_hz: 30", "rate_hz: !!bool maybe", "x.yaml:11: 'maybe' is no bool"),
        ("rate_hz: 30", "rate_hz: !!timestamp noon", "x.yaml:11: 'noon' is no timestamp"),
        ("rate_hz: 30", "rate_hz: " + "9" * 5000, "x.yaml:11: '9999.*' is no int"),
        ("rate_hz: 30", "rate_hz: 1" + "0" * 400, "x.yaml:11: rate_hz: 1000.* cannot be used: int too large"),
        ("rate_hz: 30", "rate_hz: 30\n  key: [a]", "x.yaml:12: key: .* must be words"),
        ("rate_hz: 30", "rate_hz: 30\n  key:", "x.yaml:12: key: None .* must be words"),
        ("scale: 1.0", "scale: 1e-320", "x.yaml:13: scale: .* between 1e-06 and 1e"),
        ("arm_joints, side: right}", "wrist, side: right, tool_from_wrist: [0, 0, 0, 0, 0, 1.0e+300]}",
         "x.yaml:6: tool_from_wrist: .* between -10 and 10"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused_with_its_line(
    tmp_path: Path, whole: str, there: str, instead: str, says: str
) -> None:
    (tmp_path / "x.yaml").write_text(whole)
    load_mapping(tmp_path / "x.yaml")
    (tmp_path / "x.yaml").write_text(whole.replace(there, instead, 1))
    with pytest.raises(MappingError, match=says):
        load_mapping(tmp_path / "x.yaml")


def test_aliases_that_grow_without_end_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (tmp_path / "x.yaml").write_text("\n".join(lines))
    with pytest.raises(MappingError, match=r"x.yaml:\d+: more than \d+ values"):
        load_mapping(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("path", "says"), [("/dev/zero", "is no file"), (".", "is no file"), ("none", "No such file"), ("a\0b", "null")]
)
def test_a_path_that_holds_no_mapping_is_refused(tmp_path: Path, path: str, says: str) -> None:
    wanted = tmp_path / "x.yaml"
    if "/" in path or path == ".":
        wanted.symlink_to(path)
    with pytest.raises(MappingError, match=says):
        load_mapping(wanted if wanted.is_symlink() else f"{path}.yaml")


@pytest.mark.parametrize("said", [np.int64(16), np.array(16)])
def test_numpys_numbers_in_metadata_are_numbers(tmp_path: Path, whole: str, said: Any) -> None:
    (tmp_path / "x.yaml").write_text("expect: {horizon: 16}\n" + whole)
    mapping = load_mapping(tmp_path / "x.yaml")
    mapping.check_metadata({"horizon": said})
    with pytest.raises(AnswerRefusedError, match=r"x.yaml:1: the server says horizon = .*expected is 16"):
        mapping.check_metadata({"horizon": np.arange(16)})
