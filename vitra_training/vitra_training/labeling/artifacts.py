"""Typed results on disk: a frozen dataclass as `arrays.npz` and `fields.json` in a folder of its own."""

from __future__ import annotations

import dataclasses
import json
import types
import zipfile
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from vitra_training.labeling.errors import ArtifactError

_ARRAYS, _FIELDS = "arrays.npz", "fields.json"
T = TypeVar("T")


def save(result: Any, folder: Path) -> None:
    """Write a frozen dataclass of arrays, numbers, words, and tuples or dataclasses of these.

    Arrays are stored without pickles; everything else is readable JSON. The folder is written in place: whoever calls
    decides when it takes its final name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    fields = _encode(result, "", arrays)
    np.savez(folder / _ARRAYS, **arrays)
    (folder / _FIELDS).write_text(json.dumps({"type": type(result).__name__, "fields": fields}, indent=1) + "\n")


def load(kind: type[T], folder: Path) -> T:
    """Read back what `save` wrote.

    Raises:
        ArtifactError: not there, broken, or of another type.
    """
    try:
        content = json.loads((folder / _FIELDS).read_text())
        if content["type"] != kind.__name__:
            raise ArtifactError(folder, kind.__name__, f"it holds a {content['type']}")
        with np.load(folder / _ARRAYS, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        value: T = _decode(kind, content["fields"], arrays)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        zipfile.BadZipFile,
        OverflowError,
    ) as cause:
        raise ArtifactError(folder, kind.__name__, cause) from None
    return value


def _encode(value: Any, where: str, arrays: dict[str, Any]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[where] = value
        return {"array": where}
    if dataclasses.is_dataclass(value):
        return {f.name: _encode(getattr(value, f.name), f"{where}/{f.name}", arrays) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _encode(item, f"{where}/{key}", arrays) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_encode(item, f"{where}/{n}", arrays) for n, item in enumerate(value)]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value


def _decode(kind: Any, value: Any, arrays: dict[str, Any]) -> Any:
    if isinstance(value, dict) and set(value) == {"array"}:
        return arrays[value["array"]]
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return (
            None
            if value is None
            else _decode(next(a for a in get_args(kind) if a is not types.NoneType), value, arrays)
        )
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{f.name: _decode(hints[f.name], value[f.name], arrays) for f in dataclasses.fields(kind)})  # type: ignore[operator]
    if origin is tuple:
        arguments = get_args(kind)
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_decode(k, v, arrays) for k, v in zip(kinds, value, strict=True))
    if isinstance(value, dict):
        inner = get_args(kind)[1]
        return {key: _decode(inner, item, arrays) for key, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, (Enum, Path)):
        return kind(value)
    if kind is float and value is not None:
        return float(value)
    return value
