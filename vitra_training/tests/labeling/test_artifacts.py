"""Typed results on disk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest

from vitra_training.labeling.artifacts import load, save
from vitra_training.labeling.errors import ArtifactError


class Kind(StrEnum):
    A = "a"


@dataclass(frozen=True)
class Inner:
    values: np.ndarray
    name: str


@dataclass(frozen=True)
class Outer:
    kind: Kind
    path: Path
    inner: Inner
    many: tuple[Inner, ...]
    by_name: dict[str, Inner]
    pair: tuple[int, float]
    nothing: float | None
    far: float


def example() -> Outer:
    inner = Inner(np.arange(6.0).reshape(2, 3), "x")
    return Outer(Kind.A, Path("a/b.mp4"), inner, (inner, inner), {"left": inner}, (1, 2.5), None, float("inf"))


def test_a_result_is_read_back_as_it_was(tmp_path: Path) -> None:
    save(example(), tmp_path / "r")
    got = load(Outer, tmp_path / "r")
    assert (got.kind, got.path, got.pair, got.nothing, got.far) == (Kind.A, Path("a/b.mp4"), (1, 2.5), None, np.inf)
    assert isinstance(got.kind, Kind)
    for inner in (got.inner, *got.many, got.by_name["left"]):
        np.testing.assert_array_equal(inner.values, example().inner.values)


def test_a_result_of_another_type_or_a_broken_one_is_refused_by_name(tmp_path: Path) -> None:
    save(example(), tmp_path / "r")
    with pytest.raises(ArtifactError, match="it holds a Outer"):
        load(Inner, tmp_path / "r")
    for content in (b"broken", b"", b"PK\x03\x04"):
        (tmp_path / "r" / "arrays.npz").write_bytes(content)
        with pytest.raises(ArtifactError, match="Delete the folder"):
            load(Outer, tmp_path / "r")
    with pytest.raises(ArtifactError):
        load(Outer, tmp_path / "nowhere")


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    """An array of objects would be a pickle: it can neither be read back nor run code."""
    save(example(), tmp_path / "r")
    np.savez(tmp_path / "r" / "arrays.npz", **{"/inner/values": np.array([{}], dtype=object)}, allow_pickle=True)
    with pytest.raises(ArtifactError):
        load(Outer, tmp_path / "r")
