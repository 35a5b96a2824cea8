"""The reference's checkpoints: where their files lie, and which network they mean, and files that are refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from vitra_policy.checkpoint.errors import CheckpointFileError, CheckpointKeysError, UnsupportedReferenceError
from vitra_policy.checkpoint.hub import is_hub_id
from vitra_policy.checkpoint.reference import find_reference, network_config
from vitra_policy.model.config import preset
from vitra_policy.statistics import HandStatistics, Moments, Statistics


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code ran')",))


@pytest.mark.parametrize("content", ["garbage", "pickle", "list", "wrapped"])
def test_files_that_are_no_weights_are_refused_and_run_no_code(tmp_path: Path, content: str) -> None:
    path = tmp_path / "weights.pt"
    if content == "garbage":
        path.write_bytes(b"not a zip at all")
    elif content == "pickle":
        path.write_bytes(pickle.dumps(Bomb()))
    else:
        torch.save([1] if content == "list" else {"model": {"x": torch.zeros(1)}}, path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointFileError, match="weights.pt"):
        find_reference(tmp_path).load_model()


def test_a_zip_with_code_is_refused(tmp_path: Path) -> None:
    torch.save({"x": Bomb()}, tmp_path / "weights.pt")
    with pytest.raises(CheckpointFileError, match="weights.pt"):
        find_reference(tmp_path).load_model()


def test_unknown_tensors_are_refused(tmp_path: Path) -> None:
    torch.save({"decoder.weight": torch.zeros(2)}, tmp_path / "weights.pt")
    with pytest.raises(CheckpointKeysError, match=r"decoder\.weight"):
        find_reference(tmp_path).load_model()


def touch(path: Path, text: str = "PK") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_latest_step_of_a_run_is_taken(tmp_path: Path) -> None:
    for step in (500, 20000, 9000):
        folder = tmp_path / f"checkpoints/epoch=0-step={step}.ckpt"
        touch(folder / "weights.pt")
        touch(folder / "optimizer.pt")
        touch(folder / "meta.json", json.dumps({"epoch": 0, "global_step": step}))
    assert find_reference(tmp_path).weights_file.parent.name == "epoch=0-step=20000.ckpt"


def test_a_hub_layout_and_a_lone_ckpt_directory_find_their_files(tmp_path: Path) -> None:
    state, action = (Moments(np.zeros(size), np.ones(size)) for size in (61, 51))
    statistics = Statistics("a test", {"right": HandStatistics(state, action)})
    touch(tmp_path / "configs/config.json", json.dumps({"action_model": {"model_type": "DiT-S"}}))
    touch(tmp_path / "statistics/dataset_statistics.json", json.dumps(statistics.to_dict()))
    touch(tmp_path / "tokenizer.json", "{}")
    touch(tmp_path / "checkpoints/vitra-vla-3b.pt")
    for source in (tmp_path, tmp_path / "checkpoints/vitra-vla-3b.pt"):
        run = find_reference(source)
        assert run.weights_file.name == "vitra-vla-3b.pt"
        assert run.config.expert.width == 384
        assert run.statistics is not None
        assert run.tokenizer_file == tmp_path / "tokenizer.json"


def test_a_lone_file_is_taken_for_the_published_network(tmp_path: Path) -> None:
    run = find_reference(touch(tmp_path / "a/b/c/d/vitra-vla-3b.pt"))
    published = preset("3b")
    assert (run.config.vision, run.config.language, run.config.expert) == (
        published.vision,
        published.language,
        published.expert,
    )
    assert run.statistics is None


def test_the_published_configuration_is_the_3b_preset() -> None:
    run = {
        "vla_name": "VITRA_Paligemma",
        "fwd_pred_next_n": 16,
        "use_state": "DiT",
        "use_fov": True,
        "action_model": {"model_type": "DiT-B", "token_size": 2304, "action_dim": 192, "hidden_size": 1024},
        "state_encoder": {"state_dim": 212},
    }
    ours = network_config(run, {})
    assert ours.expert == preset("3b").expert
    assert ours.language == preset("3b").language


def test_ablations_of_the_reference_configuration_are_followed() -> None:
    ours = network_config({"use_state": None, "use_fov": False}, {})
    assert not ours.expert.use_state
    assert not ours.use_fov
    with pytest.raises(UnsupportedReferenceError, match="VLM"):
        network_config({"use_state": "VLM"}, {})


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointFileError, match="nothing-here"):
        find_reference(tmp_path / "nothing-here")
    with pytest.raises(CheckpointFileError, match="No weights"):
        find_reference(tmp_path)


def test_hub_names_are_told_from_paths() -> None:
    assert is_hub_id("microsoft/VITRA-VLA-3B")
    assert not is_hub_id("runs/a/b")
    assert not is_hub_id("/runs")
