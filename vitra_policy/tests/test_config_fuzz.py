"""Files of a checkpoint with any value in any place load, or are refused by name; nothing else ever comes out."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vitra_policy.benchmarks.bench_gpu import TINY
from vitra_policy.benchmarks.random_network import example_statistics, random_network
from vitra_policy.checkpoint.errors import CheckpointFileError, UnsupportedReferenceError
from vitra_policy.checkpoint.reference import find_reference, network_config
from vitra_policy.checkpoint.store import About, open_checkpoint, save_model
from vitra_policy.checkpoint.stream import INDEX_FILE, weight_files
from vitra_policy.errors import VitraError
from vitra_policy.policies.registry import PolicyOptionError
from vitra_policy.policies.vitra import make_vitra_policy
from vitra_policy.statistics import Statistics, StatisticsError

VALUES: tuple[Any, ...] = (None, "x", "", -1, 0, 1, 2**70, 1e30, float("nan"), 0.5, True, [], [[1]], {}, {"a": 1})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "tiny"
    return save_model(folder, random_network(TINY), about=About(statistics=example_statistics()))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON value; of lists only the first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def with_value(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return changed


@pytest.mark.parametrize("name", ["config.json", "statistics.json", "provenance.json"])
def test_any_value_in_any_place_is_taken_or_refused_by_name(checkpoint: Path, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(checkpoint, folder)
    content = json.loads((folder / name).read_text())
    if name == "statistics.json":
        (folder / "provenance.json").unlink()  # or every change would be refused by the hash that is in there
    refused = 0
    for path in places(content):
        for value in VALUES:
            (folder / name).write_text(json.dumps(with_value(content, path, value)))
            try:
                open_checkpoint(folder)
            except VitraError:
                refused += 1
    for text in ("", "{", "[" * 100_000, "\x00"):
        (folder / name).write_text(text)
        with pytest.raises(VitraError):
            open_checkpoint(folder)
    assert refused > 10


@pytest.mark.parametrize(("name", "new", "complaint"), [
    ("model", "modle", "config.json: Unknown key 'modle'. Did you mean 'model'"), ("model", "", "has no 'model'"),
])  # fmt: skip
def test_a_configuration_without_its_network_is_refused_and_not_taken_for_the_usual_one(
    checkpoint: Path, tmp_path: Path, name: str, new: str, complaint: str
) -> None:
    content = json.loads((checkpoint / "config.json").read_text())
    network = content.pop(name)
    (tmp_path / "config.json").write_text(json.dumps(content | ({new: network} if new else {})))
    with pytest.raises(CheckpointFileError, match=complaint):
        open_checkpoint(tmp_path)


def test_any_value_in_any_place_of_a_reference_config_is_taken_or_refused_by_name(sibling_run_dir: Path) -> None:
    run = json.loads((sibling_run_dir / "config.json").read_text())
    vlm = json.loads((sibling_run_dir / "base/config.json").read_text())
    for which in (0, 1):
        for path in places((run, vlm)[which]):
            for value in VALUES if path else ():
                both = [run, vlm]
                both[which] = with_value(both[which], path, value)
                try:
                    network_config(*both)
                except VitraError:
                    continue


@pytest.mark.parametrize(
    ("name", "value"), [("action_type", "keypoints"), ("use_rel", True), ("use_rel", 1.5), ("rel_mode", "anchor")]
)
def test_actions_of_another_meaning_are_refused(name: str, value: object) -> None:
    network_config({"train_dataset": {"action_type": "angle", "use_rel": False, "rel_mode": "step"}}, {})
    with pytest.raises(UnsupportedReferenceError, match=f"train_dataset.{name}"):
        network_config({"train_dataset": {name: value}}, {})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"weight_map": 5}', '{"weight_map": {"a": 3}}'])
def test_a_damaged_index_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / INDEX_FILE).write_text(text)
    with pytest.raises(CheckpointFileError, match="Copy the checkpoint again"):
        weight_files(tmp_path)


def test_a_image_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(CheckpointFileError, match="no checkpoint"):
        find_reference(tmp_path / "photo.png")


def hand(kind: str = "", value: float = 0.0) -> dict[str, dict[str, list[float]]]:
    moments = {"mean": [0.0] * 18, "std": [0.1] * 18}
    if kind:
        moments[kind] = [value] * 18
    return {"state_right": moments, "action_right": moments}


def test_statistics_that_give_no_action_a_meaning_are_refused() -> None:
    Statistics.from_dict(hand())
    for values, complaint in (
        ({}, "no hand"),
        (hand("std", 0.0), "zero"),
        ({w: {"mean": [0.0] * 18, "std": [0.0] * 18} for w in ("state_right", "action_right")}, "zero"),
        (hand() | {"num_traj": "many"}, "num_traj"),
    ):
        with pytest.raises(StatisticsError, match=complaint):
            Statistics.from_dict(values)


@pytest.mark.parametrize(
    "options",
    [
        {"seed": "-1"},
        {"seed": str(2**80)},
        {"seed": "x"},
        {"threads": "-3"},
        {"threads": str(10**9)},
        {"guidance": "nan"},
        {"guidance": "-2"},
        {"guidance": "inf"},
        {"rate_hz": "0"},
        {"rate_hz": "-30"},
        {"rate_hz": "nan"},
        {"rate_hz": "1e9"},
        {"steps": "10.5"},
        {"fp8": "true", "mode": "parity"},
        {"graphs": "somewhere", "mode": "fast"},
        {"dtype": "float16"},
    ],
)
def test_options_out_of_bounds_are_refused_before_anything_is_loaded(checkpoint: Path, options: dict[str, str]) -> None:
    with pytest.raises(PolicyOptionError, match="Policy 'vitra'"):
        make_vitra_policy(str(checkpoint), **options)
