"""A compiled stage answers like its method, for any length, without stale memory and without telling anybody."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vitra_policy.action_space import Hands, action_mask
from vitra_policy.benchmarks.bench_gpu import TINY
from vitra_policy.benchmarks.random_network import random_network
from vitra_policy.engine import fast as engine
from vitra_policy.engine import stage as engine_stage
from vitra_policy.engine.fast import FastEngine, FastOptions
from vitra_policy.engine.linear import Linears, unwrapped
from vitra_policy.engine.prefix import FastPrefix
from vitra_policy.engine.stage import OpenVinoStage, has_openvino
from vitra_policy.model.request import ChunkRequest
from vitra_policy.tokenizer import ByteTokenizer


class Pair(nn.Module):
    """A little method: rows through a layer, and their sum."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(8, 8).requires_grad_(False)
        self.traced = 0

    def run(self, x: Tensor, y: Tensor, *, scale: float, extra: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.traced += 1
        rows = self.layer(x) * scale + y
        return (rows if extra is None else rows + extra), rows.sum(0)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def check(pair: Pair, stage: OpenVinoStage, **arguments: Any) -> None:
    found, expected = stage(**arguments), pair.run(**arguments)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_a_stage_answers_like_its_method_again_and_again(pair: Pair) -> None:
    stage = OpenVinoStage(pair.run)
    for seed in range(3):
        x, y = torch.randn(4, 8, generator=torch.Generator().manual_seed(seed)), torch.full((4, 8), float(seed))
        check(pair, stage, x=x, y=y, scale=2.0)


def test_arguments_need_not_be_contiguous(pair: Pair) -> None:
    stage = OpenVinoStage(pair.run, varying=("x",))
    check(pair, stage, x=torch.randn(8, 4).T, y=torch.randn(1, 8).expand(4, 8), scale=1.0)


def test_a_varying_length_is_not_compiled_anew_but_another_setting_is(pair: Pair) -> None:
    stage = OpenVinoStage(pair.run, varying=("x", "y"))
    check(pair, stage, x=torch.randn(4, 8), y=torch.randn(4, 8), scale=1.0)
    pair.traced = 0
    for rows in (1, 7, 4):
        stage(x=torch.randn(rows, 8), y=torch.randn(rows, 8), scale=1.0)
    assert pair.traced == 0
    check(pair, stage, x=torch.randn(5, 8), y=torch.randn(5, 8), scale=1.0)
    pair.traced = 0
    stage(x=torch.randn(4, 8), y=torch.randn(4, 8), scale=3.0)
    assert pair.traced > 0
    check(pair, stage, x=torch.randn(4, 8), y=torch.randn(4, 8), scale=3.0)
    check(pair, stage, x=torch.randn(4, 8), y=torch.randn(4, 8), scale=3.0, extra=torch.ones(8))


def test_the_variant_used_longest_ago_is_forgotten_first(pair: Pair) -> None:
    stage = OpenVinoStage(pair.run, capacity=2)
    x = torch.randn(4, 8)
    for scale in (1.0, 2.0, 1.0, 3.0):  # 2.0 goes
        stage(x=x, y=x, scale=scale)
    pair.traced = 0
    stage(x=x, y=x, scale=1.0)
    assert pair.traced == 0
    stage(x=x, y=x, scale=2.0)
    assert pair.traced > 0


def test_compiling_connects_to_nobody(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: socket.socket, address: object) -> None:
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    check(pair, OpenVinoStage(pair.run), x=torch.randn(2, 8), y=torch.randn(2, 8), scale=1.0)


def test_without_openvino_the_engine_answers_the_same_and_says_how_to_be_faster(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = random_network(TINY)
    seen = {
        "image": np.zeros((48, 64, 3), np.uint8), "instruction": "Left hand: None. Right hand: Lift it.",
        "fov": [1.1, 0.8], "action_mask": action_mask(Hands(right=True)), "seed": 0,
    }  # fmt: skip
    usual = FastEngine(model, ByteTokenizer(), None, options=FastOptions(dtype=torch.float32)).predict(
        ChunkRequest(**seen)
    )
    has_openvino.cache_clear()
    monkeypatch.setattr(engine_stage, "find_spec", lambda _: None)
    plain = FastEngine(model, ByteTokenizer(), None, options=FastOptions(dtype=torch.float32))
    has_openvino.cache_clear()
    np.testing.assert_allclose(plain.predict(ChunkRequest(**seen)), usual, rtol=1e-4, atol=1e-4)
    assert "pip install openvino" in caplog.text


def test_usual_text_lengths_are_recorded_once_whatever_the_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_network(TINY)
    fast = FastEngine(model, ByteTokenizer(), None, options=FastOptions(dtype=torch.float32))
    fast.prefix = FastPrefix(model, Linears(torch.device("cpu"), torch.float32), unwrapped, bucket=16)
    recorded: list[tuple[int, int]] = []
    monkeypatch.setattr(
        fast, "_graphs", lambda *_, pixels, tail, bias, row: recorded.append((len(tail), int(bias.isinf().sum())))
    )
    for _ in range(3):
        fast._record_lengths(torch.zeros(1, 3, 28, 28))
    assert recorded == [(length, 0) for length in engine.USUAL_LENGTHS]
