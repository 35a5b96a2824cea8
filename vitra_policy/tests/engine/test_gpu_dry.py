"""What only a GPU does, on a CPU: fake graphs note what is recorded and where, shapes tell how much memory it takes."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vitra_policy.benchmarks import bench_gpu
from vitra_policy.benchmarks.bench_gpu import TINY, needed_gib, tf32
from vitra_policy.benchmarks.eager_reference import EagerReference
from vitra_policy.benchmarks.random_network import random_network
from vitra_policy.benchmarks.scene import Scene, tokenizer_for
from vitra_policy.engine import fast
from vitra_policy.engine import graph as graph_module
from vitra_policy.engine.fast import FastEngine, FastOptions
from vitra_policy.engine.graph import GraphCache
from vitra_policy.errors import VitraError
from vitra_policy.model.config import preset


@pytest.fixture(autouse=True)
def _without_compilers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, no OpenVINO."""
    monkeypatch.setattr(fast, "has_openvino", lambda: False)


class FakeCuda:
    """The parts of `torch.cuda` that recording needs; a recording replays nothing but notes its device."""

    def __init__(self) -> None:
        self.current = torch.device("cuda:0")
        self.noted: list[tuple[str, torch.device]] = []

    @contextmanager
    def device(self, device: torch.device) -> Iterator[None]:
        before, self.current = self.current, device
        yield
        self.current = before

    def Stream(self, device: torch.device | None = None) -> Any:  # noqa: N802
        self.noted.append(("stream", device or self.current))
        return SimpleNamespace(wait_stream=lambda other: None)

    def current_stream(self, device: torch.device | None = None) -> Any:
        return self.Stream(device)

    @contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        yield

    def CUDAGraph(self) -> Any:  # noqa: N802
        return SimpleNamespace(replay=lambda: self.noted.append(("replay", self.current)))

    @contextmanager
    def graph(self, graph: Any, stream: Any = None) -> Iterator[None]:
        self.noted.append(("graph", self.current))
        yield


def test_everything_is_recorded_and_replayed_on_the_device_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCuda()
    monkeypatch.setattr(graph_module.torch, "cuda", fake)
    cache = GraphCache(torch.device("cuda:1"))
    result = cache("key", lambda x: x + 1, x=torch.ones(2))
    assert result.tolist() == [2.0, 2.0]
    assert {what for what, _ in fake.noted} == {"stream", "graph", "replay"}
    assert {device for _, device in fake.noted} == {torch.device("cuda:1")}


class NotingGraphs:
    """Stands in for the graph cache: a new pair of key and shapes would be a recording."""

    def __init__(self) -> None:
        self.recorded: list[Hashable] = []

    def __call__(self, key: Hashable, function: Callable[..., Tensor], **inputs: Tensor) -> Tensor:
        shapes = (key, tuple((name, tuple(tensor.shape)) for name, tensor in inputs.items()))
        if shapes not in self.recorded:
            self.recorded.append(shapes)
        return function(**inputs)


def test_a_camera_of_another_size_than_the_warm_up_s_finds_everything_recorded() -> None:
    engine = FastEngine(
        random_network(TINY), tokenizer_for(TINY), None, options=FastOptions(dtype=torch.float32, lengths=(70, 80))
    )
    graphs = NotingGraphs()
    engine._on_gpu, engine._graphs = True, graphs  # type: ignore[assignment]
    engine.predict(Scene.of(TINY, camera_size=(48, 64)).request())
    warm = len(graphs.recorded)
    assert warm >= 4  # two lengths, the text itself, the denoising
    engine.predict(Scene.of(TINY, seed=1, camera_size=(72, 128)).request())
    assert len(graphs.recorded) == warm


def test_no_phase_of_the_benchmark_needs_more_than_a_24_gib_card_has_to_spare() -> None:
    needed = needed_gib(preset("3b"))
    assert set(needed) == {"eager_reference", "fast", "fast_fp8"}
    assert 12 < max(needed.values()) < 18


def test_one_rival_at_a_time_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[tuple[str, str]] = []
    baselines: list[weakref.ref[EagerReference]] = []
    real, made = FastEngine.__init__, EagerReference.__init__

    def noted_baseline(self: EagerReference, model: Any) -> None:
        baselines.append(weakref.ref(self))
        made(self, model)

    def noted(self: FastEngine, model: Any, *rest: Any, **options: Any) -> None:
        places.append(("fast", model.cognition_token.device.type))
        assert [baseline() for baseline in baselines] == [None], "the eager baseline still holds the network"
        real(self, model, *rest, **options)

    monkeypatch.setattr(FastEngine, "__init__", noted)
    monkeypatch.setattr(EagerReference, "__init__", noted_baseline)
    bench_gpu.bench(TINY, torch.device("cpu"), rounds=1, fp8=False)
    assert places == [("fast", "cpu")]


def test_a_full_card_ends_in_a_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(bench_gpu, "bench", full)
    with pytest.raises(SystemExit) as ended:
        bench_gpu.main(["--tiny", "--device", "cpu"])
    assert ended.value.code == 2
    assert "nvidia-smi" in capsys.readouterr().err
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8 * 2**30, 24 * 2**30))
    with pytest.raises(VitraError, match="8.0 GiB are free"):
        bench_gpu.demand_memory(preset("3b"), torch.device("cuda"))


def test_baseline_and_engine_are_timed_alike_and_the_baseline_pays_for_no_resize(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, list[tuple[bool, bool]]] = {"eager": [], "fast": []}
    prepared: list[int] = []
    flags = torch.backends.cuda.matmul, torch.backends.cudnn

    def noting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *positional: Any, **named: Any) -> Any:
            seen[name].append((flags[0].allow_tf32, flags[1].allow_tf32))
            return real(self, *positional, **named)

        return call

    monkeypatch.setattr(EagerReference, "predict", noting("eager", EagerReference.predict))
    monkeypatch.setattr(FastEngine, "predict", noting("fast", FastEngine.predict))
    real = Scene.reference_inputs
    monkeypatch.setattr(Scene, "reference_inputs", lambda s, c: prepared.append(1) or real(s, c))
    before = (flags[0].allow_tf32, flags[1].allow_tf32)
    bench_gpu.bench(TINY, torch.device("cpu"), rounds=10, fp8=False)
    assert len(prepared) == 8  # once per scene, whatever the rounds
    assert seen["eager"][:8] == [(False, False)] * 8  # the answers that errors are measured against
    assert set(seen["eager"][8:]) == set(seen["fast"]) == {(True, True)}
    assert (flags[0].allow_tf32, flags[1].allow_tf32) == before
    with pytest.raises(ValueError, match="x"), tf32(True):
        raise ValueError("x")
    assert (flags[0].allow_tf32, flags[1].allow_tf32) == before


def test_the_engines_answers_do_not_depend_on_where_the_resize_happens() -> None:
    engine = FastEngine(random_network(TINY), tokenizer_for(TINY), None, options=FastOptions(dtype=torch.float32))
    request = Scene.of(TINY).request()
    plain = engine.predict(request)
    engine._on_gpu, engine._graphs = True, NotingGraphs()  # type: ignore[assignment]
    assert np.array_equal(engine.predict(request), plain)
