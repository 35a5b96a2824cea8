"""Stages of the fast engine on a CPU: each compiled once per shape by OpenVINO and then run without PyTorch.

A stage is a method of the engine's network that takes and gives tensors. PyTorch spends more time between the many
small operations of a chunk than inside them; a compiled stage fuses and calls them itself.
"""

from __future__ import annotations

import logging
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

import torch
from torch import Tensor, nn

_logger = logging.getLogger(__name__)


class Stage(Protocol):
    """Prepares a method that takes tensors (and settings) and gives one tensor or a tuple of tensors."""

    def __call__(self, function: Callable[..., Any], /, varying: tuple[str, ...] = ()) -> Callable[..., Any]:
        """The method, prepared; arguments named in ``varying`` come in changing lengths (their first dimension)."""
        ...


def plain_stage(function: Callable[..., Any], /, varying: tuple[str, ...] = ()) -> Callable[..., Any]:
    """The :class:`Stage` that does nothing."""
    return function


@cache
def has_openvino() -> bool:
    """Whether OpenVINO is installed; says so once where it is not."""
    installed = find_spec("openvino") is not None
    if not installed:
        _logger.warning("OpenVINO is not installed (pip install openvino): PyTorch runs the network, which is slower")
    return installed


@cache
def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bf16 numbers natively and OpenVINO knows how."""
    return has_openvino() and "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoStage:
    """The :class:`Stage` that compiles; results live until its next call.

    Arguments that are no tensors are settings, fixed while compiling. Number formats are those the method asks for:
    OpenVINO is told to change none.

    Args:
        function: The method.
        varying: Arguments whose length changes without compiling anew.
        capacity: Compiled variants kept, the least recently used one forgotten first.
    """

    def __init__(self, function: Callable[..., Any], /, varying: tuple[str, ...] = (), *, capacity: int = 16) -> None:
        self._function, self._varying, self._capacity = function, varying, capacity
        self._compiled: OrderedDict[Hashable, _Compiled] = OrderedDict()

    def __call__(self, **arguments: Any) -> Any:
        """What the method gives."""
        tensors = {name: value for name, value in arguments.items() if isinstance(value, Tensor)}
        settings = {name: value for name, value in arguments.items() if name not in tensors}
        shapes = {name: self._shape(name, tensor) for name, tensor in tensors.items()}
        key = (tuple(shapes.items()), tuple(settings.items()), torch.get_num_threads())
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _compile(self._function, tensors, settings, [*shapes.values()])
            if len(self._compiled) > self._capacity:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return compiled(tuple(tensors.values()))

    def _shape(self, name: str, tensor: Tensor) -> tuple[int, ...]:
        """Sizes, -1 for any."""
        return (-1, *tensor.shape[1:]) if name in self._varying else tuple(tensor.shape)


class _Traceable(nn.Module):
    """The method with its settings filled in, its tensors by position."""

    def __init__(self, function: Callable[..., Any], names: tuple[str, ...], settings: dict[str, Any]) -> None:
        super().__init__()
        self._function, self._names, self._settings = function, names, settings

    def forward(self, *tensors: Tensor) -> Any:
        """See the class."""
        return self._function(**dict(zip(self._names, tensors, strict=True)), **self._settings)


class _Compiled:
    """A compiled method: arguments of fixed size are copied into its own memory, the others are lent."""

    def __init__(self, request: Any, shapes: list[tuple[int, ...]], several: bool) -> None:
        self._request, self._several = request, several
        self._own = [
            None if -1 in shape else torch.from_numpy(request.get_input_tensor(index).data)
            for index, shape in enumerate(shapes)
        ]
        self._outputs: tuple[Tensor, ...] | None = None

    def __call__(self, tensors: tuple[Tensor, ...]) -> Any:
        """What the method gives: one tensor or, if ``several``, a tuple."""
        import openvino

        lent = []  # must live until the end
        for index, (own, tensor) in enumerate(zip(self._own, tensors, strict=True)):
            if own is not None:
                own.copy_(tensor)
            else:
                lent.append(openvino.Tensor(tensor.contiguous().numpy(), shared_memory=True))
                self._request.set_input_tensor(index, lent[-1])
        self._request.infer()
        if self._outputs is None or lent:
            self._outputs = tuple(torch.from_numpy(output.data) for output in self._request.output_tensors)
        return self._outputs if self._several else self._outputs[0]


def _compile(
    function: Callable[..., Any], tensors: dict[str, Tensor], settings: dict[str, Any], shapes: list[tuple[int, ...]]
) -> _Compiled:
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with torch.inference_mode(False), torch.no_grad():
        examples = tuple(torch.zeros(value.shape, dtype=value.dtype) for value in tensors.values())
        module = _Traceable(function, tuple(tensors), settings).eval()
        several = isinstance(module(*examples), tuple)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(module, examples, check_trace=False)  # type: ignore[no-untyped-call]
    # The front end by itself: openvino.convert_model reports each conversion to a statistics server.
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced)  # must outlive the conversion
    network = frontend.convert(frontend.load(decoder))
    network.reshape({index: list(shape) for index, shape in enumerate(shapes)})
    options = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "ENABLE_CPU_PINNING": False,
    }
    return _Compiled(_core().compile_model(network, "CPU", options).create_infer_request(), shapes, several)


@cache
def _core() -> Any:
    import openvino

    return openvino.Core()
