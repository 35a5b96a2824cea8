"""Reading pickled numpy files without running what they contain."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from vitra_training.datasets.errors import BrokenFileError, ForeignTypeError

_NUMPY_NAMES = {"_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"}
_NUMPY_MODULES = {
    "numpy",
    "numpy.core.multiarray",
    "numpy._core.multiarray",
    "numpy.core.numeric",
    "numpy._core.numeric",
}


class NumpyUnpickler(pickle.Unpickler):
    """An unpickler that can build numpy arrays, numpy scalars and builtin containers, and nothing else."""

    def __init__(self, stream: io.BufferedIOBase, name: Path | str = "pickle") -> None:
        super().__init__(stream, encoding="latin1")
        self._name = name

    def find_class(self, module: str, name: str) -> Any:
        """The few constructors of numpy data; every other global is refused before it is imported.

        Raises:
            ForeignTypeError: it is none of them.
        """
        if module in _NUMPY_MODULES and name in _NUMPY_NAMES:
            return _ALLOWED[name]
        if module == "_codecs" and name == "encode":
            return _latin1
        raise ForeignTypeError(self._name, module, name)


def load_npy_dict(path: Path) -> dict[str, Any]:
    """The dictionary pickled in a `.npy` file as `np.save(path, {...})` writes it.

    Raises:
        ForeignTypeError: the pickle names anything but numpy data; nothing of it has run.
        BrokenFileError: truncated, or no `.npy` with one dictionary.
    """
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(stream)
            if dtype != np.dtype(object):
                raise BrokenFileError(path, "pickled episode", f"it holds a plain {dtype} array of shape {shape}")
            content = NumpyUnpickler(stream, path).load()
    except (ForeignTypeError, BrokenFileError):
        raise
    except Exception as cause:  # pickle may raise nearly anything on bytes that are not a pickle
        raise BrokenFileError(path, "pickled .npy", f"{type(cause).__name__}: {cause}") from None
    if isinstance(content, np.ndarray) and content.dtype == object and content.size == 1:
        content = content.item()
    if not isinstance(content, dict):
        raise BrokenFileError(path, "pickled episode", f"it holds a {type(content).__name__}, not a dictionary")
    return content


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """What numpy's protocol-2 pickles call to carry bytes; any other codec is refused."""
    if encoding != "latin1":
        raise ForeignTypeError("pickle", "_codecs.encode", encoding)
    return text.encode("latin1")


def _safe_scalar(dtype: np.dtype[Any], data: bytes = b"") -> Any:
    return np.frombuffer(data, dtype=_plain(dtype), count=1)[0]


def _safe_reconstruct(subtype: type, shape: tuple[int, ...], kind: bytes) -> Any:
    if subtype is not np.ndarray:
        raise ForeignTypeError("pickle", "numpy", f"array subclass {subtype!r}")
    return np.ndarray(shape, np.dtype(kind.decode()))


def _safe_frombuffer(buffer: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], order: str) -> Any:
    return np.frombuffer(buffer, dtype=_plain(dtype)).reshape(shape, order="F" if order == "F" else "C")


def _plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.hasobject:
        raise ForeignTypeError("pickle", "numpy", "scalar of object dtype")
    return dtype


_ALLOWED: dict[str, Any] = {
    "_reconstruct": _safe_reconstruct,
    "ndarray": np.ndarray,
    "dtype": np.dtype,
    "scalar": _safe_scalar,
    "_frombuffer": _safe_frombuffer,
}
