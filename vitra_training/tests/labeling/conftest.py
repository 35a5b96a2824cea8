"""The made-up videos that tests of the whole pipeline share."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The module `made_up_videos.py` of this folder."""
    spec = importlib.util.spec_from_file_location("made_up_videos", Path(__file__).with_name("made_up_videos.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
