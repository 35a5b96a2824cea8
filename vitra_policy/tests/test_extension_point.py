"""Things by name: built in, or brought by installed packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitra_policy.errors import UnknownNameError
from vitra_policy.extension_point import ExtensionError, ExtensionPoint

POINT = ExtensionPoint(
    "number", "tests.numbers", {"pi": "math:pi", "lost": "math:no_such_thing", "gone": "no_such_module:x"}, "Do this."
)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that brings two numbers, one by the name of a built-in one."""
    info = tmp_path / "brings-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brings\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tests.numbers]\ne = math:e\npi = math:tau\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_what_is_built_in_is_found() -> None:
    assert POINT.load("pi", float) == pytest.approx(3.14159, abs=1e-4)
    assert POINT.names() == ["gone", "lost", "pi"]
    assert POINT.installed() == []


@pytest.mark.usefixtures("installed")
def test_what_is_installed_is_found_and_wins() -> None:
    assert POINT.load("e") == pytest.approx(2.71828, abs=1e-4)
    assert POINT.load("pi") == pytest.approx(6.28318, abs=1e-4)
    assert POINT.installed() == ["e", "pi"]


def test_a_name_that_is_not_there_is_answered_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'lost'"):
        POINT.load("lots")


@pytest.mark.parametrize("name", ["lost", "gone"])
def test_what_cannot_be_imported_says_what_to_do(name: str) -> None:
    with pytest.raises(ExtensionError, match="Do this"):
        POINT.load(name)


def test_another_type_is_refused() -> None:
    with pytest.raises(ExtensionError, match="is a float; the entry point must name a int"):
        POINT.load("pi", int)
