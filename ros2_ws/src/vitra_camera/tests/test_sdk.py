"""Loading pyrealsense2 where parts are missing."""

import importlib
import types

import pytest

from vitra_camera import sdk
from vitra_camera.errors import RealSenseMissingError


def _importer(outcomes):
    def load(name):
        outcome = outcomes[name].pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return load


def test_a_missing_libusb_is_taken_from_its_wheel(monkeypatch):
    module = types.ModuleType("pyrealsense2")
    wheel = types.SimpleNamespace(get_library_path=lambda: "/wheel/libusb-1.0.so")
    missing = ImportError("libusb-1.0.so.0: cannot open shared object file")
    loaded = []
    outcomes = {"pyrealsense2": [missing, module], "libusb_package": [wheel]}
    monkeypatch.setattr(importlib, "import_module", _importer(outcomes))
    monkeypatch.setattr(sdk.ctypes, "CDLL", lambda path, mode: loaded.append((path, mode)))
    assert sdk.load_realsense() is module
    assert loaded == [("/wheel/libusb-1.0.so", sdk.ctypes.RTLD_GLOBAL)]


def test_a_missing_libusb_names_both_fixes(monkeypatch):
    missing = ImportError("libusb-1.0.so.0: cannot open shared object file")
    outcomes = {"pyrealsense2": [missing], "libusb_package": [ImportError("No module named 'libusb_package'")]}
    monkeypatch.setattr(importlib, "import_module", _importer(outcomes))
    with pytest.raises(RealSenseMissingError, match=r"apt install libusb-1.0-0.*pip install libusb-package"):
        sdk.load_realsense()


def test_a_missing_pyrealsense2_names_its_package(monkeypatch):
    outcomes = {"pyrealsense2": [ModuleNotFoundError("No module named 'pyrealsense2'")]}
    monkeypatch.setattr(importlib, "import_module", _importer(outcomes))
    with pytest.raises(RealSenseMissingError, match="pip install pyrealsense2"):
        sdk.load_realsense()
