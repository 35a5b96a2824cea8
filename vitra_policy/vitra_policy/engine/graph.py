"""Recording a function of tensors as a CUDA graph and replaying it, which costs one launch instead of thousands."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_WARM_UP_RUNS = 3


@dataclass(frozen=True, slots=True)
class _Recorded:
    graph: Any
    inputs: dict[str, Tensor]
    output: Tensor


class GraphCache:
    """Recorded functions by key, the least recently used one forgotten first.

    A function must be free of side effects, allocate nothing that outlives it except caches it fills when it first
    runs, and always give the same shapes for the same key.

    Args:
        device: Off a GPU, functions are simply called.
        capacity: Recordings kept.
    """

    def __init__(self, device: torch.device, capacity: int = 16) -> None:
        self._enabled, self._capacity, self._device = device.type == "cuda", capacity, device
        self._recorded: OrderedDict[Hashable, _Recorded] = OrderedDict()

    def __call__(self, key: Hashable, function: Callable[..., Tensor], **inputs: Tensor) -> Tensor:
        """Result of ``function(**inputs)``; on a GPU valid until the next call with the same key."""
        if not self._enabled:
            return function(**inputs)
        shapes = tuple((name, tuple(tensor.shape), tensor.dtype) for name, tensor in inputs.items())
        recorded = self._recorded.get((key, shapes))
        if recorded is None:
            recorded = self._record(function, inputs)
            self._recorded[key, shapes] = recorded
            if len(self._recorded) > self._capacity:
                self._recorded.popitem(last=False)
        self._recorded.move_to_end((key, shapes))
        for name, tensor in inputs.items():
            recorded.inputs[name].copy_(tensor, non_blocking=True)
        with torch.cuda.device(self._device):
            recorded.graph.replay()
        return recorded.output

    def _record(self, function: Callable[..., Tensor], inputs: dict[str, Tensor]) -> _Recorded:
        static = {name: tensor.clone() for name, tensor in inputs.items()}
        # Streams and recordings belong to the current device; on another one than the tensors' they would stay empty.
        with torch.cuda.device(self._device):
            side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
            current = torch.cuda.current_stream(self._device)
            side.wait_stream(current)
            with torch.cuda.stream(side):
                for _ in range(_WARM_UP_RUNS):
                    function(**static)
            current.wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=side):
                output = function(**static)
        return _Recorded(graph, static, output)
