"""Exported graphs answer like the torch model, for texts and prefixes of any length."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_policy.action_space import Hands, action_mask, state_mask
from vitra_policy.benchmarks.bench_gpu import TINY
from vitra_policy.benchmarks.random_network import example_statistics, random_network
from vitra_policy.checkpoint.store import About, save_model
from vitra_policy.engine.onnx_engine import OnnxEngine, OnnxRuntimeError
from vitra_policy.engine.onnx_graphs import OnnxExportError, export_onnx
from vitra_policy.model.reference_policy import ReferencePolicy
from vitra_policy.model.request import ChunkRequest
from vitra_policy.model.vla import Vitra
from vitra_policy.policies.policy import make_example_observation
from vitra_policy.policies.registry import PolicyOptionError, create_policy
from vitra_policy.tokenizer import ByteTokenizer

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

CONFIG = replace(
    TINY,
    vision=replace(TINY.vision, layers=1),
    expert=replace(TINY.expert, layers=2),
    clean_prefix=True,
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Vitra, Path]:
    model = random_network(CONFIG)
    return model, export_onnx(model, tmp_path_factory.mktemp("onnx"))


def arguments(**changes: Any) -> dict[str, Any]:
    draw = np.random.default_rng(1)
    hands = Hands(right=True)
    return {
        "image": draw.integers(0, 256, (40, 60, 3), dtype=np.uint8),
        "instruction": "Left hand: None. Right hand: Lift it.",
        "fov": [1.1, 0.8],
        "state": draw.normal(size=212),
        "state_mask": state_mask(hands),
        "action_mask": action_mask(hands),
        "noise": draw.normal(size=(1, 16, 192)),
    } | changes


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"instruction": "Left hand: Hold the bottle. Right hand: Unscrew its cap and put it down on the table."},
        {"guidance": 1.0, "steps": 5},
        {"noise": None, "samples": 2, "seed": 4},
        {"prefix": np.ones((3, 192))},
        {"prefix": np.ones((5, 192)), "clean_prefix": True},
    ],
    ids=["plain", "longer text", "unguided", "samples", "prefix", "clean prefix"],
)
def test_onnx_runtime_agrees_with_torch(exported: tuple[Vitra, Path], changes: dict[str, Any]) -> None:
    model, graphs = exported
    engine = OnnxEngine(model, ByteTokenizer(), None, graphs=graphs)
    exact = ReferencePolicy(model, ByteTokenizer(), None).predict(ChunkRequest(**arguments(**changes)))
    found = engine.predict(ChunkRequest(**arguments(**changes)))
    assert found.shape == exact.shape
    assert np.abs(found - exact).max() / np.abs(exact).max() < 1e-5
    assert set(engine.timing) == {"preprocess", "prefix", "denoise"}


def test_graphs_of_another_network_are_refused(exported: tuple[Vitra, Path], tmp_path: Path) -> None:
    _, graphs = exported
    with pytest.raises(OnnxRuntimeError, match="another network"):
        OnnxEngine(random_network(TINY), ByteTokenizer(), None, graphs=graphs)
    with pytest.raises(OnnxRuntimeError, match="other weights"):
        OnnxEngine(random_network(CONFIG, seed=1), ByteTokenizer(), None, graphs=graphs)
    with pytest.raises(OnnxRuntimeError, match="export-onnx"):
        OnnxEngine(random_network(TINY), ByteTokenizer(), None, graphs=tmp_path)
    assert json.loads((graphs / "network.json").read_text())["opset"] == 20


def test_the_policy_takes_exported_graphs_by_option(exported: tuple[Vitra, Path], tmp_path: Path) -> None:
    model, graphs = exported
    path = save_model(tmp_path / "net", model, about=About(statistics=example_statistics(motion=0.1)))
    options = {"checkpoint": str(path), "mode": "onnx", "device": "cpu", "graphs": str(graphs), "seed": "1"}
    policy = create_policy("vitra", options)
    policy.warm_up()
    assert policy.infer(make_example_observation()).actions.shape == (16, 102)
    with pytest.raises(PolicyOptionError, match="mode=onnx"):
        create_policy("vitra", options | {"mode": "fast"})


def test_the_bidirectional_ablation_is_not_exported(tmp_path: Path) -> None:
    config = replace(TINY, expert=replace(TINY.expert, causal=False))
    with pytest.raises(OnnxExportError, match="causal"):
        export_onnx(random_network(config), tmp_path)
