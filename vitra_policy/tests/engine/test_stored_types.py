"""A checkpoint may be stored in any number format; every mode takes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vitra_policy.benchmarks.bench_gpu import TINY
from vitra_policy.benchmarks.random_network import example_statistics, random_network
from vitra_policy.benchmarks.scene import Scene
from vitra_policy.checkpoint.store import About, save_model
from vitra_policy.engine import fast, onnx_graphs, streamed
from vitra_policy.engine.onnx_graphs import export_onnx, fingerprint
from vitra_policy.loading import find_checkpoint, load_policy
from vitra_policy.model import stored
from vitra_policy.model.stored import computes_in_fp32

CONFIG = TINY


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same network in three formats, its weights exact in all of them."""
    folder = tmp_path_factory.mktemp("stored")
    model = random_network(CONFIG)
    for weight in model.parameters():
        weight.data = weight.data.bfloat16().half().float()
    return {
        name: save_model(folder / name, model, dtype=getattr(torch, name), about=About(statistics=example_statistics()))
        for name in ("float32", "bfloat16", "float16")
    }


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
@pytest.mark.parametrize("mode", ["parity", "fast"])
def test_every_mode_answers_alike_whatever_type_is_stored(
    checkpoints: dict[str, Path], name: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_SMALL", 0)
    options = {"dtype": torch.float32} if mode == "fast" else {}
    request = Scene.of(CONFIG).request()
    expected = load_policy(checkpoints["float32"], "parity").predict(request)
    answer = load_policy(checkpoints[name], mode, **options).predict(request)
    # What float16 cannot hold of bf16's range was dropped for all of them alike.
    assert np.abs(answer - expected).max() < 2e-3 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_graphs_are_exported_in_fp32_whatever_type_is_stored(
    checkpoints: dict[str, Path], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs: dict[str, torch.dtype] = {}

    def run(graph: Any, path: Path) -> None:  # the exporter itself takes a minute; it traces this very call
        found = graph.module(**graph.inputs)
        outputs[path.stem] = (found if isinstance(found, torch.Tensor) else found[0]).dtype

    monkeypatch.setattr(onnx_graphs, "_export", run)
    model = find_checkpoint(checkpoints[name]).load_model()
    printed = fingerprint(model)
    export_onnx(model, tmp_path)
    assert outputs == dict.fromkeys(("prefix", "cond", "step"), torch.float32)
    assert json.loads((tmp_path / "network.json").read_text())["weights"] == printed


@pytest.mark.parametrize("bf16", [False, True])
def test_a_large_network_runs_on_the_weights_of_its_file(
    checkpoints: dict[str, Path], bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed, "LARGE", 0)
    request = Scene.of(CONFIG).request()
    expected = load_policy(checkpoints["float32"], "parity").predict(request)
    engine = load_policy(checkpoints["bfloat16"], "fast", dtype=torch.bfloat16 if bf16 else torch.float32)
    assert isinstance(engine, fast.FastEngine)
    assert isinstance(engine.prefix, streamed.StreamedPrefix)
    error = np.abs(engine.predict(request) - expected).max() / np.abs(expected).max()
    assert error < (0.1 if bf16 else 1e-4)
    assert (error > 1e-4) == bf16


def test_large_matrices_are_not_copied(checkpoints: dict[str, Path]) -> None:
    model = find_checkpoint(checkpoints["bfloat16"]).load_model()
    layer = model.language.layers[0].gate
    address = layer.weight.data_ptr()
    embedding = model.language.embedding.weight.data_ptr()
    before = fingerprint(model)
    computes_in_fp32(model, small=0)
    assert layer.weight.dtype == torch.float32
    assert layer.parametrizations.weight.original.data_ptr() == address  # type: ignore[union-attr]
    assert model.language.embedding.weight.data_ptr() == embedding
    assert all(weight.dtype == torch.float32 for weight in model.expert.parameters())
    assert fingerprint(model) == before


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_matrices_are_multiplied_as_they_are_stored_where_the_products_are_of_that_type(
    checkpoints: dict[str, Path], name: str
) -> None:
    model = find_checkpoint(checkpoints[name]).load_model()
    layer = model.language.layers[0].gate
    address, number = layer.weight.data_ptr(), layer.weight.detach().float().bfloat16()
    computes_in_fp32(model, small=0)
    with torch.autocast("cpu", torch.bfloat16):
        weight = layer.weight
    assert (weight.data_ptr() == address) == (name == "bfloat16"), "neither by way of fp32 nor copied"
    assert torch.equal(weight, number)
    assert layer.weight.dtype == torch.float32
