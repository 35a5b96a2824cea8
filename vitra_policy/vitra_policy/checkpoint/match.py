"""Strict comparison of a checkpoint's tensors with the network they are meant for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import nn

from vitra_policy.checkpoint.errors import CheckpointKeysError, CheckpointShapeError

_SHOWN = 5


def check_tensors(shapes: Mapping[str, tuple[int, ...]], model: nn.Module, source: str) -> None:
    """Check that tensors and parameters are the same set with the same shapes.

    Args:
        shapes: Of the tensors in the file, by name.
        model: Whose parameters they must be.
        source: Path, for the error.

    Raises:
        CheckpointKeysError: A parameter has no tensor, or a tensor no parameter.
        CheckpointShapeError: Shapes differ.
    """
    expected = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    missing, unexpected = expected.keys() - shapes.keys(), shapes.keys() - expected.keys()
    if missing or unexpected:
        raise CheckpointKeysError(
            f"{source} does not fit its configuration. Missing: {_some(missing)}. Unexpected: {_some(unexpected)}."
        )
    wrong = [f"{name} is {shapes[name]}, expected {size}" for name, size in expected.items() if shapes[name] != size]
    if wrong:
        raise CheckpointShapeError(f"{source} does not fit its configuration: {_some(wrong)}.")


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more if ordered else "none"
