from __future__ import annotations

import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_training.datasets.errors import BrokenFileError, ForeignTypeError
from vitra_training.datasets.formats.safe_pickle import load_npy_dict


class Hostile:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def save(path: Path, content: Any, protocol: int = 4) -> Path:
    with path.open("wb") as stream:
        array = np.empty((), dtype=object)
        np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": array.shape})
        array[()] = content
        pickle.dump(array, stream, protocol=protocol)
    return path


@pytest.mark.parametrize("function", [os.system, subprocess.check_output, eval, exec, open, getattr, __import__])
def test_a_hostile_pickle_executes_nothing(tmp_path: Path, function: Any) -> None:
    marker = tmp_path / "executed"
    command = f"open({str(marker)!r}, 'w')" if function in (eval, exec) else f"touch {marker}"
    path = save(tmp_path / "hostile.npy", {"extrinsics": Hostile(function, command)})
    with pytest.raises(ForeignTypeError, match="Nothing was executed"):
        load_npy_dict(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [("numpy", "load"), ("numpy", "memmap"), ("numpy.core.multiarray", "fromfile"), ("numpy", "ndarray.tofile")],
)
def test_functions_of_numpy_that_touch_files_are_refused(tmp_path: Path, module: str, name: str) -> None:
    path = tmp_path / "x.npy"
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
        stream.write(f"c{module}\n{name}\n(S'/etc/hostname'\ntR.".encode())
    with pytest.raises(ForeignTypeError):
        load_npy_dict(path)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_numpy_data_of_every_pickle_protocol_are_read(tmp_path: Path, protocol: int) -> None:
    content = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": [("text", (0, np.int64(5)))],
        "c": {"d": np.float64(2.5), "e": None, "f": np.array([True, False])},
    }
    read = load_npy_dict(save(tmp_path / "x.npy", content, protocol))
    assert np.array_equal(read["a"], content["a"])
    assert read["a"].dtype == np.float32
    assert read["b"] == content["b"]
    assert read["c"]["d"] == 2.5
    assert np.array_equal(read["c"]["f"], [True, False])


def test_what_numpy_saves_itself_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", {"a": np.eye(3)}, allow_pickle=True)
    assert np.array_equal(load_npy_dict(tmp_path / "x.npy")["a"], np.eye(3))


@pytest.mark.parametrize("keep", [0, 3, 60, 200])
def test_a_truncated_file_is_named(tmp_path: Path, keep: int) -> None:
    path = save(tmp_path / "x.npy", {"a": np.zeros(100)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BrokenFileError, match=r"x\.npy"):
        load_npy_dict(path)


def test_an_array_instead_of_an_episode_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(BrokenFileError, match="plain"):
        load_npy_dict(tmp_path / "x.npy")
