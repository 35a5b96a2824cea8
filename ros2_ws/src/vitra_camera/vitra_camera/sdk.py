"""Loading pyrealsense2, with the fix for the library it forgets to bring."""

from __future__ import annotations

import ctypes
import importlib
from types import ModuleType

from vitra_camera.errors import RealSenseMissingError

_LIBUSB_HELP = (
    "pyrealsense2 needs libusb-1.0, which is not on this machine. Install it: `sudo apt install libusb-1.0-0`, "
    "or without root `pip install libusb-package`."
)


def load_realsense() -> ModuleType:
    """The pyrealsense2 module, with libusb taken from the `libusb-package` wheel where the system has none.

    Raises:
        RealSenseMissingError: naming the command that installs what is missing.
    """
    try:
        return importlib.import_module("pyrealsense2")
    except ImportError as error:
        if "libusb" not in str(error):
            raise RealSenseMissingError(
                f"Cannot load pyrealsense2 ({error}). Install it: `pip install pyrealsense2`."
            ) from error
    try:
        libusb = importlib.import_module("libusb_package")
    except ImportError as error:
        raise RealSenseMissingError(_LIBUSB_HELP) from error
    try:
        ctypes.CDLL(str(libusb.get_library_path()), mode=ctypes.RTLD_GLOBAL)
        return importlib.import_module("pyrealsense2")
    except (ImportError, OSError) as error:
        raise RealSenseMissingError(f"{_LIBUSB_HELP} (The libusb-package wheel did not help: {error}.)") from error
