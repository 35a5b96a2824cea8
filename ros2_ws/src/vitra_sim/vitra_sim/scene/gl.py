"""Choice of MuJoCo's OpenGL backend, made before mujoco is first imported."""

from __future__ import annotations

import ctypes.util
import os

_LIBRARIES = {"osmesa": "OSMesa", "egl": "EGL"}


def choose_backend() -> str:
    """Set MUJOCO_GL to a backend whose library exists, and return it.

    The environment's own choice stands where its library is installed; otherwise osmesa, then egl. Where neither is
    there rendering is switched off: physics does not need it, and importing mujoco would fail.
    """
    wanted = os.environ.get("MUJOCO_GL", "osmesa").lower()
    for backend in (wanted, *_LIBRARIES):
        library = _LIBRARIES.get(backend)
        if library is None or ctypes.util.find_library(library):
            break
    else:
        backend = "disable"
    os.environ["MUJOCO_GL"] = backend
    if backend in _LIBRARIES:
        os.environ.setdefault("PYOPENGL_PLATFORM", backend)
    return backend
