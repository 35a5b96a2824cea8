"""Stages of the fast engine on a CPU: each compiled once per shape by OpenVINO and then run without PyTorch.

A stage is a method of the engine's network that takes and gives tensors of fixed shapes. PyTorch spends more time
between the many small operations of a chunk than inside them; a compiled stage fuses and calls them itself.
"""

from __future__ import annotations

import logging
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

Stage = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Prepares a method that takes tensors (and settings) and gives one tensor or a tuple of tensors."""

_logger = logging.getLogger(__name__)


def plain_stage(function: Callable[..., Any]) -> Callable[..., Any]:
    """The :data:`Stage` that does nothing."""
    return function


@cache
def has_openvino() -> bool:
    """Whether OpenVINO is installed; says so once where it is not."""
    installed = find_spec("openvino") is not None
    if not installed:
        _logger.warning("OpenVINO is not installed (pip install openvino): PyTorch runs the network, at half the speed")
    return installed


@cache
def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bf16 numbers natively and OpenVINO knows how."""
    return has_openvino() and "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoStage:
    """The :data:`Stage` that compiles; results live until the next call with the same shapes and settings.

    Arguments that are no tensors are settings, fixed while compiling. Number formats are those the method asks for:
    OpenVINO is told to change none.

    Args:
        function: The method.
        capacity: Compiled variants kept, the least recently used one forgotten first.
    """

    def __init__(self, function: Callable[..., Any], capacity: int = 16) -> None:
        self._function, self._capacity = function, capacity
        self._compiled: OrderedDict[Hashable, _Compiled] = OrderedDict()

    def __call__(self, **arguments: Any) -> Any:
        """What the method gives."""
        tensors = {name: value for name, value in arguments.items() if isinstance(value, Tensor)}
        settings = {name: value for name, value in arguments.items() if name not in tensors}
        shapes = tuple((name, value.shape, value.dtype) for name, value in tensors.items())
        key = (shapes, tuple(settings.items()), torch.get_num_threads())
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _compile(self._function, tensors, settings)
            if len(self._compiled) > self._capacity:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return compiled(tuple(tensors.values()))


class _Traceable(nn.Module):
    """The method with its settings filled in, its tensors by position."""

    def __init__(self, function: Callable[..., Any], names: tuple[str, ...], settings: dict[str, Any]) -> None:
        super().__init__()
        self._function, self._names, self._settings = function, names, settings

    def forward(self, *tensors: Tensor) -> Any:
        """See the class."""
        return self._function(**dict(zip(self._names, tensors, strict=True)), **self._settings)


@dataclass(frozen=True, slots=True)
class _Compiled:
    request: Any
    several: bool
    """Whether the method gives a tuple."""

    def __call__(self, tensors: tuple[Tensor, ...]) -> Any:
        import openvino

        for index, tensor in enumerate(tensors):
            self.request.set_input_tensor(
                index, openvino.Tensor(tensor.detach().contiguous().numpy(), shared_memory=True)
            )
        self.request.infer()
        outputs = tuple(torch.from_numpy(output.data) for output in self.request.output_tensors)
        return outputs if self.several else outputs[0]


def _compile(function: Callable[..., Any], tensors: dict[str, Tensor], settings: dict[str, Any]) -> _Compiled:
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with torch.inference_mode(False), torch.no_grad():
        examples = tuple(torch.zeros(value.shape, dtype=value.dtype) for value in tensors.values())
        module = _Traceable(function, tuple(tensors), settings).eval()
        several = isinstance(module(*examples), tuple)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # sizes are fixed: that is the point
            traced = torch.jit.trace(module, examples, check_trace=False)  # type: ignore[no-untyped-call]
    # The front end by itself: openvino.convert_model reports each conversion to a statistics server.
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced)  # must outlive the conversion
    network = frontend.convert(frontend.load(decoder))
    network.reshape({index: list(example.shape) for index, example in enumerate(examples)})
    options = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "ENABLE_CPU_PINNING": False,
    }
    return _Compiled(_core().compile_model(network, "CPU", options).create_infer_request(), several)


@cache
def _core() -> Any:
    import openvino

    return openvino.Core()
