import ctypes.util

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
