"""What must be done before mujoco is first imported: its OpenGL backend chosen, and Triton loaded."""

from __future__ import annotations

import ctypes.util
import os
from contextlib import suppress
from importlib import import_module

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


def load_triton_first() -> None:
    """Import Triton, where PyTorch came with it: its library crashes the process if MuJoCo's is there already.

    Seen with mujoco 4.0.0 and Triton 3.7.1 (`import mujoco, triton`: segmentation fault); the other way round both
    work. Triton comes with PyTorch's CUDA builds only, and loads at the first network that is made.
    """
    with suppress(ImportError):
        import_module("triton")
