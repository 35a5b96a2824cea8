"""Point clouds in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitra_training.benchmarks.grasp.ply import PointCloudError, read_points, write_ply

POINTS = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32).astype(np.float64)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", POINTS)
    np.testing.assert_array_equal(read_points(tmp_path / "a.ply"), POINTS)
    np.save(tmp_path / "a.npy", POINTS)
    np.testing.assert_array_equal(read_points(tmp_path / "a.npy"), POINTS)


def test_colours_normals_and_faces_beside_the_points_are_skipped(tmp_path: Path) -> None:
    row = np.dtype([("nx", "<f4"), ("x", "<f8"), ("y", "<f8"), ("z", "<f8"), ("red", "u1")])
    rows = np.zeros(30, dtype=row)
    rows["x"], rows["y"], rows["z"] = POINTS.T
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment of a scanner\nelement vertex 30\nproperty float nx\n"
        "property double x\nproperty double y\nproperty double z\nproperty uchar red\nelement face 1\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    (tmp_path / "a.ply").write_bytes(header.encode() + rows.tobytes() + b"\x03" + bytes(12))
    np.testing.assert_array_equal(read_points(tmp_path / "a.ply"), POINTS)


def test_ascii_is_read(tmp_path: Path) -> None:
    lines = "".join(f"255 {x} {y} {z}\n" for x, y, z in POINTS)
    header = "ply\nformat ascii 1.0\nelement vertex 30\nproperty uchar red\n"
    header += "property float x\nproperty float y\nproperty float z\nelement face 1\nproperty list uchar int i\n"
    (tmp_path / "a.ply").write_text(header + "end_header\n" + lines + "3 0 1 2\n")
    np.testing.assert_allclose(read_points(tmp_path / "a.ply"), POINTS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"ply\nformat binary_big_endian 1.0\nelement vertex 1\nend_header\n", "binary_little_endian"),
        (b"ply\nformat ascii 1.0\n", "end_header"),
        (b"solid stl\nend_header\n", "first line"),
        (b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n", "no x, y, z"),
        (
            b"ply\nformat binary_little_endian 1.0\nelement vertex 900\nproperty float x\nproperty float y\n"
            b"property float z\nend_header\n" + bytes(12),
            "promises 900 points and holds 1",
        ),
    ],
)
def test_a_damaged_file_says_what_is_wrong(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(PointCloudError, match=said):
        read_points(tmp_path / "a.ply")


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(PointCloudError, match="damaged"):
        read_points(tmp_path / "a.npy")


def test_numbers_of_another_shape_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 4)))
    with pytest.raises(PointCloudError, match=r"\(N, 3\)"):
        read_points(tmp_path / "a.npy")
