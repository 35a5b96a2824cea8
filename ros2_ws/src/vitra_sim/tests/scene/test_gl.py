import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vitra_sim.scene.gl import choose_backend


@pytest.mark.parametrize(
    ("wanted", "installed", "chosen"),
    [
        (None, {"OSMesa", "EGL"}, "osmesa"),
        (None, {"EGL"}, "egl"),
        ("osmesa", {"EGL"}, "egl"),
        ("egl", {"OSMesa", "EGL"}, "egl"),
        ("osmesa", set(), "disable"),
        ("glfw", set(), "glfw"),
    ],
)
def test_a_backend_is_taken_whose_library_is_there(monkeypatch, wanted, installed, chosen):
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: name if name in installed else None)
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    if wanted:
        monkeypatch.setenv("MUJOCO_GL", wanted)
    assert choose_backend() == chosen


def test_triton_is_loaded_before_mujoco_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "triton.py").write_text("import sys\nMUJOCO_WAS_THERE = 'mujoco' in sys.modules\n")
    program = "import vitra_sim.scene.world, triton; print(triton.MUJOCO_WAS_THERE)"
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        check=True,
    )
    assert run.stdout.split() == ["False"]


def test_the_simulation_does_without_triton() -> None:
    program = "import sys; sys.modules['triton'] = None; import vitra_sim.scene.world"
    subprocess.run([sys.executable, "-c", program], check=True)
