"""Networks without numbers, for weights that come from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


class _DrawsNothing(TorchFunctionMode):
    """Leaves tensors as they are where a module would draw its first weights."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if getattr(function, "__module__", None) == nn.init.__name__:
            return given["tensor"] if "tensor" in given else args[0]
        return function(*args, **given)


@contextmanager
def unfilled() -> Iterator[None]:
    """Modules made meanwhile lie on the meta device, and no weights are drawn.

    Drawing there would draw nothing either, but PyTorch loads its whole compiler for it: a second of processor time.
    """
    with torch.device("meta"), _DrawsNothing():
        yield
